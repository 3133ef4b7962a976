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
//	capture.go    the middleware that records exchanges; exchange.go and mask.go say what is kept
//	client.go     which identity provider sent a request
//	words.go      an exchange in a sentence; words_read.go, words_write.go and words_patch.go have the verbs
//	document.go   reads JSON, also if it is cut off; text.go makes text of clients fit for a sentence
//	difference.go the difference of two JSON documents
//	traffic.go    the start page: the list of exchanges, live, and one exchange
//	directory.go  search and resources, which the SCIM server of the process returns
//	items.go      the items of a partition; keys.go has the keys, as text
//	changes.go    the change feed, live
//	assets        style sheet, scripts, templates
package console
