package replay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"serverless-scim/internal/gateway"
	"serverless-scim/internal/replay"
)

// newConversation writes the files of a conversation and loads it. Each step is the request, "METHOD /path?query token
// body", and the expected response, "status body". In the query, an underscore stands for a space.
func newConversation(t *testing.T, steps ...[2]string) replay.Conversation {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "talk")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, step := range steps {
		name := fmt.Sprintf("%02d-step", i+1)
		request := strings.SplitN(step[0]+"   ", " ", 4)
		at, query, _ := strings.Cut(request[1], "?")
		event := restEvent(request[0], at)
		event.Body = strings.TrimSpace(request[3])
		event.MultiValueHeaders["Authorization"] = []string{"Bearer " + request[2]}
		if name, value, ok := strings.Cut(query, "="); ok {
			event.MultiValueQueryStringParameters = map[string][]string{name: {strings.ReplaceAll(value, "_", " ")}}
		}
		status, body, _ := strings.Cut(step[1], " ")
		expectation := `{"fidelity":"derived","note":"kept & kept","status":` + status
		if status == "201" {
			expectation += `,"headers":{"Location":"https://recorded.example/v2/` + recordedPath(body, at) + `"}`
		}
		if body != "" {
			expectation += `,"body":` + body
		}
		b, _ := json.Marshal(event)
		writeFile(t, filepath.Join(dir, name+".json"), string(b))
		writeFile(t, filepath.Join(dir, name+".answer.json"), expectation+"}")
	}
	all, err := replay.LoadConversations(dir)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func recordedPath(body, at string) string {
	var r struct{ ID string }
	json.Unmarshal([]byte(body), &r)
	return path.Join(at, r.ID)
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// playConversation plays a conversation and returns the differences, a line each.
func playConversation(t *testing.T, target replay.Target, c replay.Conversation, run string) (diffs string, err error) {
	t.Helper()
	var lines []string
	r := replay.Player{Target: target, Token: "secret", RunSuffix: run, OnStep: func(result replay.StepResult) {
		for _, line := range result.Diff {
			lines = append(lines, result.Step.Name+" "+line)
		}
	}}
	differing, err := r.Play(t.Context(), c)
	if (differing > 0) != (len(lines) > 0) {
		t.Errorf("%d steps differ, but the differences are %q", differing, lines)
	}
	return strings.Join(lines, "\n"), err
}

const ann = `"userName":"ann@example.com","externalId":"00uAnn","nick":"ann"`

func userLifecycle(t *testing.T) replay.Conversation {
	return newConversation(t,
		[2]string{`GET /Users?filter=userName_eq_"ann@example.com" x`, `200 {"totalResults":0,"itemsPerPage":0,"Resources":[]}`},
		[2]string{`GET /Users?filter=userName_eq_"zoe@example.com" x`, `200 {"totalResults":0,"itemsPerPage":0,"Resources":[]}`},
		[2]string{`POST /Users x {` + ann + `,"emails":[{"value":"ann@example.com"}]}`,
			`201 {"id":"recorded1",` + ann + `,"emails":[{"value":"ann@example.com"}],"meta":{"location":"https://r.example/Users/recorded1","created":"2020-01-01T00:00:00Z"}}`},
		[2]string{`POST /Users x {` + ann + `}`, `409 {"status":"409","detail":"another text"}`},
		[2]string{`GET /Users?filter=userName_eq_"ANN@EXAMPLE.COM" x`,
			`200 {"totalResults":1,"itemsPerPage":1,"Resources":[{"id":"recorded1",` + ann +
				`,"emails":[{"value":"ann@example.com"}],"meta":{"location":"https://r.example/Users/recorded1","created":"2020-01-01T00:00:00Z"}}]}`},
		[2]string{`POST /Groups x {"displayName":"Staff","members":[{"value":"recorded1","display":"ann@example.com"}]}`,
			`201 {"id":"recorded2","displayName":"Staff","members":[{"display":"ann@example.com","value":"recorded1"}],"meta":{"location":"/x/Groups/recorded2","created":"2020-01-01T00:00:00Z"}}`},
		[2]string{`PATCH /Groups/recorded2 x {"path":"members[value eq \"recorded1\" or display eq \"ann@example.com\"]","displayName":"Staff-2"}`,
			`200 {"id":"recorded2","displayName":"Staff-2","path":"members[value eq \"recorded1\" or display eq \"ann@example.com\"]","members":[{"display":"ann@example.com","value":"recorded1"}],"meta":{"location":"/x/Groups/recorded2","created":"2020-01-01T00:00:00Z"}}`},
		[2]string{`GET /Users wrong`, `401 {"status":"401","detail":"no"}`},
		[2]string{`GET /Users x`, `200 {"totalResults":0,"itemsPerPage":0,"Resources":[]}`},
		[2]string{`DELETE /Groups/recorded2 x`, `204`},
		[2]string{`GET /Groups/recorded2 x`, `404 {"status":"404","detail":"no"}`},
	)
}

func TestConversationsPassOnAServerInUse(t *testing.T) {
	t.Parallel()
	s := &fakeServer{resources: map[string]map[string]any{
		"/Users/old":  {"id": "old", "userName": "ann@example.com", "externalId": "00uAnn"},
		"/Users/old2": {"id": "old2", "userName": "zoe@example.com"},
	}}
	for name, target := range newTargets(t, s) {
		for _, run := range []string{"run1", "run2", "run1"} {
			if diffs, err := playConversation(t, target, userLifecycle(t), run); diffs != "" || err != nil {
				t.Errorf("%s, %s: %v\n%s", name, run, err, diffs)
			}
			if len(s.resources) != 2 {
				t.Errorf("%s, %s: not deleted: %v", name, run, s.resources)
			}
		}
	}
	for _, line := range s.log {
		if strings.Contains(line, "recorded") || strings.HasSuffix(line, "Bearer x") {
			t.Errorf("the server got %q, with a recorded ID or token", line)
		}
	}
	for _, want := range []string{"GET /Users Bearer wrong", "PATCH /prod/Groups/given-"} {
		if !strings.Contains(strings.Join(s.log, "\n"), want) {
			t.Errorf("the server did not get %q", want)
		}
	}
}

func TestNamesGetTheSuffixWhereverTheyOccur(t *testing.T) {
	t.Parallel()
	s := &fakeServer{resources: map[string]map[string]any{}, rejectDeletes: true}
	target := replay.FunctionTarget(gateway.New(s).Invoke)
	_, err := playConversation(t, target, newConversation(t,
		[2]string{`POST /Users x {` + ann + `,"emails":[{"value":"Ann@example.com"}],"displayName":"Ann"}`, `201 {"id":"recorded1"}`},
		[2]string{`POST /Groups x {"displayName":"Ann ","members":[{"value":"recorded1"}],"ref":"https://r.example/Users/recorded1"}`, `201 {"id":"recorded2"}`},
	), "r7")
	if err == nil || !strings.Contains(err.Error(), "/Users/given-1") {
		t.Errorf("error %v, want one that names the resources that are not deleted", err)
	}
	user, group := s.resources["/Users/given-1"], s.resources["/Groups/given-2"]
	got := fmt.Sprint(user["userName"], user["externalId"], user["emails"], user["nick"], user["displayName"], group["displayName"], group["members"], group["ref"])
	want := `ann+r7@example.com00uAnn-r7[map[value:Ann+r7@example.com]]annAnnAnn -r7[map[value:given-1]]https://r.example/Users/given-1`
	if got != want {
		t.Errorf("the server has\n%s, want\n%s", got, want)
	}
}

func TestDifferencesDoNotStopTheConversation(t *testing.T) {
	t.Parallel()
	s := &fakeServer{resources: map[string]map[string]any{}}
	c := newConversation(t,
		[2]string{`POST /Users x {"userName":"ann","tags":["a","b"],"password":"p"}`,
			`201 {"id":"recorded1","userName":"Ann","tags":["b","c"],"title":"x","meta":{"location":"/Users/recorded1","created":"2020-01-01T00:00:00Z"}}`},
		[2]string{`DELETE /Users/recorded9 x`, `204`},
		[2]string{`DELETE /Users/recorded1 x`, `204`},
		[2]string{`POST /Users x {"userName":"bob"}`, `409 {"detail":"taken"}`},
	)
	for name, target := range newTargets(t, s) {
		s.created = 0
		diffs, err := playConversation(t, target, c, "r")
		want := `01-step body.password: not expected: "p"
01-step body.tags[0]: want "c", got "a"
01-step body.title: want "x", it is missing
01-step body.userName: want "Ann-r", got "ann-r"
02-step status: want 204, got 404: {"detail":"no /Users/recorded9","status":"404"}
`
		got, created, _ := strings.Cut(diffs, "04-step ")
		if got != want || !strings.HasPrefix(created, "status: want 409, got 201") || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diffs)
		}
		if len(s.resources) != 0 {
			t.Errorf("%s: not deleted: %v", name, s.resources)
		}
	}
}

// A response must contain each name with its suffix. Values of the protocol, such as type, have none.
func TestResponseMustContainTheSuffix(t *testing.T) {
	t.Parallel()
	target := func(context.Context, events.APIGatewayProxyRequest) (replay.Response, error) {
		return replay.Response{Status: 200, Body: []byte(`{"type":"User","displayName":"User"}`)}, nil
	}
	c := newConversation(t, [2]string{`PUT /Groups/1 x {"displayName":"User"}`, `200 {"type":"User","displayName":"User"}`})
	diffs, err := playConversation(t, target, c, "r")
	if want := `01-step body.displayName: want "User-r", got "User"`; diffs != want || err != nil {
		t.Errorf("differences %q, %v; want %q", diffs, err, want)
	}
}

// An ID can be as short as 1, and so be part of names, numbers, and other IDs.
func TestIDsOfAnyForm(t *testing.T) {
	t.Parallel()
	var steps [][2]string
	for i := range 12 {
		step := fmt.Sprintf(`"userName":"user1%[1]d@10.1","age":%[1]d,"tel":"12 1"`, i)
		if i > 0 {
			step += fmt.Sprintf(`,"manager":"id-%d","at":"https://r.example/2/Users/id-%[1]d?v=1#id-%[1]d"`, i-1)
		}
		meta := fmt.Sprintf(`"id":"id-%d","meta":{"location":"https://r.example/Users/id-%[1]d","created":"2020-01-01T00:00:00Z"}`, i)
		steps = append(steps, [2]string{`POST /Users x {` + step + `}`, `201 {` + step + `,` + meta + `}`},
			[2]string{fmt.Sprintf(`PATCH /Users/id-%d x {}`, i), `200 {` + step + `,` + meta + `}`})
	}
	s := &fakeServer{resources: map[string]map[string]any{}, idFormat: "%d"}
	for name, target := range newTargets(t, s) {
		s.created = 0
		if diffs, err := playConversation(t, target, newConversation(t, steps...), "r"); diffs != "" || err != nil || len(s.resources) != 0 {
			t.Errorf("%s: %v, not deleted %v\n%s", name, err, s.resources, diffs)
		}
	}
}

// A page that repeats resources of an earlier page is a difference. A new list may repeat them.
func TestRepeatedPageIsADifference(t *testing.T) {
	t.Parallel()
	s := &fakeServer{resources: map[string]map[string]any{"/Users/old": {"id": "old"}}}
	page := `200 {"totalResults":0,"itemsPerPage":0,"Resources":[]}`
	c := newConversation(t, [2]string{`GET /Users?startIndex=1 x`, page}, [2]string{`GET /Users?startIndex=1 x`, page},
		[2]string{`GET /Users?startIndex=2 x`, page})
	diffs, err := playConversation(t, replay.FunctionTarget(gateway.New(s).Invoke), c, "r")
	if want := "03-step body.Resources[0]: old is in the list a second time"; diffs != want || err != nil {
		t.Errorf("differences %q, %v; want %q", diffs, err, want)
	}
}

// A POST without a response, or without an ID in it, possibly created a resource.
func TestUncertainCreatesAreReported(t *testing.T) {
	t.Parallel()
	c := newConversation(t, [2]string{`GET /Users x`, `200 {}`}, [2]string{`POST /Users x {"userName":"ann"}`, `201 {"id":"r"}`})
	for name, respond := range map[string]func() (replay.Response, error){
		"no response": func() (replay.Response, error) { return replay.Response{}, context.DeadlineExceeded },
		"no ID":       func() (replay.Response, error) { return replay.Response{Status: 201, Body: []byte(`{}`)}, nil },
	} {
		target := func(_ context.Context, e events.APIGatewayProxyRequest) (replay.Response, error) {
			if e.HTTPMethod == "POST" {
				return respond()
			}
			return replay.Response{Status: 200}, nil
		}
		_, err := playConversation(t, target, c, "r")
		if err == nil || strings.Count(err.Error(), "possibly not deleted") != 1 || !strings.Contains(err.Error(), "POST to /Users") {
			t.Errorf("%s: error %v, want the path of the POST", name, err)
		}
	}
}

// When ctx ends during a request, the response is still read, so that the created resource is deleted.
func TestInterruptedRequestIsCompleted(t *testing.T) {
	t.Parallel()
	s := &fakeServer{resources: map[string]map[string]any{}}
	c := newConversation(t, [2]string{`POST /Users x {"userName":"ann"}`, `201 {"id":"r"}`}, [2]string{`GET /Users x`, `200 {}`})
	for name, target := range newTargets(t, s) {
		ctx, cancel := context.WithCancel(t.Context())
		s.onCreate = cancel
		r := replay.Player{Target: target, Token: "secret", RunSuffix: "r"}
		_, err := r.Play(ctx, c)
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "talk 02-step") || len(s.resources) != 0 {
			t.Errorf("%s: error %v, not deleted %v", name, err, s.resources)
		}
	}
}

func TestCreatedResourcesAreDeleted(t *testing.T) {
	t.Parallel()
	user := func(n string) [2]string {
		return [2]string{`POST /Users x {"userName":"` + n + `"}`, `201 {"id":"id-` + n + `","userName":"` + n + `","meta":{"location":"/Users/id-` + n + `","created":"2020-01-01T00:00:00Z"}}`}
	}
	s := &fakeServer{resources: map[string]map[string]any{}}
	target := replay.FunctionTarget(gateway.New(s).Invoke)
	if diffs, err := playConversation(t, target, newConversation(t, user("a"), user("b"), user("c")), "r"); diffs != "" || err != nil {
		t.Errorf("%v\n%s", err, diffs)
	}
	if got := s.log[3:]; !strings.HasPrefix(got[0], "DELETE /Users/given-3 ") || !strings.HasPrefix(got[2], "DELETE /Users/given-1 ") {
		t.Errorf("%q: want the newest deleted first, because it may refer to older ones", got)
	}
	emptied := func(ctx context.Context, e events.APIGatewayProxyRequest) (replay.Response, error) {
		clear(s.resources) // another client has deleted them
		return target(ctx, e)
	}
	if diffs, err := playConversation(t, emptied, newConversation(t, user("a"), user("b")), "r"); diffs != "" || err != nil {
		t.Errorf("a 404 is not an error: %v\n%s", err, diffs)
	}
	s.rejectDeletes = true
	_, err := playConversation(t, target, newConversation(t, user("a"), [2]string{`DELETE /Users/id-a x`, `204`}), "r")
	if err == nil || !strings.Contains(err.Error(), "not deleted: /Users/given-") {
		t.Errorf("error %v, want one that names the resource whose DELETE returned 500", err)
	}
}

// The token replaces the recorded one, in either case of the header, except in requests without a token.
func TestTokenReplacesTheRecordedOne(t *testing.T) {
	t.Parallel()
	c := newConversation(t, [2]string{`GET /Users x`, `401 {"status":"401","detail":"x"}`})
	for _, sent := range []struct {
		name  string
		value []string
		want  string
	}{
		{"Authorization", []string{"Bearer x"}, "Bearer secret"}, {"authorization", []string{"bearer x"}, "Bearer secret"},
		{"Authorization", []string{"Bearer wrong"}, "Bearer wrong"}, {"Accept", []string{"*/*"}, ""},
	} {
		e := &c.Steps[0].Event
		e.MultiValueHeaders, e.Headers = map[string][]string{sent.name: sent.value}, map[string]string{sent.name: sent.value[0]}
		s := &fakeServer{resources: map[string]map[string]any{}}
		for name, target := range newTargets(t, s) {
			s.log = nil
			if _, err := playConversation(t, target, c, "r"); err != nil || !strings.HasSuffix(s.log[0], "/Users "+sent.want) {
				t.Errorf("%s, %s %q: %v, the server got %q", name, sent.name, sent.value, err, s.log)
			}
		}
		if e.MultiValueHeaders[sent.name][0] != sent.value[0] {
			t.Error("the recording was modified")
		}
	}
}

func TestUnreachableServerEndsTheConversation(t *testing.T) {
	t.Parallel()
	s := &fakeServer{resources: map[string]map[string]any{}}
	down := errors.New("down")
	ctx, cancel := context.WithCancel(t.Context())
	inner := replay.FunctionTarget(gateway.New(s).Invoke)
	calls := 0
	r := replay.Player{Token: "secret", RunSuffix: "r"}
	r.Target = func(ctx context.Context, e events.APIGatewayProxyRequest) (replay.Response, error) {
		calls++
		switch {
		case ctx.Err() != nil:
			return replay.Response{}, ctx.Err()
		case calls == 2:
			cancel()
			return replay.Response{}, down
		}
		return inner(ctx, e)
	}
	_, err := r.Play(ctx, userLifecycle(t))
	if !errors.Is(err, down) || !strings.Contains(err.Error(), "talk 02-step") {
		t.Errorf("error %v, want the error of the target and the step", err)
	}
	calls = 10
	c := newConversation(t, [2]string{`POST /Users x {"userName":"ann"}`, `201 {"id":"r"}`}, [2]string{`GET /Users x`, `200 {}`})
	ctx, cancel = context.WithCancel(t.Context())
	r.OnStep = func(replay.StepResult) { cancel() }
	if _, err := r.Play(ctx, c); !errors.Is(err, context.Canceled) || len(s.resources) != 0 {
		t.Errorf("interrupted: error %v, not deleted %v", err, s.resources)
	}
	if _, err := replay.HTTPTarget(http.DefaultClient, "http://127.0.0.1:1")(t.Context(), restEvent("GET", "/Users")); err == nil {
		t.Error("no error for a closed port")
	}
}

func TestPlayAllWritesASummary(t *testing.T) {
	t.Parallel()
	s := &fakeServer{resources: map[string]map[string]any{}}
	r := replay.Player{Target: replay.FunctionTarget(gateway.New(s).Invoke), Token: "secret", RunSuffix: "r"}
	good := newConversation(t, [2]string{`GET /Users x`, `200 {"totalResults":9,"itemsPerPage":9,"Resources":[{"id":"x"}]}`})
	bad := newConversation(t, [2]string{`GET /Users/1 x`, `200 {}`})
	var out strings.Builder
	differing, err := r.PlayAll(t.Context(), &out, []replay.Conversation{good, bad})
	want := good.Dir + `
  ok   GET    200  01-step
` + bad.Dir + `
  DIFF GET    404  01-step
         status: want 200, got 404: {"detail":"no /Users/1","status":"404"}
2 conversations, 2 steps, 1 differ
`
	if differing != 1 || err != nil || out.String() != want {
		t.Errorf("%d, %v\n%s", differing, err, out.String())
	}
}

// A 401 that is not expected ends the run at once, with an error of one line and no other output.
func TestARejectedTokenEndsTheRun(t *testing.T) {
	t.Parallel()
	s := &fakeServer{resources: map[string]map[string]any{}}
	rejected := newConversation(t, [2]string{`GET /Users wrong`, `401 {"detail":"x","status":"401"}`},
		[2]string{`POST /Users x {"userName":"ann"}`, `201 {"id":"r"}`}, [2]string{`GET /Users x`, `200 {}`})
	for name, target := range newTargets(t, s) {
		s.log = nil
		var out, terminal strings.Builder
		r := replay.Player{Target: target, Token: "expired", RunSuffix: "r", Progress: &terminal}
		_, err := r.PlayAll(t.Context(), &out, []replay.Conversation{rejected, rejected})
		want := "talk 02-step: the server rejected the token with 401 (wrong token); use a valid token"
		if err == nil || err.Error() != want || len(s.log) != 2 {
			t.Errorf("%s: after %d requests: %v, want %s", name, len(s.log), err, want)
		}
		if want := rejected.Dir + "\n  ok   GET    401  01-step\n"; out.String() != want {
			t.Errorf("%s: printed %q, want %q", name, &out, want)
		}
		if !strings.HasSuffix(terminal.String(), "\r\x1b[K") {
			t.Errorf("%s: the progress is not erased: %q", name, &terminal)
		}
	}
	var out strings.Builder
	target := func(context.Context, events.APIGatewayProxyRequest) (replay.Response, error) {
		return replay.Response{Status: 401, Body: []byte("no JSON\n")}, nil
	}
	r := replay.Player{Target: target, Token: "secret", RunSuffix: "r"}
	_, err := r.PlayAll(t.Context(), &out, []replay.Conversation{newConversation(t, [2]string{`GET /Users x`, `200 {}`})})
	if err == nil || strings.Contains(err.Error(), "\n") || out.String() != "" {
		t.Errorf("error %v, printed %q; want one line and nothing", err, &out)
	}
}

// The progress shows the finished and all steps, and is erased before each line of the report.
func TestProgressIsDrawn(t *testing.T) {
	t.Parallel()
	s := &fakeServer{resources: map[string]map[string]any{}}
	var terminal strings.Builder // of both outputs, as when a person runs the program
	r := replay.Player{Target: replay.FunctionTarget(gateway.New(s).Invoke), Token: "secret", RunSuffix: "r", Progress: &terminal}
	c := newConversation(t, [2]string{`GET /Users x`, `200 {"totalResults":0,"itemsPerPage":0,"Resources":[]}`})
	if _, err := r.PlayAll(t.Context(), &terminal, []replay.Conversation{c, c}); err != nil {
		t.Fatal(err)
	}
	const erase = "\r\x1b[K"
	want := erase + "0 of 2 steps: talk" + erase + c.Dir + "\n  ok   GET    200  01-step\n" + erase + "1 of 2 steps: talk" +
		erase + "1 of 2 steps: talk" + erase + c.Dir + "\n  ok   GET    200  01-step\n" + erase + "2 of 2 steps: talk" +
		erase + "2 conversations, 2 steps, 0 differ\n" + erase
	if terminal.String() != want {
		t.Errorf("got\n%q, want\n%q", &terminal, want)
	}
}
