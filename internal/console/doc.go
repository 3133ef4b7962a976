// Package console is the web console of functions/local. It shows what an identity provider sends, what the server makes
// of it, and what is in the table. It is middleware around the handler of the SCIM server, and pages for a browser. No
// Lambda function links it.
//
// The package keeps the last exchanges in memory, and writes nothing to disk unless a recording is saved. Tokens and
// passwords are masked before anything is kept. It does not authenticate identity providers, and it answers no SCIM request
// itself, except for the faults that a user injects.
//
// # Files
//
//	console.go    Config, New, the addresses of all pages
//	security.go   who may see the pages
//	capture.go    the middleware that keeps exchanges; mask.go masks secrets in them
//	traffic.go    the start page: the list of exchanges, live, and one exchange; package traffic finds the words
//	repeat.go     sends a request again, changed if the user likes, and compares the responses
//	faults.go     faults that a user injects
//	recording.go  recordings of traffic, which package record makes
//	operate.go    tenants, tokens and checks
//	directory.go  search and resources, which the SCIM server of the process returns
//	items.go      the items of a partition; keys.go has the keys, as text
//	changes.go    the change feed, live
//	assets        style sheet, scripts, templates
package console
