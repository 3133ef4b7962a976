// Package console is the web console of functions/local. It shows what an identity provider sends, what the server makes of
// it, and what is in the table. It has the pages for a browser. Package capture keeps the exchanges that they show, and
// package traffic describes these in words. No Lambda function links it. Begin with [New] and [Console.Pages].
//
// The package writes nothing to disk unless a recording is saved. It does not authenticate identity providers, and it
// answers no SCIM request itself. Without traffic, the pages show the table alone, such as one of a stack in AWS.
//
// # Files
//
//	pages.go      the addresses of all pages
//	console.go    Config, New, and how a page is rendered; render.go has the functions of the templates
//	security.go   who may see the pages
//	traffic.go    the start page: the list of exchanges, live
//	exchange.go   one exchange; repeat.go sends its request again and compares the responses
//	directory.go  search and resources, which the SCIM server of the process returns to ask.go
//	items.go      the items of a partition; keys.go has the keys, as text; resource_items.go finds all items of a resource
//	changes.go    the change feed, live
//	faults.go     faults that a user injects
//	record.go     the recording, which package record makes
//	operate.go    tenants, tokens and checks
//	assets        style sheet, scripts, templates
//
// # Adding a page
//
//  1. In pages.go, add the address to Pages, or to addTrafficPages if the page needs the traffic. The method show in
//     console.go makes the handler of a page that only reads. Its arguments are the section of the navigation, the template,
//     and the method of step 2.
//  2. Write a method of Console with the signature func(*http.Request) (page, error), in a new file such as directory.go. It
//     reads resources by the method ask, and items from Config.Table, to which the console never writes.
//  3. Add the template to assets. parseTemplates finds it. In it, the dot is page.Content. For a new section, add a link to
//     layout.html.
//  4. A handler of POST that changes something must check Config.ReadOnly. The handler protect has checked who sends it.
//  5. Test the page with newSite, as directory_test.go does. The tests in pages_test.go follow all links, so they check the
//     new page too.
//  6. Open the page in TestConsoleInBrowser of functions/local/browser_test.go, and call capture. It checks that the page fits
//     the window, and with axe that it is accessible. With -update, it writes the screenshots.
package console
