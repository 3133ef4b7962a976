package replay_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"serverless-scim/internal/replay"
)

func TestBase64BodiesAreDecodedAndEncoded(t *testing.T) {
	t.Parallel()
	c := newConversation(t, [2]string{`POST /Users x eyJ1c2VyTmFtZSI6ImFubiJ9`,
		`201 {"id":"r","userName":"ann","meta":{"location":"/Users/r","created":"2020-01-01T00:00:00Z"}}`})
	c.Steps[0].Event.IsBase64Encoded = true
	s := &fakeServer{resources: map[string]map[string]any{"/Users/old": {"id": "old", "userName": "ann"}}}
	for name, target := range newTargets(t, s) {
		if diffs, err := playConversation(t, target, c, "r"); diffs != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diffs)
		}
	}
}

func TestRedirectIsReturned(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusPermanentRedirect))
	defer server.Close()
	got, err := replay.HTTPTarget(server.Client(), server.URL)(t.Context(), restEvent("GET", "/Users"))
	if err != nil || got.Status != 308 {
		t.Errorf("%d, %v; want the 308 that the server sent", got.Status, err)
	}
}

func TestHTTPTargetOmitsTransportHeaders(t *testing.T) {
	t.Parallel()
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r }))
	defer server.Close()
	event := restEvent("GET", "/Users/a%2Fb")
	event.MultiValueQueryStringParameters = map[string][]string{"filter": {`userName eq "a+b"`}}
	event.MultiValueHeaders = map[string][]string{
		"Accept": {"application/scim+json"}, "Accept-Encoding": {"deflate"}, "Host": {"recorded.example"},
		"X-Forwarded-For": {"203.0.113.10"}, "X-Amzn-Trace-Id": {"Root=1"}, "Connection": {"close"},
	}
	if _, err := replay.HTTPTarget(server.Client(), server.URL+"/base")(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	if want := "/base/Users/a%2Fb?filter=userName%20eq%20%22a%2Bb%22"; got.RequestURI != want {
		t.Errorf("request %s, want %s", got.RequestURI, want)
	}
	sent := fmt.Sprint(got.Header["Accept"], got.Header["Accept-Encoding"], got.Header["X-Forwarded-For"], got.Header["X-Amzn-Trace-Id"], got.Close)
	if sent != "[application/scim+json] [gzip] [] [] false" {
		t.Errorf("headers %s", sent)
	}
}
