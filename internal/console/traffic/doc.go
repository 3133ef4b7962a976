// Package traffic says what an exchange of SCIM messages means: which identity provider sent the request, what the exchange
// does in a sentence, and how a document differs from another. Begin with [Exchange] and [Describe]. The package serves no
// requests and stores no exchanges.
//
// # Files
//
//	exchange.go   the data of an exchange
//	client.go     which identity provider sent a request
//	describe.go   an exchange in a sentence; words.go has its parts, and words_read.go, words_write.go and words_patch.go
//	              have the verbs
//	document.go   reads JSON, also if it is cut off; text.go shortens text of clients, and removes what a line cannot show
//	difference.go the difference of two JSON documents
package traffic
