package record_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"serverless-scim/internal/replay"
	"serverless-scim/internal/replay/record"
)

// recordLate records requests to a server that has resources already.
func recordLate(t *testing.T, before, requests []string) *record.Recorder {
	t.Helper()
	p, ids := newProvider(t, nil), map[string]string{}
	sendAll(t, p, ids, before...)
	p.recorder = record.NewRecorder(basePath)
	sendAll(t, p, ids, requests...)
	return p.recorder
}

// A recording of requests to resources that existed before begins with requests that create these resources.
func TestExistingResourcesAreCreatedFirst(t *testing.T) {
	t.Parallel()
	before := []string{
		"boss=POST /Users\n" + `{"userName":"boss@corp.test","displayName":"The Boss"}`,
		"a=POST /Users\n" + `{"userName":"ada@corp.test","displayName":"Ada","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"{boss}"}}}`,
		"b=POST /Users\n" + `{"userName":"ben@corp.test"}`,
		"c=POST /Users\n" + `{"userName":"cleo@corp.test"}`,
		"inner=POST /Groups\n" + `{"displayName":"Inner","members":[{"value":"{c}"}]}`,
		"g=POST /Groups\n" + `{"displayName":"Staff","members":[{"value":"{a}"},{"value":"{inner}"}]}`,
		"h=POST /Groups\n" + `{"displayName":"Admins","members":[{"value":"{b}"}]}`,
	}
	for name, c := range map[string]struct {
		requests []string
		setup    int
	}{
		"a group with members":     {[]string{"GET /Groups/{g}", "PATCH /Groups/{g}\n" + patch(`{"op":"remove","path":"members[value eq \"{a}\"]"}`), "GET /Groups/{g}", "GET /Users/{a}"}, 5},
		"a user with a manager":    {[]string{`GET /Users?filter=userName eq "ADA@corp.test"`, "DELETE /Users/{a}"}, 3},
		"only a delete":            {[]string{"DELETE /Users/{b}", "GET /Users/{b}"}, 1},
		"a member is added":        {[]string{"GET /Users/{b}", "GET /Groups/{g}?excludedAttributes=members", "PATCH /Groups/{g}?attributes=id\n" + patch(`{"op":"add","path":"members","value":[{"value":"{b}"}]}`), "GET /Users/{b}", "GET /Groups/{g}"}, 6},
		"a name is in use":         {[]string{"POST /Users\n" + `{"userName":"ben@corp.test"}`, "POST /Groups\n" + `{"displayName":"staff"}`}, 2},
		"found after a conflict":   {[]string{"POST /Users\n" + `{"userName":"cleo@corp.test"}`, `GET /Users?filter=userName eq "cleo@corp.test"`}, 2},
		"a member is looked up":    {[]string{`GET /Groups?filter=members eq "{b}"&attributes=displayName`, "GET /Users/{b}"}, 2},
		"a list of everything":     {[]string{"GET /Users?count=100", "GET /Groups"}, 7},
		"a replaced user":          {[]string{"PUT /Users/{b}\n" + `{"userName":"bella@corp.test"}`, "GET /Users/{b}"}, 2},
		"a changed user":           {[]string{"GET /Users/{b}", "PATCH /Users/{b}\n" + patch(`{"op":"add","path":"title","value":"Dr"}`), "GET /Users/{b}"}, 2},
		"pages by cursor":          {[]string{"GET /Users?cursor=&count=3", "POST /Users/.search\n" + `{"filter":"userName co \"corp.test\"","count":10}`}, 6},
		"a part of the attributes": {[]string{`GET /Users?filter=userName eq "ada@corp.test"&attributes=userName`, "GET /Users/{a}"}, 3},
		"a failed change":          {[]string{"PATCH /Users/{b}\n" + patch(`{"op":"replace","path":"userName","value":"ada@corp.test"}`), "GET /Users/{b}"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := recordLate(t, before, c.requests)
			report, saved := saveAndPlay(t, r, record.Options{})
			if report.Setup < c.setup-1 || report.Steps != report.Setup+len(c.requests) || len(report.LeftOut) > 0 {
				t.Errorf("%+v, want %d requests and about %d before", report, len(c.requests), c.setup)
			}
			if strings.Contains(saved, "corp.test") {
				t.Error("the recording contains the domain")
			}
		})
	}
}

// What a fresh server cannot answer as recorded is left out, and the report says so.
func TestWhatCannotBePlayedIsLeftOut(t *testing.T) {
	t.Parallel()
	r := recordLate(t, []string{"POST /Users\n" + `{"userName":"ann@corp.test"}`, "POST /Users\n" + `{"userName":"ben@corp.test"}`}, []string{
		"GET /Changes",
		`GET /Users?filter=meta.lastModified gt "2020-01-01T00:00:00Z"`,
		"GET /Users?filter=userName pr&count=1",
		"POST /Bulk\n" + `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"DELETE","path":"/Users/u"}]}`,
		"GET /Users?count=%zz",
		`GET /Users?filter=userName gt "a"`,
		"GET /ServiceProviderConfig",
	})
	add := func(path string, status int, header http.Header, body string) {
		r.Add(record.Exchange{Request: &http.Request{Method: "GET", URL: &url.URL{Path: path}, Header: header}, Time: time.Now(),
			Response: replay.Response{Status: status, Body: []byte(body)}})
	}
	add("/scim/v2/Users", 429, nil, `{}`)
	add("/scim/v2/Users", 500, nil, `{}`)
	add("/scim/v2/Users", 200, nil, `<html>`)
	add("/favicon.ico", 404, nil, ``)
	add("/scim/v2/Users", 400, http.Header{"Content-Encoding": {"br"}}, `{}`)
	report, _ := saveAndPlay(t, r, record.Options{})
	count := 0
	for _, l := range report.LeftOut {
		count += l.Count
	}
	if count != 11 || report.Steps != report.Setup+1 {
		t.Errorf("%d are left out: %+v", count, report)
	}
}

func TestEmptyRecording(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "empty")
	for _, r := range []*record.Recorder{record.NewRecorder(basePath), recordRequests(t, "GET /Changes")} {
		if _, err := r.Save(dir, record.Options{}); !errors.Is(err, record.ErrEmpty) {
			t.Errorf("error %v", err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Error("a folder was created")
		}
	}
}

func TestFolderIsNotOverwritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := recordRequests(t, "GET /Users").Save(dir, record.Options{}); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("error %v", err)
	}
}

// A thousand exchanges remain in order, although file names are sorted as text.
func TestThousandExchanges(t *testing.T) {
	t.Parallel()
	var requests []string
	for i := range 250 {
		requests = append(requests, fmt.Sprintf("u%d=POST /Users\n"+`{"userName":"person%d@corp.test","externalId":"%d","displayName":"Person No %d"}`, i, i, i, i),
			fmt.Sprintf(`GET /Users?filter=userName eq "person%d@corp.test"`, i),
			fmt.Sprintf("PATCH /Users/{u%d}\n", i)+patch(`{"op":"replace","path":"active","value":false}`), fmt.Sprintf("DELETE /Users/{u%d}", i))
	}
	p, r := newProvider(t, nil), record.NewRecorder(basePath)
	p.recorder = r
	for i := range 250 { // the IDs of four requests at a time, because replacing all of them is slow
		sendAll(t, p, map[string]string{}, requests[4*i:4*i+4]...)
	}
	report, saved := saveAndPlay(t, r, record.Options{})
	if report.Steps != 1000 || !strings.Contains(saved, "0001-create-user.json") || !strings.Contains(saved, "1000-delete-user.json") {
		t.Errorf("%+v", report)
	}
}

// Concurrent requests are recorded in an order in which they can be played. Save may run at the same time.
func TestConcurrentExchanges(t *testing.T) {
	t.Parallel()
	r := record.NewRecorder(basePath)
	p := newProvider(t, r)
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			for j := range 5 {
				ids := map[string]string{}
				sendAll(t, p, ids, fmt.Sprintf("u=POST /Users\n"+`{"userName":"u%d-%d@corp.test"}`, i, j), "GET /Users/{u}", "DELETE /Users/{u}")
				p.send(t, "POST /Users", fmt.Sprintf(`{"userName":"same-%d@corp.test"}`, j))
			}
			r.Preview(record.Options{})
		})
	}
	clients.Wait()
	if report, _ := saveAndPlay(t, r, record.Options{}); report.Steps != 8*5*4 || r.Len() != report.Steps {
		t.Errorf("%+v", report)
	}
}

// Conditional requests and cursors refer to what the server returned, which differs on each server.
func TestVersionsAndCursorsAreThoseOfTheServer(t *testing.T) {
	t.Parallel()
	p, ids := newProvider(t, nil), map[string]string{}
	sendAll(t, p, ids, "a=POST /Users\n"+`{"userName":"ada@corp.test"}`, "PATCH /Users/{a}\n"+patch(`{"op":"replace","path":"active","value":false}`),
		"b=POST /Users\n"+`{"userName":"ben@corp.test"}`, "c=POST /Users\n"+`{"userName":"cleo@corp.test"}`,
		"g=POST /Groups\n"+`{"displayName":"Staff","members":[{"value":"{a}"}]}`)
	r := record.NewRecorder(basePath)
	p.recorder = r
	_, body := p.send(t, "GET /Users/"+ids["a"], "")
	_, tag, _ := strings.Cut(body, `"version":"W/\"`)
	tag, _, _ = strings.Cut(tag, `\"`)
	for _, header := range []string{"If-None-Match", "If-Match"} {
		req, _ := http.NewRequestWithContext(t.Context(), map[bool]string{true: "DELETE", false: "GET"}[header == "If-Match"], p.URL+basePath+"/Users/"+ids["a"], nil)
		req.Header.Set(header, `W/"`+tag+`"`)
		req.Header.Set("Authorization", "Bearer "+p.token)
		res, err := p.Client().Do(req)
		if err != nil || res.StatusCode != 304 && res.StatusCode != 204 {
			t.Fatal(res, err)
		}
		res.Body.Close()
	}
	next := ""
	for range 3 {
		_, body = p.send(t, "GET /Users?count=1&cursor="+url.QueryEscape(next), "")
		_, next, _ = strings.Cut(body, `"nextCursor":"`)
		next, _, _ = strings.Cut(next, `"`)
	}
	for _, o := range []record.Options{{}, {KeepPersonal: true}} {
		report, _ := saveAndPlay(t, r, o)
		if len(report.LeftOut) > 0 || report.Steps != report.Setup+6 {
			t.Errorf("%+v", report)
		}
	}
}

// A 401 stays one, and a request without a token stays without one.
func TestRejectedTokens(t *testing.T) {
	t.Parallel()
	r := record.NewRecorder(basePath)
	p := newProvider(t, r)
	valid := p.token
	p.token = "some-other-token-of-corp"
	p.send(t, "GET /Users", "")
	p.token = valid
	p.send(t, "GET /Users", "")
	report, saved := saveAndPlay(t, r, record.Options{})
	if report.Steps != 2 || strings.Contains(saved, "some-other") || !strings.Contains(saved, "Bearer wrong") {
		t.Errorf("%+v", report)
	}
	if slices.ContainsFunc(report.Replaced, func(k record.ReplacedKind) bool { return strings.Contains(k.Example, "token-of") }) {
		t.Error("the report contains a token")
	}
}

// newExchange returns an exchange that was not sent to a server.
func newExchange(at time.Duration, method, path string, header http.Header, body string, status int, response string) record.Exchange {
	return record.Exchange{Request: &http.Request{Method: method, URL: &url.URL{Path: basePath + path}, Header: header},
		RequestBody: []byte(body), Time: time.Unix(0, 0).Add(at), Duration: 1,
		Response: replay.Response{Status: status, Body: []byte(response)}}
}

// saveOnly records exchanges and returns the saved bytes.
func saveOnly(t *testing.T, o record.Options, exchanges ...record.Exchange) string {
	t.Helper()
	r := record.NewRecorder(basePath)
	for _, x := range exchanges {
		r.Add(x)
	}
	dir := filepath.Join(t.TempDir(), "r")
	if _, err := r.Save(dir, o); err != nil {
		t.Fatal(err)
	}
	return savedText(t, dir)
}

// The order is that of the responses, whatever the order of the calls of Add. The response to HEAD has no body.
func TestOrderIsThatOfTheResponses(t *testing.T) {
	t.Parallel()
	saved := saveOnly(t, record.Options{},
		newExchange(4, "HEAD", "/Users/7", nil, "", 200, `{"id":"7","userName":"ann"}`),
		newExchange(3, "GET", "/Users/7", nil, "", 200, `{"id":"7","userName":"ann"}`),
		newExchange(1, "POST", "/Users", nil, `{"userName":"ann"}`, 201, `{"id":"7","userName":"ann"}`))
	if strings.Count(saved, `"body": {`) != 2 {
		t.Error("HEAD has a body")
	}
	if !strings.Contains(saved, "01-create-user.json") || !strings.Contains(saved, "02-read-user.json") || strings.Contains(saved, "setup") {
		t.Error("the create is not first")
	}
}

// Tokens, cookies, and addresses of the sender are absent from headers, bodies, and messages, also without scrubbing.
func TestSecretsOutsideOfTheirPlaces(t *testing.T) {
	t.Parallel()
	header := http.Header{"Authorization": {"Bearer t0ken-of-corp"}, "Cookie": {"session=c00kie"}, "X-Forwarded-For": {"10.9.8.7"},
		"X-Api-Key": {"k3y"}, "User-Agent": {"Agent/1.0.0.0 t0ken-of-corp"}, "X-Forwarded-Host": {"laptop.corp.test"}}
	for _, o := range []record.Options{{}, {KeepPersonal: true}} {
		saved := saveOnly(t, o,
			newExchange(1, "POST", "/Users", header, `{"userName":"t0ken-of-corp","password":"p4ssphrase","nickName":"is p4ssphrase"}`, 201, `{"id":"7"}`),
			newExchange(2, "POST", "/Users", header, `{"password":"br0ken"`, 400, `{"detail":"unexpected end after br0ken","status":"400"}`),
			newExchange(3, "GET", "/ServiceProviderConfig", header, "", 200, `{"meta":{"location":"https://laptop.corp.test/scim/v2/ServiceProviderConfig"}}`),
			newExchange(4, "GET", "/Schemas", header, "", 200, `{"Resources":[{"id":"urn:a:b","description":"Family name","meta":{"location":"https://laptop.corp.test/Schemas/urn:a:b"}}]}`))
		for _, secret := range []string{"t0ken", "c00kie", "10.9.8.7", "k3y", "p4ssphrase", "br0ken", "laptop"} {
			if strings.Contains(saved, secret) {
				t.Errorf("%+v: the recording contains %q", o, secret)
			}
		}
		for _, kept := range []string{"Agent/1.0.0.0 scrubbed", "Family name", "prod/Schemas/urn:a:b"} {
			if !strings.Contains(saved, kept) {
				t.Errorf("%+v: the recording does not contain %q", o, kept)
			}
		}
	}
}
