package server

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/feed"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/token"
)

// publish publishes what the requests have changed.
func (c *client) publish() {
	c.Helper()
	p := &feed.Publisher{Store: c.config.Directory.Store, IsActive: c.config.Tokens.Exists}
	for more := 1; more > 0; {
		n, err := c.config.Directory.Store.Table.(table.Stream).Receive(c.Context(), func(ctx context.Context, records []table.Record) error {
			_, err := p.Publish(ctx, records)
			return err
		})
		if more = n; err != nil {
			c.Fatal(err)
		}
	}
}

// readChanges reads the pages of a path until the last, and returns their changes and the cursor.
func (c *client) readChanges(path, cursor string) (changes []feed.Message, next string) {
	c.Helper()
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	for {
		query := ""
		if cursor != "" {
			query = separator + "cursor=" + cursor
		}
		resp := c.do("GET", path+query, "")
		var page changeList
		if err := json.Unmarshal([]byte(resp.text), &page); resp.status != 200 || err != nil {
			c.Fatalf("GET %s: %d %s, %v", path+query, resp.status, resp.text, err)
		}
		for _, m := range page.Changes {
			if (m.Type[0] == "user.listed" || m.Type[0] == "group.listed") != page.Listing {
				c.Errorf("listing is %t, and a type is %s", page.Listing, m.Type[0])
			}
		}
		if wait := resp.header.Get("Retry-After"); (wait == "") != page.More {
			c.Errorf("more is %t, and Retry-After is %q", page.More, wait)
		}
		changes, cursor = append(changes, page.Changes...), page.NextCursor
		if !page.More {
			return changes, cursor
		}
	}
}

// An application that reads /Changes sees what each request changed, with the resource as GET shows it.
func TestChanges(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	user := c.create("/Users", `{"userName":"ada","title":"t"}`)
	c.publish()
	listed, cursor := c.readChanges("/Changes", "")
	if len(listed) != 1 || listed[0].ID != user || !slices.Equal(listed[0].Type, []string{"user.listed"}) {
		t.Errorf("the list is %+v", listed)
	}
	group := c.create("/Groups", `{"displayName":"eng","members":[{"value":"`+user+`"}]}`)
	c.do("PATCH", "/Users/"+user, `{"Operations":[{"op":"replace","value":{"active":false}}]}`)
	gone := c.create("/Users", `{"userName":"gone"}`)
	c.do("DELETE", "/Users/"+gone, "")
	c.publish()
	changes, cursor := c.readChanges("/Changes?count=2", cursor)
	byID := map[string]feed.Message{}
	for _, m := range changes {
		byID[m.ID] = m
	}
	m := byID[user]
	if want := c.do("GET", "/Users/"+user, "").text; string(m.Resource) != want {
		t.Errorf("the resource is\n%s\nwant\n%s", m.Resource, want)
	}
	got := fmt.Sprintln(m.ResourceType, m.Version, m.Type, m.Attributes, m.Groups.Joined, m.Groups.Left, m.Request, len(m.Token), m.Deleted)
	if got != `User W/"2.1" [user.deactivated user.updated user.groups_changed] [active groups] [`+group+"] [] request 16 false\n" {
		t.Errorf("the change of the user is %s", got)
	}
	if m := byID[gone]; !m.Deleted || m.Resource != nil || m.Version != "" || !slices.Equal(m.Events, []string{feed.DeleteEvent}) {
		t.Errorf("the deletion is %+v", m)
	}
	if m := byID[group]; strings.Contains(string(m.Resource), "members") || m.Type[0] != "group.created" || m.Events[0] != feed.CreateFull {
		t.Errorf("the change of the group is %+v %s", m, m.Resource)
	}
	if changes, _ := c.readChanges("/Changes", cursor); len(changes) != 0 {
		t.Errorf("at the end, there are %v", changes)
	}
}

// The parameters select types and attributes. Members are shown only if the client names them.
func TestChangesParameters(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	user := c.create("/Users", `{"userName":"ada","title":"t"}`)
	c.create("/Groups", `{"displayName":"eng","members":[{"value":"`+user+`"}]}`)
	for query, want := range map[string]string{
		"":                                  `User:groups,id,meta,schemas,title,userName Group:displayName,id,meta,schemas`,
		"resourceTypes=Group":               `Group:displayName,id,meta,schemas`,
		"resourceTypes=Group,%20User,Group": `Group:displayName,id,meta,schemas User:groups,id,meta,schemas,title,userName`,
		"resourceTypes=Group&attributes=members,displayName":   `Group:displayName,id,members,schemas`,
		"resourceTypes=User&attributes=userName":               `User:id,schemas,userName`,
		"resourceTypes=User&excludedAttributes=groups,meta":    `User:id,schemas,title,userName`,
		"resourceTypes=Group&excludedAttributes=meta":          `Group:displayName,id,schemas`,
		"resourceTypes=Group&excludedAttributes=members&count": `Group:displayName,id,meta,schemas`,
	} {
		changes, _ := c.readChanges("/Changes?"+query, "")
		var got []string
		for _, m := range changes {
			o, err := scim.ParseObject(m.Resource)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for name := range o {
				names = append(names, name)
			}
			slices.Sort(names)
			got = append(got, m.ResourceType+":"+strings.Join(names, ","))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", query, got, want)
		}
	}
	for query, scimType := range map[string]string{
		"count=0": scim.InvalidCount, "count=-1": scim.InvalidCount, "count=x": scim.InvalidCount,
		"resourceTypes=Robot": scim.InvalidValue, "cursor=x": scim.InvalidCursor, "attributes=": "", "cursor=": "", "count=5000": "",
	} {
		resp := c.do("GET", "/Changes?"+query, "")
		if got, _ := resp.body["scimType"].(string); got != scimType || (scimType == "") != (resp.status == 200) {
			t.Errorf("%s: %d %s, want %q", query, resp.status, resp.text, scimType)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		if resp := c.do(method, "/Changes", "{}"); resp.status != 405 {
			t.Errorf("%s returns %d", method, resp.status)
		}
	}
}

// A page that would exceed the largest response is shortened, in the list and in the log, because a client could not
// continue otherwise.
func TestLargePagesAreShortened(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	_, cursor := c.readChanges("/Changes", "")
	const users = 120
	for i := range users {
		c.create("/Users", fmt.Sprintf(`{"userName":"u%d","nickName":%q}`, i, strings.Repeat("x", 60<<10)))
	}
	c.publish()
	for name, from := range map[string]string{"list": "", "log": cursor} {
		if changes, _ := c.readChanges("/Changes?count=1000", from); len(changes) != users {
			t.Errorf("%s: %d changes, want %d", name, len(changes), users)
		}
	}
}

// A corrupt document does not stop a reader. The resource is left out and logged.
func TestChangesLeaveOutCorruptResource(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	first, damaged := c.create("/Users", `{"userName":"ada"}`), c.create("/Users", `{"userName":"bob"}`)
	head := table.Key{PK: "test#User#" + damaged, SK: "@"}
	err := c.config.Directory.Store.Table.Write(t.Context(), table.Update{Key: head, Set: table.Item{"doc": table.S("{")}})
	if err != nil {
		t.Fatal(err)
	}
	if changes, _ := c.readChanges("/Changes", ""); len(changes) != 1 || changes[0].ID != first {
		t.Errorf("%+v", changes)
	}
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	if !strings.Contains(c.log.String(), "resource left out of changes") {
		t.Error("the resource is not logged")
	}
}

// After a reset, a cursor has expired, and the client begins again.
func TestChangesAfterReset(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create("/Users", `{"userName":"ada"}`)
	_, cursor := c.readChanges("/Changes", "")
	if err := feed.Reset(t.Context(), c.config.Directory.Store, "test"); err != nil {
		t.Fatal(err)
	}
	if resp := c.do("GET", "/Changes?cursor="+cursor, ""); resp.status != 400 || resp.body["scimType"] != scim.ExpiredCursor {
		t.Errorf("%d %s", resp.status, resp.text)
	}
	if changes, _ := c.readChanges("/Changes", ""); len(changes) != 1 {
		t.Errorf("a new list has %d resources", len(changes))
	}
}

// A tenant that has only some resource types reads only their changes.
func TestChangesOfEnabledTypes(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.create("/Users", `{"userName":"ada"}`)
	c.create("/Groups", `{"displayName":"eng"}`)
	_, err := c.config.Tokens.UpdateTenant(t.Context(), "test", func(tenant *token.Tenant) error {
		tenant.Settings.ResourceTypes = []string{"User"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.config.Tokens = &token.Store{Table: c.config.Tokens.Table, Now: time.Now} // without a cache
	c.handler = New(c.config)
	if changes, _ := c.readChanges("/Changes", ""); len(changes) != 1 || changes[0].ResourceType != "User" {
		t.Errorf("the list is %+v", changes)
	}
	if resp := c.do("GET", "/Changes?resourceTypes=Group", ""); resp.status != 400 {
		t.Errorf("a disabled type: %d", resp.status)
	}
}

// A bulk request is one request: its changes have its ID.
func TestChangesOfBulkRequestHaveItsID(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	_, cursor := c.readChanges("/Changes", "")
	c.do("POST", "/Bulk", `{`+bulkSchemas+`,"Operations":[{"method":"POST","path":"/Users","bulkId":"1","data":{"userName":"a"}},
		{"method":"POST","path":"/Users","bulkId":"2","data":{"userName":"b"}}]}`)
	c.publish()
	changes, _ := c.readChanges("/Changes", cursor)
	if len(changes) != 2 || changes[0].Request != "request" || changes[1].Request != "request" {
		t.Errorf("%+v", changes)
	}
}
