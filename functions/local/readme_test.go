package main

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
)

// Parts of a response that differ in each run.
var (
	ids   = regexp.MustCompile(`\b[ug][0-9a-v]{26}\b`)
	times = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)
)

// The responses in the README's transcript are those of this server. With -update the test writes them.
func TestREADME(t *testing.T) {
	t.Parallel()
	const file = "../../README.md"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(b), "```console\n")
	transcript, after, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("the README has no transcript")
	}
	h, secret := newProvider(t)
	idsOfServer := map[string]string{} // by the IDs in the README
	var played strings.Builder
	for entry := range strings.SplitSeq(strings.TrimPrefix(transcript, "$ "), "\n$ ") {
		command, want, _ := strings.Cut(strings.TrimSpace(entry), "\n")
		command = ids.ReplaceAllStringFunc(command, func(id string) string { return cmp.Or(idsOfServer[id], id) })
		r := parseCurl(command, secret)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		got := w.Body.String()
		shown, assigned := ids.FindAllString(want, -1), ids.FindAllString(got, -1)
		for i := range min(len(shown), len(assigned)) {
			idsOfServer[shown[i]] = assigned[i]
		}
		if stable(got) != stable(want) && !*update {
			t.Errorf("%s\nreturns %s\n  want  %s", command, got, want)
		}
		if played.WriteString("$ " + command + "\n"); got != "" {
			played.WriteString(got + "\n")
		}
	}
	if *update {
		os.WriteFile(file, []byte(before+"```console\n"+played.String()+"```"+after), 0o644)
	}
}

// stable replaces the IDs and times of a response.
func stable(response string) string {
	return times.ReplaceAllString(ids.ReplaceAllString(response, "ID"), "TIME")
}

// words matches a word of a command line: in single quotes, in double quotes, or bare.
var words = regexp.MustCompile(`'([^']*)'|"([^"]*)"|(\S+)`)

// parseCurl returns the request of a curl command line. It knows only the options that the README uses.
func parseCurl(command, secret string) *http.Request {
	command = strings.NewReplacer("$AUTH", "Authorization: Bearer "+secret, "$TYPE", "Content-Type: application/scim+json",
		"$BASE", "http://127.0.0.1:8080/scim/v2").Replace(command)
	method, address, body, header := "", "", "", http.Header{}
	option := ""
	for _, m := range words.FindAllStringSubmatch(command, -1) {
		word := m[1] + m[2] + m[3]
		switch option {
		case "-H":
			name, v, _ := strings.Cut(word, ": ")
			header.Set(name, v)
		case "-X":
			method = word
		case "-d":
			body, method = word, cmp.Or(method, "POST")
		}
		if strings.HasPrefix(word, "http:") {
			address = word
		}
		if option = ""; strings.HasPrefix(word, "-") {
			option = word
		}
	}
	r := httptest.NewRequest(cmp.Or(method, "GET"), address, strings.NewReader(body))
	r.Header = header
	return r
}
