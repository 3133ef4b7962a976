package console

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"serverless-scim/internal/console/capture"
)

// sendAs sends a request of a client, to which the server responds with a status.
func sendAs(h http.Handler, client string, status int) {
	r := httptest.NewRequest("GET", fmt.Sprintf("/scim/v2/%d", status), nil)
	r.Header.Set("User-Agent", client)
	h.ServeHTTP(httptest.NewRecorder(), r)
}

// respond responds with the status that the path names.
func respond(w http.ResponseWriter, r *http.Request) {
	status := 0
	fmt.Sscanf(r.URL.Path, "/scim/v2/%d", &status)
	w.WriteHeader(status)
}

// The list counts the requests of each client, the largest number first, and keeps the counts up to date.
func TestRequestsAreCounted(t *testing.T) {
	t.Parallel()
	c, h := newConsole(respond)
	for _, status := range []int{201, 409, 200, 503} {
		sendAs(h, "Okta SCIM Client", status)
	}
	sendAs(h, "curl/8", 200)
	const okta, curl = `<li>Okta <strong>4</strong> <span class="s2">2xx 2</span> <span class="s4">4xx 1</span> <span class="s5">5xx 1</span></li>`,
		`<li>curl <strong>%d</strong> <span class="s2">2xx %[1]d</span></li>`
	if body := get(t, h, Root); !strings.Contains(body, okta+fmt.Sprintf(curl, 1)) {
		t.Error(body)
	}
	l := httptest.NewServer(h)
	defer l.Close()
	c.Hosts = []string{strings.TrimPrefix(l.URL, "http://")}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", l.URL+Root+"traffic/live", nil)
	r.AddCookie(&http.Cookie{Name: cookie, Value: key})
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Scan() // the listener is registered
	sendAs(h, "curl/8", 200)
	for lines.Scan() && lines.Text() != "event: counts" {
	}
	if lines.Scan(); lines.Text() != "data: "+okta+fmt.Sprintf(curl, 2) {
		t.Errorf("the counts are %q", lines.Text())
	}
}

// The counts of many clients are bounded, and contain every request.
func TestCountsAreBounded(t *testing.T) {
	t.Parallel()
	_, h := newConsole(respond)
	for i := range maxCountedClients + 3 {
		sendAs(h, fmt.Sprintf("client%d", i), 200)
		sendAs(h, fmt.Sprintf("client%d", i), 200)
	}
	if body := get(t, h, Root); strings.Count(body, "<strong>2</strong>") != maxCountedClients || !strings.Contains(body, "<li>6 of other clients</li>") {
		t.Error(body)
	}
}

// Times are in the zone of the machine, which the page says. A time that is not of today has its date.
func TestTimesHaveDateAndZone(t *testing.T) {
	t.Parallel()
	var at atomic.Pointer[time.Time]
	set := func(s string) {
		now, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		at.Store(&now)
	}
	now := func() time.Time { return *at.Load() }
	c := New(Config{Now: now, Key: key, Hosts: []string{"127.0.0.1:8080"}, Traffic: capture.New(now, "/scim/v2")})
	set("2026-03-01T23:59:59+05:30")
	sendAs(c.Traffic.Handler(http.HandlerFunc(respond)), "curl/8", 200)
	const span = `<time datetime="2026-03-01T23:59:59.000&#43;05:30" title="2026-03-01 23:59:59.000 UTC&#43;05:30"><span%s>2026-03-01 </span>23:59:59.000</time>`
	if body := get(t, c.Pages(), Root); !strings.Contains(body, fmt.Sprintf(span, " hidden")) || !strings.Contains(body, "Times: UTC&#43;05:30<") {
		t.Error(body)
	}
	set("2026-03-02T00:00:00+05:30")
	if body := get(t, c.Pages(), Root); !strings.Contains(body, fmt.Sprintf(span, "")) {
		t.Error(body)
	}
	if got := newMoment(time.Date(2026, 3, 1, 20, 0, 0, 0, time.UTC), now()); got.Full != "2026-03-02 01:30:00.000 UTC+05:30" || !got.IsToday {
		t.Errorf("a time of another zone is %+v", got)
	}
}
