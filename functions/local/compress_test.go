package main

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Large responses are compressed for clients that accept gzip, and keep their weak ETag. Others are not compressed.
func TestLargeResponsesAreCompressed(t *testing.T) {
	t.Parallel()
	for _, size := range []int{100, minCompressedBytes - 1, minCompressedBytes, 100 * minCompressedBytes} {
		for _, accept := range []string{"", "gzip", "identity", "gzip;q=0"} {
			body := strings.Repeat("x", size)
			h, err := withCompression(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/scim+json")
				w.Header().Set("ETag", `W/"1"`)
				io.WriteString(w, body)
			}))
			if err != nil {
				t.Fatal(err)
			}
			w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/Users", nil)
			r.Header.Set("Accept-Encoding", accept)
			h.ServeHTTP(w, r)
			compressed := w.Header().Get("Content-Encoding") == "gzip"
			if want := size >= minCompressedBytes && accept == "gzip"; compressed != want {
				t.Errorf("%d bytes for Accept-Encoding %q: compressed is %v", size, accept, compressed)
			}
			in := io.Reader(w.Body)
			if compressed {
				if in, err = gzip.NewReader(in); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := io.ReadAll(in); string(got) != body || err != nil || w.Header().Get("ETag") != `W/"1"` {
				t.Errorf("%d bytes for Accept-Encoding %q: %d bytes, %v, %v", size, accept, len(got), w.Header(), err)
			}
		}
	}
}
