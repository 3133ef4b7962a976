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
//	pages.go      the addresses of all pages
//	console.go    Config, New, and how a page is rendered; render.go has the functions of the templates
//	security.go   who may see the pages
//	capture.go    the middleware that keeps exchanges; observe.go adds log lines and items, mask.go masks secrets
//	exchanges.go  the last exchanges, in memory
//	traffic.go    the start page: the list of exchanges, live; package traffic finds the words
//	exchange.go   one exchange; repeat.go sends its request again and compares the responses
//	directory.go  search and resources, which the SCIM server of the process returns to ask.go
//	items.go      the items of a partition; keys.go has the keys, as text
//	changes.go    the change feed, live
//	faults.go     faults that a user injects; faults_page.go is their page
//	recording.go  the recording, which package record makes; record.go is its page
//	operate.go    tenants, tokens and checks
//	assets        style sheet, scripts, templates
package console
