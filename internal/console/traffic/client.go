package traffic

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// unknownClient is the name of a client that sends no User-Agent and whose request has no special form. The others are the
// names of clients that the form of a request shows.
const unknownClient, entraClient, oneLoginClient, applicationClient = "unknown", "Entra ID", "OneLogin", "application"

// RecognizeClient returns the name of the identity provider or tool that sent a request. It reads the header, path, query
// and body. The User-Agent decides if it names a provider or a tool. If it names only a library, or nothing, the form of the
// request decides. Otherwise the name is the first product of the User-Agent (RFC 9110 §10.1.5).
func RecognizeClient(e *Exchange) string {
	agent := strings.ToLower(e.Header.Get("User-Agent"))
	if name := clientByAgent(agent); name != "" {
		return name
	}
	library := libraryByAgent(agent)
	product, _, _ := strings.Cut(clean(e.Header.Get("User-Agent")), " ")
	product, _, _ = strings.Cut(product, "/")
	if library == "" && product != "" {
		return shorten(product, 30)
	}
	if name := clientByForm(e); name != "" {
		return name
	}
	if library == "" {
		return unknownClient
	}
	return library
}

// An agentRule names the client of a User-Agent in lower case that contains text, or begins with it.
type agentRule struct{ text, name string }

// agentParts, agentPrefixes and libraryPrefixes are the rules for providers, tools, browsers and HTTP libraries. The first
// rule that matches decides.
var (
	agentParts = []agentRule{
		{"okta", "Okta"}, {"onelogin", "OneLogin"}, {"jumpcloud", "JumpCloud"},
		{"azure", "Entra ID"}, {"microsoft", "Entra ID"}, {"entra id", "Entra ID"},
		{"google", "Google"}, {"pingfederate", "Ping"}, {"pingone", "Ping"}, {"ping identity", "Ping"},
		{"authentik", "authentik"}, {"keycloak", "Keycloak"},
		{"postman", "Postman"}, {"scim console", "console"}, {"edg/", "Edge"}, {"firefox/", "Firefox"},
		{"chrome/", "Chrome"}, {"safari/", "Safari"}, // Chrome also names Safari, and Edge names both
	}
	agentPrefixes   = []agentRule{{"curl/", "curl"}, {"ping/", "Ping"}, {"mozilla/", "browser"}}
	libraryPrefixes = []agentRule{
		{"go-http-client", "Go client"}, {"go-resty", "Go client"},
		{"python", "Python client"}, {"aiohttp", "Python client"},
		{"node", "Node client"}, {"axios", "Node client"}, {"undici", "Node client"}, {"got ", "Node client"}, {"got/", "Node client"},
		{"java", "Java client"}, {"apache-httpclient", "Java client"}, {"okhttp", "Java client"},
		{"ruby", "Ruby client"}, {"faraday", "Ruby client"},
	}
)

// KnownClients returns the names that RecognizeClient returns besides products of a User-Agent, sorted.
func KnownClients() []string {
	names := []string{unknownClient, entraClient, oneLoginClient, applicationClient}
	for _, r := range slices.Concat(agentParts, agentPrefixes, libraryPrefixes) {
		names = append(names, r.name)
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return slices.Compact(names)
}

// clientByAgent returns the provider, tool or browser that a User-Agent in lower case names, or "".
func clientByAgent(agent string) string {
	for _, r := range agentParts {
		if strings.Contains(agent, r.text) {
			return r.name
		}
	}
	return clientByPrefix(agentPrefixes, agent)
}

func clientByPrefix(rules []agentRule, agent string) string {
	for _, r := range rules {
		if strings.HasPrefix(agent, r.text) {
			return r.name
		}
	}
	return ""
}

// libraryByAgent returns the language whose HTTP library sent a User-Agent in lower case, or "". Libraries send these values
// unless the program sets its own.
func libraryByAgent(agent string) string { return clientByPrefix(libraryPrefixes, agent) }

// entraOperation matches an operation as Entra ID writes it without the flag aadOptscim062020.
var entraOperation = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`"op"\s*:\s*"(Add|Replace|Remove)"`)
})

// clientByForm returns the client whose requests have the form of this one, or "".
func clientByForm(e *Exchange) string {
	switch endpoint, _ := splitPath(e.Path); {
	case strings.Contains(e.Query, "aadOptscim062020"),
		strings.Contains(e.Body.Text, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/"),
		entraOperation().MatchString(e.Body.Text):
		return entraClient
	case strings.Contains(e.Body.Text, `"urn:scim:schemas:`):
		return oneLoginClient
	case endpoint == "changes":
		return applicationClient
	}
	return ""
}

// splitPath returns the endpoint of a path in lower case, and the rest without slashes around it.
func splitPath(path string) (endpoint, rest string) {
	endpoint, rest, _ = strings.Cut(strings.Trim(path, "/"), "/")
	return strings.ToLower(endpoint), strings.Trim(rest, "/")
}
