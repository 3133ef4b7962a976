// Package token issues and verifies bearer tokens and manages tenants and their OAuth clients. A generated token or client
// secret has 256 random bits, so the table stores only its unsalted SHA-256 hash. Every token belongs to one tenant, has a
// scope, and expires. An access token is a token of an OAuth client, and is valid only as long as the client exists. The
// package also counts requests for rate limits, and deprovisioned users. It does not read or write SCIM resources.
//
// Begin with [Store.Authenticate], which the server calls for each request, and with [Store.Create].
//
// A token of IssueInMemory is not stored: it is valid in one process, and does not expire.
//
// # Items
//
// The package stores eight kinds of items. <tenant> is the tenant's name, escaped by [table.EscapeKeyPart]. <token ID>
// is the first 16 digits of <hash>. <minute> is Unix time in minutes, with 12 digits. <digest> is the SHA-256 hash of an
// assertion's issuer and ID.
//
//	item              PK                SK
//	tenant            tenant            name of the tenant, not escaped
//	token             token#<hash>      @
//	token list entry  <tenant>#token    <token ID>
//	request counter   <tenant>#counter  rate#<token ID>, or rate#<client ID> for all access tokens of a client, or
//	                                    rate#<client ID>#tokens for its requests to the token endpoint
//	deprovisioning    <tenant>#counter  deprovisioned#<minute>
//	client            <tenant>#client   <client ID>
//	access entry      <tenant>#access   <client ID>#<token ID>
//	used assertion    <tenant>#access   <client ID>#<digest>#used
//
//	item              attributes                                          written by
//	tenant            settings, created, disabled, deleted, stopped, ver  CreateTenant, UpdateTenant
//	token             tenant, label, scope, created, nanos, ends,         Create, Rotate, ReplaceToken, Authenticate,
//	                  used, rotated, expires, client                      IssueAccessToken
//	token list entry  hash, expires                                       Create, Rotate, ReplaceToken
//	request counter   window, n                                           Limiter.Allow
//	deprovisioning    n, expires                                          AddDeprovisioned
//	client            label, scope, created, lifetime, secrets,           CreateClient, AddClientSecret
//	                  assertion, ver
//	access entry      hash, expires                                       IssueAccessToken
//	used assertion    expires                                             IssueAccessToken
//
// Times are in seconds of Unix time, and absent if the event has not happened. nanos are the nanoseconds of created. The
// attribute settings is a JSON string. Every update of a tenant increments ver, and its condition compares ver. The
// attribute scope is absent for [ScopeAll]. Authenticate writes only used. Rotate also sets rotated of the old token and
// reduces its ends. A request counter counts n requests in the window of ten seconds with the number window, which is
// Unix time divided by ten. A deprovisioning item counts n users in one minute. lifetime is that of access tokens, in seconds.
// secrets and assertion are JSON strings. A client has one of them, and no expires. Every update of a client increments ver.
// The attribute client of a token is the ID of its client, and absent for a token of an operator.
//
// Revoke and ReplaceToken delete a token and its list entry, and ResetDeprovisioned deletes deprovisioning items. RevokeClient
// deletes a client, its access tokens, and its items in <tenant>#access. IssueAccessToken deletes expired ones.
// DynamoDB's time to live deletes an item at some time after expires. The purge in package admin deletes all items of a
// tenant, and finally the tenant item through PurgeTenant.
package token
