package capture

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The console adds this to the cost of each request.
func BenchmarkCapture(b *testing.B) {
	c := New(time.Now, "/scim/v2")
	log := slog.New(LogHandler(slog.NewTextHandler(io.Discard, nil)))
	body := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"u06h2hgpok3o36g416qbb4t05fg","active":true,"emails":[{"primary":true,"type":"work","value":"ada@example.com"}],"name":{"familyName":"Lovelace","givenName":"Ada"},"userName":"Ada@example.com","meta":{"resourceType":"User","created":"2026-11-29T19:23:32.384Z"}}`
	h := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/scim+json")
		w.Header().Set("Etag", `W/"1"`)
		io.WriteString(w, body)
		log.InfoContext(r.Context(), "request", "requestId", "x", "tenant", "default", "method", "GET", "status", 200, "milliseconds", 0.1,
			slog.Group("table", "calls", 1, "waits", 1, "readUnits", 1.5, "writeUnits", 0))
	}))
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("GET", "/scim/v2/Users/u06h2hgpok3o36g416qbb4t05fg", strings.NewReader(""))
		r.Header.Set("Authorization", "Bearer scim_default_0123456789")
		r.Header.Set("User-Agent", "Okta SCIM Client 1.0.0")
		r.Header.Set("Accept", "application/scim+json")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
