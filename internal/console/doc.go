// Package console is the web console of functions/local. It shows what an identity provider sends, what the server makes
// of it, and what is in the table. It has the pages for a browser; package capture keeps what they show of the traffic. No
// Lambda function links it.
//
// The package writes nothing to disk unless a recording is saved. It does not authenticate identity providers, and it
// answers no SCIM request itself. Without traffic, the pages show the table alone, such as one of a stack in AWS.
//
// # Files
//
//	pages.go      the addresses of all pages
//	console.go    Config, New, and how a page is rendered; render.go has the functions of the templates
//	security.go   who may see the pages
//	traffic.go    the start page: the list of exchanges, live; package traffic finds the words
//	exchange.go   one exchange; repeat.go sends its request again and compares the responses
//	directory.go  search and resources, which the SCIM server of the process returns to ask.go
//	items.go      the items of a partition; keys.go has the keys, as text; resource_items.go finds all items of a resource
//	changes.go    the change feed, live
//	faults.go     faults that a user injects
//	record.go     the recording, which package record makes
//	operate.go    tenants, tokens and checks
//	assets        style sheet, scripts, templates
package console
