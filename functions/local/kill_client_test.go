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

// errNoAnswer says that a request may have been done or not.
var errNoAnswer = errors.New("no answer")

// client is the only one to write its own users and groups. Groups called shared-… are everybody's: there it adds and
// removes its own users. So it knows what it must find.
type client struct {
	name          string // begins the names of its own, before a hyphen
	users, groups int    // how many it keeps
	rand          *rand.Rand

	made                   int
	ids                    map[string]string // by name
	state                  state             // as answered
	maybe                  *request          // was sent and not answered
	answered, done, undone int
}

// state is what a client sees of its own.
type state struct {
	users  map[string]string          // title by userName
	groups map[string]map[string]bool // those of its users that are in it, by displayName
}

// share makes the groups of all.
func (c *client) share(p *process) (err error) {
	c.state, err = c.observe(p)
	for i := 0; i < 3 && err == nil; i++ {
		err = c.do(p, c.createGroupCalled(fmt.Sprint("shared-", i)))
	}
	return err
}

// begin makes all that a client keeps.
func (c *client) begin(p *process) (err error) {
	if c.state, err = c.observe(p); err != nil {
		return err
	}
	for len(c.state.users) < c.users {
		if err := c.do(p, c.createUser()); err != nil {
			return err
		}
	}
	for len(c.own()) < c.groups {
		if err := c.do(p, c.createGroup()); err != nil {
			return err
		}
	}
	return nil
}

// work checks what it finds, and sends requests until there is no answer.
func (c *client) work(p *process) error {
	err := c.settle(p)
	for err == nil {
		err = c.do(p, c.choose())
	}
	return err
}

// do sends a request, whose effect is seen from its answer on.
func (c *client) do(p *process, r request) error {
	c.maybe = &r
	status, answer, err := p.send(r.method, r.path, r.body)
	switch {
	case err != nil:
		return err
	case status == http.StatusTooManyRequests:
		return c.settle(p)
	case status/100 != 2:
		return fmt.Errorf("%s %s: %d %s", r.method, r.path, status, answer)
	}
	made := resource{}
	if len(answer) > 0 {
		err = json.Unmarshal(answer, &made)
	}
	r.effect(c.state)
	c.ids[r.name], c.maybe = made.ID, nil
	c.answered++
	p.answered.Add(1)
	return err
}

// settle compares what is there with what was answered. What was not answered was done wholly or not at all.
func (c *client) settle(p *process) error {
	got, err := c.observe(p)
	if err != nil {
		return err
	}
	sent := c.maybe
	c.maybe = nil
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
		return fmt.Errorf("%s %s %.300s was done in part: without it %s, with it %s",
			sent.method, sent.path, fmt.Sprint(sent.body), before, c.state.differences(got))
	}
	return fmt.Errorf("what was answered is not what is there: %s", c.state.differences(got))
}

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
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

// resource is what the client reads of one.
type resource struct {
	ID, UserName, Title, DisplayName string
	Members, Groups                  []struct{ Value string }
}

// observe reads all that is its own, and both sides of each membership. Groups come first: what is read of them is
// finished, and so seen in their members. Other ids are those of what others own, or of what is gone and not drained.
func (c *client) observe(p *process) (state, error) {
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
	seen := map[[2]string]bool{}
	for _, g := range groups {
		members := map[string]bool{}
		for _, m := range g.Members {
			if user, mine := names[m.Value]; mine {
				members[user], seen[[2]string{g.DisplayName, user}] = true, true
			}
		}
		s.groups[g.DisplayName] = members
	}
	for _, u := range users {
		s.users[u.UserName] = u.Title
		for _, g := range u.Groups {
			if group, known := names[g.Value]; known && !seen[[2]string{group, u.UserName}] {
				return s, fmt.Errorf("%s is in %s, which does not have it", u.UserName, group)
			}
			delete(seen, [2]string{names[g.Value], u.UserName})
		}
	}
	if len(seen) > 0 {
		return s, fmt.Errorf("groups have members that are not in them: %v", seen)
	}
	return s, nil
}

func (p *process) list(path, filter string) ([]resource, error) {
	query := url.Values{"filter": {filter}, "count": {"1000"}, "attributes": {"userName,title,displayName,members,groups"}}
	status, answer, err := http.StatusTooManyRequests, []byte(nil), error(nil)
	for err == nil && status == http.StatusTooManyRequests {
		status, answer, err = p.send("GET", path+"?"+query.Encode(), nil)
	}
	if err != nil {
		return nil, err
	}
	list := struct {
		TotalResults int
		Resources    []resource
	}{}
	if err := json.Unmarshal(answer, &list); err != nil || status != 200 || list.TotalResults != len(list.Resources) {
		return nil, fmt.Errorf("GET %s %s: %d, %d of %d resources, %v",
			path, filter, status, len(list.Resources), list.TotalResults, err)
	}
	return list.Resources, nil
}

func (p *process) send(method, path string, body any) (status int, answer []byte, err error) {
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
		return 0, nil, fmt.Errorf("%w: %v", errNoAnswer, err)
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(resp.Body); err != nil {
		return 0, nil, fmt.Errorf("%w: %v", errNoAnswer, err)
	}
	return resp.StatusCode, answer, nil
}
