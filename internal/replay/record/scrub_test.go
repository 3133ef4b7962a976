package record_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/replay"
	"serverless-scim/internal/replay/record"
)

// personalNames are attributes whose values identify a person or a group, and secretNames those whose values are secret.
var (
	personalNames = []string{"username", "displayname", "givenname", "familyname", "formatted", "nickname", "externalid",
		"display", "title", "employeenumber", "costcenter", "department", "streetaddress", "locality", "postalcode"}
	secretNames = []string{"password"}
)

// values are the personal values and the secrets in requests, by whether they are secret.
type values map[bool]map[string]bool

func (c values) collect(name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		path, _ := v["path"].(string)
		for name, v := range v {
			if name == "value" && path != "" {
				name = path
			}
			c.collect(name, v)
		}
	case []any:
		for _, v := range v {
			c.collect(name, v)
		}
	case string:
		name = strings.ToLower(name[max(strings.LastIndexAny(name, ".:")+1, 0):])
		isSecret := slices.Contains(secretNames, name)
		if len(v) >= 5 && (isSecret || slices.Contains(personalNames, name) || strings.Contains(v, "@")) {
			c[isSecret][v] = true
		}
	}
}

// forms returns the encodings in which a value could appear.
func forms(v string) []string {
	quoted, _ := json.Marshal(v)
	return []string{v, strings.ToLower(v), strings.ToUpper(v), url.QueryEscape(v), url.PathEscape(v),
		string(quoted[1 : len(quoted)-1]), base64.StdEncoding.EncodeToString([]byte(v)), fmt.Sprintf("%x", v)}
}

// checkAbsent reports each value that the saved bytes contain in any form.
func (c values) checkAbsent(t *testing.T, saved string, secretsOnly bool) {
	t.Helper()
	for v := range c[true] {
		for _, form := range forms(v) {
			if strings.Contains(saved, form) {
				t.Errorf("the recording contains the secret %q", form)
			}
		}
	}
	for v := range c[false] {
		for _, form := range forms(v) {
			if at := strings.Index(saved, form); at >= 0 && !secretsOnly {
				t.Errorf("the recording contains %q: …%s", form, saved[max(0, at-100):at+len(form)])
			}
		}
	}
}

// No saved byte contains a personal value, a password, or the token. Without scrubbing, this holds for the secrets.
func TestRecordingsHoldNoPersonalValuesAndSecrets(t *testing.T) {
	t.Parallel()
	conversations, err := replay.LoadConversations("../../../events")
	if err != nil {
		t.Fatal(err)
	}
	r := record.NewRecorder(basePath)
	p := newProvider(t, r)
	p.play(t, "", conversations...)
	c := values{false: {}, true: {p.token: true, p.token[13:50]: true}}
	for _, conversation := range conversations {
		for _, step := range conversation.Steps {
			var v any
			if json.Unmarshal([]byte(step.Event.Body), &v) == nil {
				c.collect("", v)
			}
		}
	}
	for _, word := range []string{"Group", "group", "Users", "Return", "example", "Example"} { // also words of the protocol
		delete(c[false], word)
	}
	for _, o := range []record.Options{{}, {KeepPersonal: true}} {
		report, saved := saveAndPlay(t, r, o)
		c.checkAbsent(t, saved, o.KeepPersonal)
		if len(report.LeftOut) > 0 {
			t.Errorf("left out: %+v", report.LeftOut)
		}
	}
	if len(c[false]) < 50 || len(c[true]) < 5 {
		t.Errorf("%d personal values and %d secrets are too few for a meaningful test", len(c[false]), len(c[true]))
	}
	report, replaced, err := r.Preview(record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(report)
	c.checkAbsent(t, string(text), false)
	if !slices.ContainsFunc(replaced, func(r record.Replacement) bool { return c[false][r.Original] }) {
		t.Error("the preview shows no original")
	}
}

// record sends requests to a new server, and returns the recorder. A request is "METHOD /path body". The names in
// braces are replaced by the IDs of the resources that requests with "NAME=" before the method created.
func recordRequests(t *testing.T, requests ...string) *record.Recorder {
	t.Helper()
	r := record.NewRecorder(basePath)
	sendAll(t, newProvider(t, r), map[string]string{}, requests...)
	return r
}

func sendAll(t *testing.T, p *provider, ids map[string]string, requests ...string) {
	t.Helper()
	for _, request := range requests {
		var name string
		if before, after, ok := strings.Cut(request, "="); ok && !strings.Contains(before, " ") {
			name, request = before, after
		}
		for name, id := range ids {
			request = strings.ReplaceAll(request, "{"+name+"}", id)
		}
		line, body, _ := strings.Cut(request, "\n")
		_, response := p.send(t, line, body)
		if name != "" {
			var resource struct{ ID string }
			if json.Unmarshal([]byte(response), &resource); resource.ID == "" {
				t.Fatalf("%s\n%s", request, response)
			}
			ids[name] = resource.ID
		}
	}
}

func patch(operations string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + operations + `]}`
}

// Hostile values are replaced too, and the recording still plays.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	r := recordRequests(t,
		"a=POST /Users\n"+`{"userName":"user","displayName":"He said \"Quux\" <script>alert(1)</script>","name":{"formatted":"Zoë Übermüller 王小明","givenName":"Zoë"},"title":"work"}`,
		"b=POST /Users\n"+`{"userName":"work","displayName":"Annabel Frobnicator","name":{"givenName":"Ann","familyName":"Annabel"},"emails":[{"type":"work","value":"work@corp-frob.test"}],"userType":"Annabel"}`,
		"c=POST /Users\n"+`{"userName":"409","displayName":"replace","externalId":"value","emails":[{"type":"home","value":"Replace@corp-frob.test"}],"password":"replace"}`,
		"g=POST /Groups\n"+`{"displayName":"boss@corp-frob.test","members":[{"value":"{a}"},{"value":"{b}"}]}`,
		"POST /Users\n"+`{"userName":"409"}`,
		`GET /Users?filter=userName eq "WORK"`,
		`GET /Users?filter=emails[type eq "work" and value eq "work@corp-frob.test"]`,
		`GET /Users?filter=displayName eq "He said \"Quux\" <script>alert(1)</script>"`,
		`GET /Users?filter=name.formatted co "Übermüller"`,
		`GET /Users?filter=emails[type eq "work" and value eq "Quuxz"]`,
		`GET /Groups?filter=displayName eq "boss@corp-frob.test"`,
		"PATCH /Users/{b}\n"+patch(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"annabel@corp-frob.test"},{"op":"replace","path":"active","value":"False"}`),
		"PATCH /Users/{b}\n"+patch(`{"value":{"emails[type eq \"work\"].value":"ann.frobnicator@eu.corp-frob.test","name.familyName":"Quuxington"},"op":"replace"}`),
		"PATCH /Groups/{g}\n"+patch(`{"op":"remove","path":"members[value eq \"{a}\" or display eq \"Annabel\"]"}`),
		"GET /Users/annabel@corp-frob.test",
		"GET /Users/{b}",
		"GET /Quuxington",
		"POST /Users\n"+`{"userName":"quux@corp-frob.test"`,
		"POST /Users\n"+"{\"userName\":\"quux\xff@corp-frob.test\"}",
		"POST /Users\n"+`userName=quux@corp-frob.test&password=Sup3rS3cret`,
		"POST /Users\n"+`{"userName":"annabel@corp-frob.test","password":"Sup3rS3cret","displayName":"my password is Sup3rS3cret"}`,
		"POST /Users\n"+`{"userName":"x7","userType":"x7","phoneNumbers":[{"value":"+49 30 8675309"}],"nickName":"call +49 30 8675309 or 10.1.2.3, 00u1tmplUser1aBcD2e3"}`,
		"POST /Users\n"+`{"userName":86753092}`,
		"PATCH /Users/{c}\n"+patch(`{"op":"add","value":{"unknown":{"secret":"hunter2hunter2","note":"Quuxington of corp-frob.test, 8a6e0804-2bd0-4672-b79d-d97027f9071a"}}}`),
		`GET /Users?filter=userName eq Quuxington`, `GET /Users?filter=userName eq work`, `GET /Users?filter=active eq true`,
		`GET /Users?filter=userName eq "quux&access_token=Sup3rS3cret`,
		`GET /Users?access_token=Quux0pen&filter=userName eq "nobody@corp-frob.test"`,
		"PATCH /Users/{c}\n"+patch(`{"op":"add","path":"badgeNumber","value":"BX-48213"},{"op":"add","value":{"badgeNumber":48213}}`),
		"POST /Users\n"+`{"userName":"y1","urn:corp:2.0:User":{"badge":{"number":"BX-48213"}}}`,
		`GET /Users?filter=badgeNumber eq "BX-48213"`,
		"DELETE /Groups/{g}",
	)
	report, saved := saveAndPlay(t, r, record.Options{})
	for _, value := range []string{"Quux", "script", "alert", "bermüller", "Zoë", "王小明", "Annabel", "Frobnicator", "corp-frob",
		"Sup3rS3cret", "hunter2", "86753092", "8675309", "10.1.2.3", "1tmplUser1aBcD2e3", "8a6e0804", "nobody", `"x7"`, "48213"} {
		for _, form := range forms(value) {
			if at := strings.Index(saved, form); at >= 0 {
				t.Errorf("the recording contains %q: …%s", form, saved[max(0, at-200):at+len(form)])
			}
		}
	}
	for _, kept := range []string{`\"type\":\"work\"`, `emails[type eq \\\"work\\\"]`, `\"active\"`} {
		if !strings.Contains(saved, kept) {
			t.Errorf("the recording does not contain %s", kept)
		}
	}
	if report.Steps < 26 {
		t.Errorf("%+v", report)
	}
	saveAndPlay(t, r, record.Options{KeepPersonal: true})
}

// A value is replaced by the same value everywhere, and a part of it remains a part.
func TestReplacementsAreConsistent(t *testing.T) {
	t.Parallel()
	r := recordRequests(t, "a=POST /Users\n"+`{"userName":"ada.lovelace@corp.test","displayName":"Ada Lovelace","name":{"givenName":"Ada","familyName":"LOVELACE"},
		"emails":[{"value":"ADA.Lovelace@corp.test"}],"nickName":"ada"}`,
		`GET /Users?filter=userName eq "Ada.LOVELACE@CORP.test"`, `GET /Users?filter=userName sw "ada.love"`,
		`GET /Users?filter=userName co "lace@co"`, `GET /Users?filter=userName ew "@corp.test"`, `GET /Users?filter=name.familyName co "vela"`)
	_, replaced, err := r.Preview(record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range replaced {
		got[r.Original] = r.MadeUp
	}
	first, last := got["Ada"], got["LOVELACE"]
	lower := strings.ToLower(first + "." + last + "@example.com")
	title := first + " " + last[:1] + strings.ToLower(last[1:])
	if got["ada.lovelace@corp.test"] != lower || got["Ada Lovelace"] != title || got["ada"] != strings.ToLower(first) ||
		!strings.EqualFold(got["Ada.LOVELACE@CORP.test"], lower) || last != strings.ToUpper(last) ||
		!strings.HasPrefix(lower, got["ada.love"]) || !strings.Contains(lower, got["lace@co"]) || got["@corp.test"] != "@example.com" {
		t.Errorf("%q", got)
	}
	report, saved := saveAndPlay(t, r, record.Options{})
	if n := strings.Count(saved, `"totalResults": 1`); n != 5 || report.Steps != 6 {
		t.Errorf("%d filters find the user in %d steps", n, report.Steps)
	}
}
