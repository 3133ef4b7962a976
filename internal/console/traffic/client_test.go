package traffic

import (
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/replay"
)

func TestClientIsRecognizedByItsUserAgent(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"Okta SCIM Client 1.0.0":                   "Okta",
		"Microsoft Azure AD SCIM provisioning 1.0": "Entra ID",
		"Microsoft-Provisioning/1.0":               "Entra ID",
		"Google-Auto-Provisioning":                 "Google",
		"OneLogin SCIM/2.0":                        "OneLogin",
		"JumpCloud-SCIM":                           "JumpCloud",
		"PingFederate/11.3":                        "Ping",
		"PingOne Provisioning":                     "Ping",
		"goauthentik.io/2025.8.1":                  "authentik",
		"authentik@2026.5.3":                       "authentik",
		"curl/8.14.1":                              "curl",
		"PostmanRuntime/7.43.0":                    "Postman",
		"Go-http-client/1.1":                       "Go client",
		"Go-http-client/2.0":                       "Go client",
		"Python-urllib/3.13":                       "Python client",
		"python-requests/2.32.3":                   "Python client",
		"Python/3.12 aiohttp/3.11.11":              "Python client",
		"node":                                     "Node client",
		"axios/1.7.9":                              "Node client",
		"Apache-HttpClient/4.5.14 (Java/17.0.12)":  "Java client",
		"okhttp/4.12.0":                            "Java client",
		"Faraday v2.12.2":                          "Ruby client",
		"Mozilla/5.0 (X11; Linux x86_64; rv:134.0) Gecko/20100101 Firefox/134.0":                                                            "Firefox",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36":                   "Chrome",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.2903.70": "Edge",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15":             "Safari",
		"Mozilla/4.0 (compatible)": "browser",
		"acme-sync/2.1 (linux)":    "acme-sync",
		"shopping-cart/1.0":        "shopping-cart", // contains "ping"
		"\u202eevil\x00/1":         "evil",
		strings.Repeat("x", 100):   strings.Repeat("x", 29) + "…",
		"/":                        "unknown",
		"":                         "unknown",
	} {
		e := &Exchange{Method: "GET", Path: "/Users", Header: http.Header{"User-Agent": {agent}}}
		if got := RecognizeClient(e); got != want {
			t.Errorf("%q: got %q, want %q", agent, got, want)
		}
	}
}

func TestFormOfARequestDecidesOnlyIfNoProductIsNamed(t *testing.T) {
	t.Parallel()
	const entraPatch = `{"Operations":[{"op": "Add","path":"members","value":[]}]}`
	for _, c := range []struct{ rule, agent, path, query, body, want string }{
		{"op with a capital", "", "/Users/1", "", entraPatch, "Entra ID"},
		{"op in lower case", "", "/Users/1", "", `{"Operations":[{"op":"add"}]}`, "unknown"},
		{"a value that looks like an op", "", "/Users", "", `{"title":"\"op\":\"Add\""}`, "unknown"},
		{"a library", "Go-http-client/1.1", "/Users/1", "", entraPatch, "Entra ID"},
		{"a tool", "curl/8.14.1", "/Users/1", "", entraPatch, "curl"},
		{"a product", "acme-sync/1", "/Users/1", "", entraPatch, "acme-sync"},
		{"the flag", "", "/Users", "aadOptscim062020&filter=x", "", "Entra ID"},
		{"Entra's schema", "", "/Groups", "", `{"schemas":["http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"]}`, "Entra ID"},
		{"OneLogin's schema", "", "/Users", "", `{"schemas":["urn:scim:schemas:core:2.0"]}`, "OneLogin"},
		{"consumer in Python", "Python-urllib/3.13", "/Changes", "cursor=", "", "application"},
		{"consumer in TypeScript", "node", "/Changes", "", "", "application"},
		{"consumer in Go", "Go-http-client/1.1", "/changes/", "", "", "application"},
		{"consumer with a name", "acme-sync/1", "/Changes", "", "", "acme-sync"},
		{"curl reads the changes", "curl/8.14.1", "/Changes", "", "", "curl"},
	} {
		e := &Exchange{Path: c.path, Query: c.query, Body: Body{Text: c.body}, Header: http.Header{"User-Agent": {c.agent}}}
		if got := RecognizeClient(e); got != c.want {
			t.Errorf("%s: got %q, want %q", c.rule, got, c.want)
		}
		if got := RecognizeClient(e); got != "acme-sync" && !slices.Contains(KnownClients(), got) {
			t.Errorf("%s is not a known client: %v", got, KnownClients())
		}
	}
}

// Where the User-Agent of a client is known, each of its requests is recognized. The form of some requests of Entra ID and
// OneLogin is enough. The plug-in of Keycloak has the User-Agent of its library. No request is taken for one of another client.
func TestClientsOfRecordedConversations(t *testing.T) {
	t.Parallel()
	recognized := map[string]int{}
	for id, e := range recordedExchanges(t) {
		got := RecognizeClient(e)
		agent := e.Header.Get("User-Agent")
		switch {
		case got == e.Client, agent == "" && got == unknownClient, e.Client == "Keycloak" && got == "Java client":
			recognized[got]++
		default:
			t.Errorf("%s: got %q, want %q", id, got, e.Client)
		}
	}
	for client, least := range map[string]int{"Okta": 50, "Google": 11, "authentik": 26, "Entra ID": 20, "OneLogin": 8} {
		if recognized[client] < least {
			t.Errorf("%d requests of %s are recognized, want at least %d", recognized[client], client, least)
		}
	}
}

// recordedExchanges returns the exchanges of all conversations in events, with the expected responses, by the name of the step.
func recordedExchanges(t testing.TB) map[string]*Exchange {
	exchanges := map[string]*Exchange{}
	for folder, client := range map[string]string{
		"authentik": "authentik", "entra": "Entra ID", "google": "Google", "jumpcloud": "JumpCloud", "keycloak": "Keycloak",
		"okta": "Okta", "onelogin": "OneLogin", "ping": "Ping",
	} {
		conversations, err := replay.LoadConversations(filepath.Join("..", "..", "..", "events", folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range conversations {
			for _, s := range c.Steps {
				exchanges[folder+"/"+c.Name()+"/"+s.Name] = &Exchange{
					Client: client, Method: s.Event.HTTPMethod, Path: s.Event.Path, Header: http.Header(s.Event.MultiValueHeaders),
					Query: url.Values(s.Event.MultiValueQueryStringParameters).Encode(), Body: Body{Text: s.Event.Body},
					Status: s.Want.Status, Content: Body{Text: string(s.Want.Body)},
				}
			}
		}
	}
	return exchanges
}
