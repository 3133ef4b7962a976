package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Lambda rejects a response of more than 6 MB, and the client would receive an error of API Gateway.
func TestTooLargeResponseIsReplaced(t *testing.T) {
	t.Parallel()
	for text, status := range map[string]int{strings.Repeat("x", 5<<20): 200, strings.Repeat("x", 6<<20): 400, strings.Repeat(`"`, 3<<20): 400} {
		w := httptest.NewRecorder()
		resp := &response{status: 200, body: map[string]string{"title": text}}
		if got := resp.write(w, httptest.NewRequest("GET", "/Users", nil)); got != status || w.Code != status {
			t.Errorf("a body of %d MB is sent with %d, want %d", len(text)>>20, w.Code, status)
		}
		if status == 400 && !strings.Contains(w.Body.String(), "excludedAttributes") {
			t.Errorf("the detail does not name a remedy: %s", w.Body)
		}
	}
	w := httptest.NewRecorder()
	resp := &response{status: 200, body: map[string]string{"title": strings.Repeat("x", 6<<20)}}
	if resp.write(w, httptest.NewRequest("PUT", "/Users", nil)); w.Code != 204 || w.Body.Len() > 0 {
		t.Errorf("a completed change returned an error: %d", w.Code)
	}
}

// RFC 9110 §8.6: HEAD has the Content-Length of GET or none. Compression changes the Content-Length of GET.
func TestHeadHasNoContentLength(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("x", 1000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(&response{status: 200, body: rawJSON(body)}).write(w, r)
	}))
	defer s.Close()
	for method, want := range map[string]int64{"GET": 1000, "HEAD": -1} {
		r, err := http.NewRequest(method, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.ContentLength != want || resp.Header.Get("Content-Type") != mediaType {
			t.Errorf("%s: want a Content-Length of %d, got %d and %v", method, want, resp.ContentLength, resp.Header)
		}
	}
}
