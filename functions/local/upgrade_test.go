package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/internal/admin"
	"serverless-scim/internal/directory"
	"serverless-scim/internal/feed"
	"serverless-scim/internal/format"
	"serverless-scim/internal/fsck"
	"serverless-scim/internal/oauth"
	"serverless-scim/internal/query"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/token"
)

var writeTable = flag.String("write-table", "", "`file` in which TestTablesOfAllVersions stores the table that this version writes")

// The credentials in the tables of testdata. They are valid nowhere else.
const (
	fixtureToken        = "fixture-token-0123456789abcdef"
	fixtureClient       = "client_default_pu4fgvn8kkt6o1k5qco64o8"
	fixtureClientSecret = "scimsecret_maoq0bd6ecs8kmfgrrgh2v92ahvdhg77uu6lf19krgabicvcbkpg4cijao8"
)

// writtenAt is the time at which a table is written, and upgradedAt the time at which a later version opens it. Both must
// be past, because the deadlines of requests are real.
var (
	writtenAt  = time.Date(2026, 11, 28, 22, 0, 0, 0, time.UTC)
	upgradedAt = writtenAt.Add(24 * time.Hour)
)

// An upgrade is a table of a file, and a server of this version on it.
type upgrade struct {
	*testing.T
	http.Handler
	directory.Config
	tokens *token.Store
	file   *bolt.Table
}

// newUpgrade opens a file as a server does, at a time that stands still.
func newUpgrade(t *testing.T, file string, now time.Time) *upgrade {
	t.Helper()
	tab, closeTable, err := openOrCreate(t.Context(), options{db: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeTable() })
	u := &upgrade{T: t, Config: newConfig(t, tab, t.Output()), file: tab.(*bolt.Table)}
	u.Store.Now, u.Query.ScanBudget = func() time.Time { return now }, query.DefaultScanBudget
	u.tokens = &token.Store{Table: tab, Now: u.Store.Now}
	u.Handler = newHandler(u.Config, u.tokens, "https://scim.example.com"+basePath, 0)
	return u
}

func (u *upgrade) must(err error) {
	u.Helper()
	if err != nil {
		u.Fatal(err)
	}
}

// A reply is a part of the body of a response.
type reply struct {
	ID           string
	TotalResults int
	NextCursor   string
	Resources    []reply
	Members      []struct{ Value, Type string }
	Groups       []struct{ Value string }
	Changes      []feed.Message
	More         bool
	NickName     string
	AccessToken  string `json:"access_token"`
}

// send sends a request, which must succeed, and returns the body of the response.
func (u *upgrade) send(method, path, body string) (r reply) {
	u.Helper()
	request := httptest.NewRequest(method, basePath+path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/scim+json")
	request.Header.Set("Authorization", "Bearer "+fixtureToken)
	if path == oauth.TokenPath {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Del("Authorization")
	}
	w := httptest.NewRecorder()
	u.ServeHTTP(w, request)
	if w.Code >= 300 || w.Body.Len() > 0 && json.Unmarshal(w.Body.Bytes(), &r) != nil {
		u.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return r
}

// find returns the resource that a filter selects.
func (u *upgrade) find(endpoint, filter string) reply {
	u.Helper()
	r := u.send("GET", endpoint+"?filter="+url.QueryEscape(filter), "")
	if len(r.Resources) != 1 {
		u.Fatalf("%s %s: %+v", endpoint, filter, r)
	}
	return u.send("GET", endpoint+"/"+r.Resources[0].ID, "")
}

func (u *upgrade) patch(path, operations string) reply {
	u.Helper()
	return u.send("PATCH", path, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`+operations+`]}`)
}

// publish publishes the records of the stream.
func (u *upgrade) publish() {
	publishAll(u.Context(), u.file, &feed.Publisher{Store: u.Store, IsActive: u.tokens.Exists})
}

// changes reads the changes after a cursor up to the end.
func (u *upgrade) changes(cursor string) (changes []feed.Message, next string) {
	u.Helper()
	for more := true; more; {
		r := u.send("GET", "/Changes?count=100&cursor="+cursor, "")
		changes, cursor, more = append(changes, r.Changes...), r.NextCursor, r.More
	}
	return changes, cursor
}

func (u *upgrade) checkClean() {
	u.Helper()
	check := fsck.Checker{Config: u.Store, Report: func(f fsck.Finding) { u.Errorf("fsck: %s", f) }}
	if s, err := check.Run(u.Context()); err != nil || s.Items < 500 {
		u.Errorf("fsck: %+v, %v", s, err)
	}
}

func (u *upgrade) execute(command string) {
	u.Helper()
	_, err := admin.New(u.Config).Execute(u.Context(), json.RawMessage(command))
	u.must(err)
}

// fill writes items of every kind: resources, changes that a crash left unfinished, tokens, a client, and a change log. The
// last change is in the stream, but not in the log. It stores the cursor of a reader.
func (u *upgrade) fill() {
	u.Helper()
	u.must(u.tokens.ReplaceToken(u.Context(), tenant, "given", fixtureToken))
	u.execute(`{"command":"create-tenant","tenant":"acme"}`)
	u.execute(`{"command":"create-token","tenant":"acme","label":"application","scope":"scim.read"}`)
	u.execute(`{"command":"set","tenant":"default","settings":{"rateLimit":500,"deprovisioning":50}}`)
	c, err := u.tokens.CreateClient(u.Context(), token.Client{ID: fixtureClient, Label: "entra", Tenant: tenant, Scope: token.ScopeAll, TokenLifetime: time.Hour})
	u.must(err)
	_, err = u.tokens.AddClientSecret(u.Context(), tenant, c.ID, fixtureClientSecret, token.DefaultSecretLifetime, 0)
	u.must(err)
	u.requestToken()
	var members []string
	for i := range 200 {
		r := u.send("POST", "/Users", fmt.Sprintf(`{"userName":"user%d","externalId":"%d","emails":[{"value":"user%d@example.com"}]}`, i, i, i))
		members = append(members, `{"value":"`+r.ID+`"}`)
	}
	inner := u.send("POST", "/Groups", `{"displayName":"Inner","members":[`+members[0]+`]}`)
	members = append(members, `{"value":"`+inner.ID+`"}`)
	u.send("POST", "/Groups", `{"displayName":"Everybody","members":[`+strings.Join(members, ",")+`]}`)
	u.send("DELETE", "/Users/"+u.find("/Users", `userName eq "user199"`).ID, "")
	functiontest.LeaveUnfinished(u.T, u.file, tenant, writtenAt)
	u.publish()
	_, cursor := u.changes("")
	u.send("GET", "/Users?startIndex=51&count=10", "")
	u.send("GET", "/Users?cursor=&count=10", "")
	u.patch("/Users/"+u.find("/Users", `userName eq "user1"`).ID, `{"op":"add","path":"nickName","value":"`+cursor+`"}`)
}

// requestToken gets an access token of the client.
func (u *upgrade) requestToken() {
	u.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {fixtureClient}, "client_secret": {fixtureClientSecret}}
	if r := u.send("POST", oauth.TokenPath, form.Encode()); r.AccessToken == "" {
		u.Errorf("the client got %+v", r)
	}
}

// use reads and writes as clients, the sweep, and the feed do. It expects a number of users, and of changes in the stream.
func (u *upgrade) use(users, unpublished int) {
	u.Helper()
	if r := u.send("GET", "/Users?startIndex=101&count=10&sortBy=userName", ""); r.TotalResults != users || len(r.Resources) != 10 {
		u.Errorf("the page by index has %d of %d users, want 10 of %d", len(r.Resources), r.TotalResults, users)
	}
	listed := 0
	for cursor, more := "", true; more; more = cursor != "" {
		r := u.send("GET", "/Users?count=50&cursor="+cursor, "")
		listed, cursor = listed+len(r.Resources), r.NextCursor
	}
	if listed != users {
		u.Errorf("the pages by cursor have %d users, want %d", listed, users)
	}
	cursor := ""
	if unpublished > 0 {
		cursor = u.find("/Users", `userName eq "user1"`).NickName
	}
	_, cursor = u.changes(cursor)
	u.publish()
	changes, cursor := u.changes(cursor)
	if len(changes) != unpublished {
		u.Errorf("the stream had %d changes, want %d", len(changes), unpublished)
	}
	everybody := u.find("/Groups", `displayName eq "everybody"`)
	member := u.send("GET", "/Users/"+everybody.Members[len(everybody.Members)-1].Value, "")
	if len(everybody.Members) < 100 || len(member.Groups) == 0 {
		u.Errorf("the group has %d members, and one of them has the groups %v", len(everybody.Members), member.Groups)
	}
	if r := u.patch("/Users/"+member.ID, `{"op":"replace","path":"nickName","value":"new"}`); r.NickName != "new" {
		u.Errorf("PATCH returned %+v", r)
	}
	u.patch("/Groups/"+everybody.ID, `{"op":"remove","path":"members[value eq \"`+member.ID+`\"]"}`)
	if r := u.send("GET", "/Users/"+member.ID, ""); len(r.Groups) != len(member.Groups)-1 {
		u.Errorf("after the removal, the user has the groups %v, before %v", r.Groups, member.Groups)
	}
	_, err := directory.Sweep(u.Context(), u.Store)
	u.must(err)
	_, err = admin.New(u.Config).Expire(u.Context())
	u.must(err)
	u.send("DELETE", "/Groups/"+everybody.ID, "")
	u.publish()
	if changes, _ := u.changes(cursor); len(changes) < len(everybody.Members) {
		u.Errorf("%d changes, want one of each of %d members", len(changes), len(everybody.Members))
	}
	result, err := directory.Sweep(u.Context(), u.Store)
	if err != nil || result.Unfinished > 0 {
		u.Errorf("the sweep left %+v, %v", result, err)
	}
}

// checkFinished checks that the sweep has finished what fill left unfinished: the members of one group, the delete of another.
func (u *upgrade) checkFinished() {
	u.Helper()
	if created := u.find("/Groups", `displayName eq "created"`); len(created.Members) != 60 {
		u.Errorf("the unfinished group has %d members, want 60", len(created.Members))
	}
	if r := u.send("GET", "/Groups?filter="+url.QueryEscape(`displayName eq "deleted"`), ""); r.TotalResults != 0 {
		u.Error("the deleted group still exists")
	}
}

// This version opens the table of each former version and its own, finds it clean, serves it, and leaves it clean.
func TestTablesOfAllVersions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		users, unpublished int  // changes that are in the stream only
		filled             bool // by fill
	}{"table-1": {140, 0, false}, "table-2": {259, 1, true}, "this version": {259, 1, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "scim.db")
			if name == "this version" {
				writeFixture(t, file)
			} else {
				unzip(t, "testdata/"+name+".db.gz", file)
			}
			u := newUpgrade(t, file, upgradedAt)
			u.checkClean()
			if c.filled {
				u.requestToken()
			}
			u.use(c.users, c.unpublished)
			if c.filled {
				u.checkFinished()
			}
			u.checkClean()
			u.must(format.Check(t.Context(), u.file))
		})
	}
}

// writeFixture writes a table to a file, and also to the file of -write-table, compressed.
func writeFixture(t *testing.T, file string) {
	t.Helper()
	u := newUpgrade(t, file, writtenAt)
	u.fill()
	u.must(u.file.Close())
	if *writeTable == "" {
		return
	}
	from, err := bbolt.Open(file, 0o600, nil)
	u.must(err)
	to, err := bbolt.Open(file+".compact", 0o600, nil)
	u.must(err)
	u.must(errors.Join(bbolt.Compact(to, from, 0), from.Close(), to.Close())) // leaves out the content of free pages
	content, err := os.ReadFile(file + ".compact")
	u.must(err)
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	u.must(err)
	_, err = w.Write(content)
	u.must(err)
	u.must(w.Close())
	u.must(os.WriteFile(*writeTable, out.Bytes(), 0o644))
}

func unzip(t *testing.T, from, to string) {
	t.Helper()
	compressed, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer compressed.Close()
	content, err := gzip.NewReader(compressed)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(content)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
