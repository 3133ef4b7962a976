// Package capture is middleware around the handler of the SCIM server that keeps the last exchanges in memory: the requests,
// the responses, and what the server did for them. It also injects faults and records conversations, if the user of the
// console asks for it.
//
// Requests must not become slower because they are kept. So a request only collects what there is: copies of the bodies, and
// references to headers, log lines, and items. When a page asks for an exchange, it is made of these, and tokens and
// passwords are masked. Nothing else is handed out. The package shows nothing: that is the task of package console.
package capture
