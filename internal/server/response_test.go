package server

import (
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
