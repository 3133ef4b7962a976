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

	"serverless-scim/internal/fsck"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/dynamo"
	"serverless-scim/internal/table/tabletest"
	"serverless-scim/internal/token"
)

const endpointVariable = "SCIM_TEST_DYNAMODB"

// onDynamoDB runs a test on a new table at the first endpoint in endpointVariable, which should be the fastest. The
// test gets a client, and a function that opens the same table through a wire. The timeouts are those of the Lambda
// function divided by 12.
func onDynamoDB(t *testing.T, test func(*testing.T, *client, func(*tabletest.Wire) table.Table)) {
	t.Parallel()
	endpoints := strings.FieldsFunc(os.Getenv(endpointVariable), func(r rune) bool { return r == ',' })
	if len(endpoints) == 0 {
		t.Skipf("set %s to the address of a DynamoDB emulator", endpointVariable)
	}
	name, direct := "wire-"+rand.Text(), dynamo.NewClient(dynamo.ClientConfig{Endpoint: endpoints[0]})
	clean := dynamo.New(direct, name)
	if err := clean.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := newClient(t).withTable(clean).withTimeout(time.Minute)
	if err := c.config.Tokens.ReplaceToken(t.Context(), "test", "test", c.secret); err != nil {
		t.Fatal(err)
	}
	test(t, c, func(w *tabletest.Wire) table.Table {
		t.Cleanup(w.Wait)
		through := dynamodb.New(direct.Options(), func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Transport: w} })
		return dynamo.New(through, name, func(o *dynamo.Options) { o.Timeout, o.Backoff = 240*time.Millisecond, shortBackoff })
	})
}

var shortBackoff = table.Backoff{Base: time.Millisecond, Cap: 40 * time.Millisecond}

// withTable returns a client of a server with the same data through another table, and a timeout of two seconds.
func (c *client) withTable(t table.Table) *client {
	other := *c
	other.config.Directory.Store.Table, other.config.Directory.Store.Backoff = t, shortBackoff
	other.config.Tokens = &token.Store{Table: t, Now: time.Now}
	return other.withTimeout(2 * time.Second)
}

// withTimeout returns a client of a server with the same table and another timeout.
func (c *client) withTimeout(d time.Duration) *client {
	other := *c
	other.config.Timeout = d
	other.handler = New(other.config)
	return &other
}

// Network faults between server and DynamoDB either do not affect a SCIM request or lead to 429. At the end, the table
// contains exactly what the responses say.
func TestRequestsSurviveNetworkFaults(t *testing.T) {
	cases := map[string]map[tabletest.Fault]float64{
		"throttling":   {tabletest.Throttled: 0.3},
		"conflicts":    {tabletest.Conflict: 0.5},
		"parts":        {tabletest.Unprocessed: 0.5, tabletest.Short: 0.5},
		"lost answers": {tabletest.Lost: 0.3, tabletest.Failed: 0.1},
		"duplicates":   {tabletest.Doubled: 0.5},
		"latency":      {tabletest.Slow: 0.2},
		"hangs":        {tabletest.Silent: 0.1},
		"no time":      {tabletest.Lost: 0.3, tabletest.Conflict: 0.3}, // for many retries: many 429
		"everything":   {},
	}
	for _, f := range tabletest.AllFaults() {
		cases["everything"][f] = 0.08
	}
	onDynamoDB(t, func(t *testing.T, c *client, open func(*tabletest.Wire) table.Table) {
		var all sync.WaitGroup // runs all cases at the same time, because they mostly wait
		defer all.Wait()
		for what, chance := range cases {
			all.Go(func() {
				t.Run(what, func(t *testing.T) { c.withNewTenant(t).runWithFaults(what, chance, open) })
			})
		}
	})
}

// runWithFaults runs owners over a wire with faults, each with its probability.
func (c *client) runWithFaults(what string, chance map[tabletest.Fault]float64, open func(*tabletest.Wire) table.Table) {
	wire := &tabletest.Wire{Chance: chance, Seed: 1, Delay: 160 * time.Millisecond}
	bad := c.withTable(open(wire))
	if what == "no time" {
		bad = bad.withTimeout(150 * time.Millisecond)
	}
	busy := c.runOwners(bad)
	wire.Wait()
	injected := wire.Met()
	if what == "hangs" && 2*busy > injected[tabletest.Silent] {
		c.Errorf("%d requests failed: a hang must only cost an attempt", busy)
	}
	for f := range chance {
		if injected[f] == 0 && len(chance) < len(tabletest.AllFaults()) {
			c.Errorf("no request had the fault %s, so the test proves nothing", f)
		}
	}
	c.Log(injected)
}

// withNewTenant returns a client of a new tenant that is named after the test.
func (c *client) withNewTenant(t *testing.T) *client {
	other := *c
	other.TB, other.secret = t, token.New("test")
	if err := c.config.Tokens.ReplaceToken(t.Context(), t.Name(), "test", other.secret); err != nil {
		t.Fatal(err)
	}
	return &other
}

// runOwners runs several owners with the faulty client and checks the result with c. It returns the number of 429
// responses.
func (c *client) runOwners(bad *client) (busy int) {
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
		users, groups, inCommon, busy = users+len(o.users), groups+len(o.groups), inCommon+len(o.common.members), busy+o.tooManyRequests
	}
	for path, want := range map[string]int{"/Users": users, "/Groups": groups} {
		if l := c.expect(c.do("GET", path, ""), 200); fmt.Sprint(l.value("totalResults")) != fmt.Sprint(want) {
			c.Errorf("%s has %v resources, want %d", path, l.value("totalResults"), want)
		}
	}
	if members := referencedIDs(c.do("GET", "/Groups/"+common, "").body, "members"); len(members) != inCommon {
		c.Errorf("the common group has the members %v, want %d", members, inCommon)
	}
	fsck := fsck.Checker{Config: c.config.Directory.Store, Tenant: c.Name(), Report: func(f fsck.Finding) { c.Error(f) }}
	if _, err := fsck.Run(c.Context()); err != nil {
		c.Error(err)
	}
	c.Logf("%d users, %d groups, %d responses with 429", users, groups, busy)
	return busy
}

// While DynamoDB does not respond, or only after the timeout, every request gets 429 in time and changes nothing.
func TestUnresponsiveDynamoDBReturns429(t *testing.T) {
	onDynamoDB(t, func(t *testing.T, c *client, open func(*tabletest.Wire) table.Table) {
		u := c.create("/Users", `{"userName":"u"}`)
		g := c.create("/Groups", `{"displayName":"g","members":[{"value":"`+u+`"}]}`)
		before := c.dumpTable()
		for _, fault := range []tabletest.Fault{tabletest.Silent, tabletest.Slow} {
			bad := c.withTable(open(&tabletest.Wire{Chance: map[tabletest.Fault]float64{fault: 1}, Delay: 2 * time.Second}))
			bad = bad.withTimeout(200 * time.Millisecond)
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
					resp := bad.expect(bad.do(method, path, body), 429)
					if resp.header.Get("Retry-After") != "2" {
						t.Errorf("%s: Retry-After is %q", r, resp.header.Get("Retry-After"))
					}
				})
			}
			all.Wait()
		}
		if c.dumpTable() != before {
			t.Error("a request with status 429 changed the table")
		}
	})
}

// referencedIDs returns the IDs in an attribute that refers to resources.
func referencedIDs(o scim.Object, attribute string) map[string]bool {
	ids := map[string]bool{}
	list, _ := o[attribute].([]any)
	for _, e := range list {
		ids[e.(scim.Object)["value"].(string)] = true
	}
	return ids
}
