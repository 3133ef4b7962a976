package replay

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"pgregory.net/rapid"
)

// removeSuffix reverses addSuffix for any names, and no recorded name is sent to the server.
func TestRemoveSuffixReversesAddSuffix(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[A-Za-zé0-9][A-Za-zé0-9 .()*|$^@+"\\-]{0,12}`)
		list := rapid.SliceOfNDistinct(name, 1, 4, strings.ToLower).Draw(t, "names")
		var c Conversation
		for _, n := range list {
			body, _ := json.Marshal(map[string]any{"displayName": n})
			c.Steps = append(c.Steps, Step{Event: events.APIGatewayProxyRequest{Path: "/Groups", Body: string(body)}})
		}
		n := collectNames(c, "k3f9x2")
		first, _ := json.Marshal(list[0])
		doc, _ := json.Marshal(map[string]any{"#a": list, "#b": `members[display eq ` + string(first) + `]`, "#c": "other"})
		add := func(text string) string { return string(mapJSON([]byte(text), n.addSuffix)) }
		out := add(string(doc))
		for _, recorded := range list {
			b, _ := json.Marshal(recorded)
			if strings.Contains(strings.ToLower(out), strings.ToLower(string(b))) {
				t.Fatalf("%q is sent without suffix: %s", recorded, out)
			}
		}
		if !json.Valid([]byte(out)) || n.removeSuffix(out) != string(doc) {
			t.Fatalf("%s became %s and then %s", doc, out, n.removeSuffix(out))
		}
		if upper := add(strings.ToUpper(string(first))); !strings.EqualFold(upper, add(string(first))) {
			t.Fatalf("the lookup in upper case is %s, want %s", upper, add(string(first)))
		}
	})
}

// Names get the suffix in bodies, paths, and filters. Other values do not.
func TestNamesGetTheSuffix(t *testing.T) {
	t.Parallel()
	const urn = "urn:ietf:params:scim:schemas:core:2.0:User:"
	for _, c := range []struct{ at, body, sent string }{
		{"/Users", `{"userName":"ann","externalId":"7"}`, `{"userName":"ann-r","externalId":"7-r"}`},
		{"/Users", `{"username":"ann@b.c"}`, `{"username":"ann+r@b.c"}`},
		{"/Users", `{"userName" : "J\u00fcrgen", "nick":"J\u00dcRGEN"}`, `{"userName" : "Jürgen-r", "nick":"JÜRGEN-r"}`},
		{"/Users", `{"` + urn + `userName":"ann"}`, `{"` + urn + `userName":"ann-r"}`},
		{"/Users", `{"op":"replace","path":"userName","value":"ann"}`, `{"op":"replace","path":"userName","value":"ann-r"}`},
		{"/Users", `{"Value":"ann","Path":"` + urn + `UserName"}`, `{"Value":"ann-r","Path":"` + urn + `UserName"}`},
		{"/Groups", `{"path":"displayName","value":"Staff"}`, `{"path":"displayName","value":"Staff-r"}`},
		{"/Users", `{"path":"displayName","value":"Ann"}`, `{"path":"displayName","value":"Ann"}`},
		{"/Users", `{"path":"title","value":"Dr"}`, `{"path":"title","value":"Dr"}`},
		{"/Users", `{"displayName":"Ann"}`, `{"displayName":"Ann"}`},
		{"/Groups", `{"displayName":"displayName","members":[]}`, `{"displayName":"displayName-r","members":[]}`},
		{"/Groups", `[{"displayName":"members"},{"path":"members"}]`, `[{"displayName":"members-r"},{"path":"members"}]`},
		{"/Groups", `[{"displayName":"add"},{"Op":"add"}]`, `[{"displayName":"add-r"},{"Op":"add"}]`},
		{"/Users/.search", `{"filter":"userName eq \"ann\" or title eq \"Dr\""}`,
			`{"filter":"userName eq \"ann-r\" or title eq \"Dr\""}`},
		{`/Users?userName Eq "ann"`, ``, `userName Eq "ann-r"`},
		{`/Users?username  sw "ann@b.c"`, ``, `username  sw "ann+r@b.c"`},
		{`/Users?externalId eq "J\u00fcrgen"`, ``, `externalId eq "Jürgen-r"`},
		{`/Users?userName sw "an" or userName eq "ann"`, ``, `userName sw "an" or userName eq "ann-r"`},
		{`/Users?userName co "n@b" or userName eq "ann@b.c"`, ``, `userName co "n+r@b" or userName eq "ann+r@b.c"`},
		{`/Users?userName eq "work" and emails[type eq "work"]`, ``, `userName eq "work-r" and emails[type eq "work"]`},
		{`/Users?title eq "Dr"`, ``, `title eq "Dr"`},
		{`/Users?userName eq ann and title eq ann`, `{"userName":"ann"}`, `{"userName":"ann-r"}userName eq ann-r and title eq ann`},
		{`/Users?(userName eq ann)`, `{"userName":"ann"}`, `{"userName":"ann-r"}(userName eq ann-r)`},
		{`/Users?userName eq bob`, `{"userName":"ann"}`, `{"userName":"ann-r"}userName eq bob`},
	} {
		at, query, _ := strings.Cut(c.at, "?")
		e := events.APIGatewayProxyRequest{Path: at, Body: c.body,
			MultiValueQueryStringParameters: map[string][]string{"filter": {query}}}
		n := collectNames(Conversation{Steps: []Step{{Event: e}}}, "r")
		if got := string(mapJSON([]byte(c.body), n.addSuffix)) + n.addSuffix("filter", query); got != c.sent {
			t.Errorf("%s %s\nis sent as %s\nwant       %s", c.at, c.body, got, c.sent)
		}
	}
}

// Some servers return names in upper case.
func TestSuffixInUpperCaseIsRemoved(t *testing.T) {
	t.Parallel()
	if got := collectNames(Conversation{}, "k3f9x2").removeSuffix(`"ANN+K3F9X2@B.C","STAFF-K3F9X2"`); got != `"ANN@B.C","STAFF"` {
		t.Errorf("got %s", got)
	}
}

func TestMapJSONReplacesOnlyStringValues(t *testing.T) {
	t.Parallel()
	upper := func(member, value string) string { return strings.ToUpper(value) + member }
	for text, want := range map[string]string{
		` { "a" : "b" , "c":[ "d", {"e":"\u0066"}, 1.0, null ] } `: ` { "a" : "Ba" , "c":[ "Dc", {"e":"Fe"}, 1.0, null ] } `,
		`"a" "b"`:           `"A" "B"`,
		`{"a":"b","a":"c"}`: `{"a":"Ba","a":"Ca"}`,
		`{"a":"b"`:          `{"a":"b"`,
		`<p>"a"</p>`:        `<p>"a"</p>`,
		``:                  ``,
	} {
		if got := string(mapJSON([]byte(text), upper)); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
}
