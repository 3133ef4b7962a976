package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"strings"
)

// errNoResponse means that a request got no response, and may or may not have taken effect.
var errNoResponse = errors.New("no response")

// client sends random requests and verifies their effects. No other client writes its users and groups. In the groups
// named shared-…, each client adds and removes only its own users. So the client knows the expected state.
type client struct {
	name          string // prefix, before a hyphen, of the names of its resources
	users, groups int    // numbers of resources to create
	rand          *rand.Rand

	created                 int               // number of names used
	ids                     map[string]string // by name
	state                   state             // effect of the confirmed requests
	uncertain               *request          // a request without a response, or nil
	confirmed, done, undone int               // requests with a response, and without one by effect
}

// state is the content of the table as far as it belongs to a client.
type state struct {
	users  map[string]string          // title by userName
	groups map[string]map[string]bool // members among its users, by displayName
}

// createSharedGroups creates the groups that all clients write.
func (c *client) createSharedGroups(p *process) (err error) {
	c.state, err = c.readState(p)
	for i := 0; i < 3 && err == nil; i++ {
		err = c.do(p, c.createGroupNamed(fmt.Sprint("shared-", i)))
	}
	return err
}

// createOwn creates the users and groups of the client.
func (c *client) createOwn(p *process) (err error) {
	if c.state, err = c.readState(p); err != nil {
		return err
	}
	for len(c.state.users) < c.users {
		if err := c.do(p, c.createUser()); err != nil {
			return err
		}
	}
	for len(c.ownGroups()) < c.groups {
		if err := c.do(p, c.createGroup()); err != nil {
			return err
		}
	}
	return nil
}

// sendUntilKilled verifies the state and then sends requests until one gets no response.
func (c *client) sendUntilKilled(p *process) error {
	err := c.verify(p)
	for err == nil {
		err = c.do(p, c.chooseRequest())
	}
	return err
}

// do sends a request and applies its effect to the expected state.
func (c *client) do(p *process, r request) error {
	c.uncertain = &r
	status, response, err := p.send(r.method, r.path, r.body)
	switch {
	case err != nil:
		return err
	case status == http.StatusTooManyRequests:
		return c.verify(p)
	case status/100 != 2:
		return fmt.Errorf("%s %s: %d %s", r.method, r.path, status, response)
	}
	result := resource{}
	if len(response) > 0 {
		err = json.Unmarshal(response, &result)
	}
	r.effect(c.state)
	c.ids[r.name], c.uncertain = result.ID, nil
	c.confirmed++
	p.confirmed.Add(1)
	return err
}

// verify compares the table with the expected state. The request without a response must have taken effect completely
// or not at all.
func (c *client) verify(p *process) error {
	got, err := c.readState(p)
	if err != nil {
		return err
	}
	sent := c.uncertain
	c.uncertain = nil
	if reflect.DeepEqual(got, c.state) {
		if sent != nil {
			c.undone++
		}
		return nil
	}
	if sent != nil {
		c.done++
		before := c.state.differences(got)
		if sent.effect(c.state); reflect.DeepEqual(got, c.state) {
			return nil
		}
		return fmt.Errorf("%s %s %.300s took effect partly: without it, %s; with it, %s",
			sent.method, sent.path, fmt.Sprint(sent.body), before, c.state.differences(got))
	}
	return fmt.Errorf("the table differs from the confirmed state: %s", c.state.differences(got))
}

// differences describes how got differs from s.
func (s state) differences(got state) string {
	var b strings.Builder
	for name := range union(s.users, got.users) {
		if s.users[name] != got.users[name] {
			fmt.Fprintf(&b, "%s has title %q and should have %q; ", name, got.users[name], s.users[name])
		}
	}
	for name := range union(s.groups, got.groups) {
		if !maps.Equal(s.groups[name], got.groups[name]) {
			fmt.Fprintf(&b, "%s has %d members and should have %d; ", name, len(got.groups[name]), len(s.groups[name]))
		}
	}
	return b.String()
}

func union[V any](a, b map[string]V) map[string]V {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// resource is the part of a resource that the client reads.
type resource struct {
	ID, UserName, Title, DisplayName string
	Members, Groups                  []struct{ Value string }
}

// readState reads the client's users, its groups, and the shared groups. It returns an error if the two sides of a
// membership differ. Groups are read first: reading one finishes its pending change, so that the users' groups are up
// to date. Other IDs belong to other clients or to resources that are being deleted.
func (c *client) readState(p *process) (state, error) {
	s := state{map[string]string{}, map[string]map[string]bool{}}
	groups, err := p.list("/Groups", fmt.Sprintf("displayName sw %q or displayName sw %q", c.name+"-", "shared-"))
	if err != nil {
		return s, err
	}
	users, err := p.list("/Users", fmt.Sprintf("userName sw %q", c.name+"-"))
	if err != nil {
		return s, err
	}
	names := map[string]string{}
	c.ids = map[string]string{}
	for _, r := range append(users, groups...) {
		name := r.UserName + r.DisplayName
		names[r.ID], c.ids[name] = name, r.ID
	}
	unmatched := map[[2]string]bool{} // pairs of a group and a user that the group lists
	for _, g := range groups {
		members := map[string]bool{}
		for _, m := range g.Members {
			if user, own := names[m.Value]; own {
				members[user], unmatched[[2]string{g.DisplayName, user}] = true, true
			}
		}
		s.groups[g.DisplayName] = members
	}
	for _, u := range users {
		s.users[u.UserName] = u.Title
		for _, g := range u.Groups {
			if group, known := names[g.Value]; known && !unmatched[[2]string{group, u.UserName}] {
				return s, fmt.Errorf("%s has the group %s, which does not list it", u.UserName, group)
			}
			delete(unmatched, [2]string{names[g.Value], u.UserName})
		}
	}
	if len(unmatched) > 0 {
		return s, fmt.Errorf("groups list members whose groups attribute lacks them: %v", unmatched)
	}
	return s, nil
}

// list returns the resources that match a filter. It repeats requests that get 429.
func (p *process) list(path, filter string) ([]resource, error) {
	query := url.Values{"filter": {filter}, "count": {"1000"}, "attributes": {"userName,title,displayName,members,groups"}}
	status, response, err := http.StatusTooManyRequests, []byte(nil), error(nil)
	for err == nil && status == http.StatusTooManyRequests {
		status, response, err = p.send("GET", path+"?"+query.Encode(), nil)
	}
	if err != nil {
		return nil, err
	}
	list := struct {
		TotalResults int
		Resources    []resource
	}{}
	if err := json.Unmarshal(response, &list); err != nil || status != 200 || list.TotalResults != len(list.Resources) {
		return nil, fmt.Errorf("GET %s %s: %d, %d of %d resources, %v",
			path, filter, status, len(list.Resources), list.TotalResults, err)
	}
	return list.Resources, nil
}

func (p *process) send(method, path string, body any) (status int, response []byte, err error) {
	b, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	r, err := http.NewRequest(method, p.url+path, bytes.NewReader(b))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer killed")
	r.Header.Set("Content-Type", "application/scim+json")
	resp, err := p.client.Do(r)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %v", errNoResponse, err)
	}
	defer resp.Body.Close()
	if response, err = io.ReadAll(resp.Body); err != nil {
		return 0, nil, fmt.Errorf("%w: %v", errNoResponse, err)
	}
	return resp.StatusCode, response, nil
}
