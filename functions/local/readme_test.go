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

// volatile is what of an answer differs each time.
var (
	ids   = regexp.MustCompile(`\b[ug][0-9a-v]{26}\b`)
	times = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)
)

// The transcript in the README is what happens. With -update its answers are rewritten.
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
	h, secret := provider(t)
	given := map[string]string{} // ids by those that the README shows
	var played strings.Builder
	for entry := range strings.SplitSeq(strings.TrimPrefix(transcript, "$ "), "\n$ ") {
		command, want, _ := strings.Cut(strings.TrimSpace(entry), "\n")
		command = ids.ReplaceAllStringFunc(command, func(id string) string { return cmp.Or(given[id], id) })
		r := curl(command, secret)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		got := w.Body.String()
		shown, now := ids.FindAllString(want, -1), ids.FindAllString(got, -1)
		for i := range min(len(shown), len(now)) {
			given[shown[i]] = now[i]
		}
		if stable(got) != stable(want) && !*update {
			t.Errorf("%s\n gives %s\nshown is %s", command, got, want)
		}
		if played.WriteString("$ " + command + "\n"); got != "" {
			played.WriteString(got + "\n")
		}
	}
	if *update {
		os.WriteFile(file, []byte(before+"```console\n"+played.String()+"```"+after), 0o644)
	}
}

func stable(answer string) string {
	return times.ReplaceAllString(ids.ReplaceAllString(answer, "ID"), "TIME")
}

// words are those of a command line: bare, or in quotes of either kind.
var words = regexp.MustCompile(`'([^']*)'|"([^"]*)"|(\S+)`)

// curl is the request that a command line makes, as far as the README needs it.
func curl(command, secret string) *http.Request {
	command = strings.NewReplacer("$AUTH", "Authorization: Bearer "+secret, "$TYPE", "Content-Type: application/scim+json",
		"$BASE", "http://127.0.0.1:8080/scim/v2").Replace(command)
	method, address, body, header := "", "", "", http.Header{}
	next := ""
	for _, m := range words.FindAllStringSubmatch(command, -1) {
		word := m[1] + m[2] + m[3]
		switch next {
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
		if next = ""; strings.HasPrefix(word, "-") {
			next = word
		}
	}
	r := httptest.NewRequest(cmp.Or(method, "GET"), address, strings.NewReader(body))
	r.Header = header
	return r
}
