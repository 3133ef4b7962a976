// Package oauth serves the token endpoint of OAuth 2.0 for the client credentials grant (RFC 6749 §4.4). It also serves the
// metadata that names the endpoint (RFC 8414). A client of a tenant authenticates by a secret (client_secret_basic,
// client_secret_post) or by an assertion (RFC 7523 §2.2). It receives an access token, which package token stores. Begin
// with [New] and [Endpoint.ServeToken].
//
// The package is not an authorization server for people. It has no authorization endpoint, no consent, no refresh tokens,
// and no ID tokens. It does not authenticate the requests that carry an access token: package token does.
//
// # What responses reveal
//
// No response says whether a client exists. All failures of authentication have the same response. Those of a secret also
// take the same steps and one call to the table. With assertions, the time of a response can reveal that the client exists,
// which is not secret (RFC 6749 §2.2). While an issuer cannot be reached, an assertion with all the right claims gets 503
// instead of 401, so that the client repeats it.
//
// IDs and secrets have a checksum. An ID or a secret with a wrong checksum costs no call to the table. The other failures
// are limited for each address that sends requests.
//
// # Assertions
//
// A [Verifier] compares an assertion with the rule of one client. The rule names the issuer, the subject, the audience, and
// the keys or their URL. So an assertion cannot select the keys that are trusted, or a URL that is fetched. All claims are
// compared before keys are fetched. An assertion that does not match the rule therefore causes no fetch.
//
// [KeySets] fetches key sets and keeps them. The client of [NewClient] reaches public addresses only, by HTTPS.
package oauth
