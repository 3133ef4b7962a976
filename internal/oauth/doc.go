// Package oauth serves the token endpoint of OAuth 2.0 for the client credentials grant (RFC 6749 §4.4). A client of a
// tenant authenticates by a secret or by an assertion (RFC 7523 §2.2), and receives an access token, which package token
// stores.
//
// The package is not an authorization server for people. It has no authorization endpoint, no consent, no refresh tokens,
// and no ID tokens. It does not authenticate the requests that carry an access token: package token does.
//
// # Assertions
//
// A [Verifier] compares an assertion with the rule of one client. The rule names the issuer, the subject, the audience, and
// the keys or their URL, so nothing in an assertion decides which keys are trusted or what is fetched. All claims are
// compared before keys are fetched. An assertion that does not match the rule therefore causes no fetch.
//
// [KeySets] fetches key sets and keeps them. The client of [NewClient] reaches public addresses only, by HTTPS.
package oauth
