// Package capture is middleware around the handler of the SCIM server that keeps the last exchanges in memory: the requests,
// the responses, and what the server did for them. It also injects faults and records conversations, if the user of the
// console asks for it.
//
// Begin with [New] and [Traffic.Handler]. [LogHandler] and [Table] wrap the log and the table of the server. With them, an
// exchange has the log lines and the writes of its request.
//
// Capturing must not slow requests down. So a request only copies its bodies, and keeps references to headers, log lines,
// and items. When a page asks for an exchange, the package builds it from these, and masks tokens and passwords. Exchanges
// are returned in this form only. The package has no pages: package console has them.
package capture
