package server

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/dynamo"
	"serverless-scim/internal/table/tabletest"
	"serverless-scim/internal/token"
)

const variable = "SCIM_TEST_DYNAMODB"

// onDynamoDB runs a test at the first endpoint that the variable names, the one that answers soon, with a client of a
// table of its own, and what opens that table on the other side of a wire. The times are those of the Lambda function,
// 12 times as fast.
func onDynamoDB(t *testing.T, test func(*testing.T, *client, func(*tabletest.Wire) table.Table)) {
	t.Parallel()
	endpoints := strings.FieldsFunc(os.Getenv(variable), func(r rune) bool { return r == ',' })
	if len(endpoints) == 0 {
		t.Skipf("set %s to the address of a DynamoDB emulator", variable)
	}
	name, direct := "wire-"+rand.Text(), dynamo.NewClient(dynamo.ClientConfig{Endpoint: endpoints[0]})
	clean := dynamo.New(direct, name)
	if err := clean.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := newClient(t).over(clean).within(time.Minute)
	if err := c.config.Tokens.ReplaceToken(t.Context(), "test", "test", c.secret); err != nil {
		t.Fatal(err)
	}
	test(t, c, func(w *tabletest.Wire) table.Table {
		t.Cleanup(w.Wait)
		through := dynamodb.New(direct.Options(), func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Transport: w} })
		return dynamo.New(through, name, func(o *dynamo.Options) { o.Timeout, o.Backoff = 240*time.Millisecond, quick })
	})
}

var quick = table.Backoff{Base: time.Millisecond, Cap: 40 * time.Millisecond}

// over is the client of the same service on another table. It has two seconds for each request.
func (c *client) over(t table.Table) *client {
	other := *c
	other.config.Directory.Table, other.config.Directory.Backoff = t, quick
	other.config.Tokens = &token.Store{Table: t, Now: time.Now}
	return other.within(2 * time.Second)
}

// within is the client of the same service with another time for each request.
func (c *client) within(d time.Duration) *client {
	other := *c
	other.config.Timeout = d
	other.handler = New(other.config)
	return &other
}

// Whatever befalls the requests to DynamoDB, every SCIM request is done, and rightly, or not and told so by 429; and
// in the end there is what the clients were told, and nothing else.
func TestFaultsOnTheWayToDynamoDB(t *testing.T) {
	cases := map[string]map[tabletest.Fault]float64{
		"throttling":   {tabletest.Throttled: 0.3},
		"conflicts":    {tabletest.Conflict: 0.5},
		"parts":        {tabletest.Unprocessed: 0.5, tabletest.Short: 0.5},
		"lost answers": {tabletest.Lost: 0.3, tabletest.Failed: 0.1},
		"duplicates":   {tabletest.Doubled: 0.5},
		"latency":      {tabletest.Slow: 0.2},
		"hangs":        {tabletest.Silent: 0.1},
		"no time":      {tabletest.Lost: 0.3, tabletest.Conflict: 0.3}, // to try again often: many 429
		"everything":   {},
	}
	for _, f := range tabletest.AllFaults() {
		cases["everything"][f] = 0.08
	}
	onDynamoDB(t, func(t *testing.T, c *client, open func(*tabletest.Wire) table.Table) {
		var all sync.WaitGroup // at once, however few tests may run in parallel: they mostly wait
		defer all.Wait()
		for what, chance := range cases {
			all.Go(func() {
				t.Run(what, func(t *testing.T) { c.tenant(t).befallen(what, chance, open) })
			})
		}
	})
}

func (c *client) befallen(what string, chance map[tabletest.Fault]float64, open func(*tabletest.Wire) table.Table) {
	wire := &tabletest.Wire{Chance: chance, Seed: 1, Delay: 160 * time.Millisecond}
	bad := c.over(open(wire))
	if what == "no time" {
		bad = bad.within(150 * time.Millisecond)
	}
	busy := c.work(bad)
	wire.Wait()
	met := wire.Met()
	if what == "hangs" && 2*busy > met[tabletest.Silent] {
		c.Errorf("%d requests were given up: a hang may cost an attempt, and not the request", busy)
	}
	for f := range chance {
		if met[f] == 0 && len(chance) < len(tabletest.AllFaults()) {
			c.Errorf("no request was %s: the test shows nothing", f)
		}
	}
	c.Log(met)
}

// tenant is the client of a tenant of its own.
func (c *client) tenant(t *testing.T) *client {
	other := *c
	other.TB, other.secret = t, token.New("test")
	if err := c.config.Tokens.ReplaceToken(t.Context(), t.Name(), "test", other.secret); err != nil {
		t.Fatal(err)
	}
	return &other
}

// work lets several owners work over a bad wire, and checks over a good one what is there in the end. It tells how many
// requests were answered by 429.
func (c *client) work(bad *client) (busy int) {
	common := c.create("/Groups", `{"displayName":"common"}`)
	owners := make([]*owner, 3)
	var all sync.WaitGroup
	for i := range owners {
		owners[i] = newOwner(bad, fmt.Sprintf("owner%d", i), common, uint64(i))
		all.Go(func() {
			for range 30 {
				owners[i].step()
			}
		})
	}
	all.Wait()
	users, groups, inCommon := 0, 1, 0
	for _, o := range owners {
		o.client = c
		o.checkAll()
		users, groups, inCommon, busy = users+len(o.users), groups+len(o.groups), inCommon+len(o.common.members), busy+o.busy
	}
	for path, want := range map[string]int{"/Users": users, "/Groups": groups} {
		if l := c.want(c.do("GET", path, ""), 200); fmt.Sprint(l.at("totalResults")) != fmt.Sprint(want) {
			c.Errorf("%s has %v resources, want %d", path, l.at("totalResults"), want)
		}
	}
	if members := ids(c.do("GET", "/Groups/"+common, "").body, "members"); len(members) != inCommon {
		c.Errorf("the common group has the members %v, want %d", members, inCommon)
	}
	fsck := directory.Checker{Config: c.config.Directory, Tenant: c.Name(), Report: func(line string) { c.Error(line) }}
	if _, err := fsck.Run(c.Context()); err != nil {
		c.Error(err)
	}
	c.Logf("%d users, %d groups, %d answers of 429", users, groups, busy)
	return busy
}

// While DynamoDB says nothing, or only after the client has given up, every request is answered by 429 in time, and
// nothing is changed.
func TestSilenceIs429(t *testing.T) {
	onDynamoDB(t, func(t *testing.T, c *client, open func(*tabletest.Wire) table.Table) {
		u := c.create("/Users", `{"userName":"u"}`)
		g := c.create("/Groups", `{"displayName":"g","members":[{"value":"`+u+`"}]}`)
		before := c.dump()
		for _, fault := range []tabletest.Fault{tabletest.Silent, tabletest.Slow} {
			bad := c.over(open(&tabletest.Wire{Chance: map[tabletest.Fault]float64{fault: 1}, Delay: 2 * time.Second}))
			bad = bad.within(200 * time.Millisecond)
			var all sync.WaitGroup
			for _, r := range []string{
				"GET /Users", "GET /Users/" + u, "GET /Groups/" + g, "GET /Users?filter=userName+eq+%22u%22", "GET /Groups?count=1",
				`POST /Users {"userName":"v"}`, `POST /Groups {"displayName":"h","members":[{"value":"` + u + `"}]}`,
				`PUT /Users/` + u + ` {"userName":"v"}`, `PUT /Groups/` + g + ` {"displayName":"g"}`,
				`PATCH /Users/` + u + ` {"Operations":[{"op":"add","path":"title","value":"x"}]}`,
				`PATCH /Groups/` + g + ` {"Operations":[{"op":"remove","path":"members"}]}`,
				`DELETE /Users/` + u, `DELETE /Groups/` + g,
			} {
				all.Go(func() {
					method, rest, _ := strings.Cut(r, " ")
					path, body, _ := strings.Cut(rest, " ")
					a := bad.want(bad.do(method, path, body), 429)
					if a.header.Get("Retry-After") != "2" {
						t.Errorf("%s: Retry-After is %q", r, a.header.Get("Retry-After"))
					}
				})
			}
			all.Wait()
		}
		if c.dump() != before {
			t.Error("a request that never arrived has changed the table")
		}
	})
}

// ids is the values of an attribute that refers to resources.
func ids(o scim.Object, attribute string) map[string]bool {
	is := map[string]bool{}
	list, _ := o[attribute].([]any)
	for _, e := range list {
		is[e.(scim.Object)["value"].(string)] = true
	}
	return is
}
