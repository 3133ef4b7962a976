package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A Lambda function that answers more than 6 MB is ended by AWS, and its client sees a gateway's error page.
func TestAnAnswerThatIsTooLargeIsToldSo(t *testing.T) {
	t.Parallel()
	for text, status := range map[string]int{strings.Repeat("x", 5<<20): 200, strings.Repeat("x", 6<<20): 400, strings.Repeat(`"`, 3<<20): 400} {
		w := httptest.NewRecorder()
		resp := &response{status: 200, body: map[string]string{"title": text}}
		if got := resp.write(w, httptest.NewRequest("GET", "/Users", nil)); got != status || w.Code != status {
			t.Errorf("a body of %d MB is answered with %d, want %d", len(text)>>20, w.Code, status)
		}
		if status == 400 && !strings.Contains(w.Body.String(), "excludedAttributes") {
			t.Errorf("the detail must say what to do: %s", w.Body)
		}
	}
	w := httptest.NewRecorder()
	resp := &response{status: 200, body: map[string]string{"title": strings.Repeat("x", 6<<20)}}
	if resp.write(w, httptest.NewRequest("PUT", "/Users", nil)); w.Code != 204 || w.Body.Len() > 0 {
		t.Errorf("what is done is not told as an error: %d", w.Code)
	}
}

// RFC 9110 §8.6: HEAD has the length of GET's answer or none. Compression makes GET's another; it does not see HEAD's body.
func TestHeadTellsNoLength(t *testing.T) {
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
		a, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if a.ContentLength != want || a.Header.Get("Content-Type") != mediaType {
			t.Errorf("%s: want a Content-Length of %d, got %d and %v", method, want, a.ContentLength, a.Header)
		}
	}
}
