package feed_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"serverless-scim/internal/feed"
	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
)

// A reader is an application that keeps a copy of a tenant's resources. Its copy and its cursor are stored one after the
// other, so a crash may leave an entry applied whose cursor is not stored.
type reader struct {
	tenant *tenant
	count  int
	cursor string
	copies map[string]copied // by ID
	latest map[string]copied // what was applied last, also of deleted resources, and before a restart
}

// A copied is the state of a resource that a reader has applied.
type copied struct {
	version, groupsVersion int64
	state                  string
	deleted                bool
}

// read reads pages until there are no more, and applies them.
func (s *schedule) read(r *reader, pages int) {
	f := feed.NewReader(s.config, r.tenant.name, s.types.ResourceTypes)
	for range pages {
		if r.cursor == "" { // an application that begins replaces its copy
			clear(r.copies)
		}
		page, err := f.Read(s.Begin(nil), r.cursor, r.count)
		if expired := (*scim.Error)(nil); errors.As(err, &expired) {
			if expired.Type != scim.ExpiredCursor {
				s.Fail("a reader failed: %v", err)
			}
			s.tally.Restarts++
			r.cursor = ""
			continue
		}
		if err != nil {
			if !isTemporary(err) {
				s.Fail("a reader failed: %v", err)
			}
			continue
		}
		s.tally.Pages++
		for _, e := range page.Changes {
			s.apply(r, e)
			s.pause() // the application may crash here
		}
		r.cursor = page.Cursor
		if s.pause(); !page.More {
			return
		}
	}
}

// pause is a step that calls nothing.
func (s *schedule) pause() { _ = s.Backoff().Sleep(context.Background(), 0) }

// apply applies an entry to the copy of a reader, and checks it.
func (s *schedule) apply(r *reader, e feed.ResourceChange) {
	s.tally.Applied++
	c, before := copied{deleted: e.State.Head == nil}, r.latest[e.ResourceID]
	if c.deleted {
		delete(r.copies, e.ResourceID)
		r.latest[e.ResourceID] = c
		return
	}
	h := e.State.Head
	c.version, c.groupsVersion, c.state = h.Version, h.GroupsVersion, describe(h)
	switch {
	case before.deleted:
		s.Fail("%s is back after it was deleted", e.ResourceID)
	case c.version < before.version || c.groupsVersion < before.groupsVersion:
		s.Fail("%s goes from %d.%d back to %d.%d", e.ResourceID, before.version, before.groupsVersion, c.version, c.groupsVersion)
	case !r.tenant.states[e.ResourceID][c.state]:
		s.Fail("%s was never %s", e.ResourceID, c.state)
	}
	r.copies[e.ResourceID], r.latest[e.ResourceID] = c, c
}

// runClient sends a few requests, one after the other.
func (s *schedule) runClient() {
	for range 1 + s.Int(4) {
		s.tally.Requests++
		err := s.request(s.tenants[s.Int(2)])
		if known := (*scim.Error)(nil); err != nil && !errors.As(err, &known) && !isTemporary(err) {
			s.Fail("a request failed: %v", err)
		}
	}
}

// request sends a random request.
func (s *schedule) request(n *tenant) error {
	ctx := s.Begin(nil)
	user, group := s.types.ByName("User"), s.types.ByName("Group")
	name := string("abcde"[s.Int(5)])
	kind, id := s.Int(10), s.anyID(n)
	if len(n.ids) < 4 && s.Int(2) == 0 {
		kind = 0
	}
	rt := s.types.ByID(id)
	switch {
	case id == "" || kind == 0:
		_, err := n.dir.Create(ctx, user, scim.Object{"userName": name}, scim.Projection{})
		return err
	case kind == 1:
		_, err := n.dir.Create(ctx, group, scim.Object{"displayName": name, "members": s.members(n)}, scim.Projection{})
		return err
	case kind == 2:
		_, err := n.dir.Delete(ctx, rt, id, nil)
		return err
	case kind == 3 && rt == user:
		_, err := n.dir.Replace(ctx, user, id, scim.Object{"userName": name, "active": s.Int(2) == 0}, nil, scim.Projection{})
		return err
	case kind == 3:
		o := scim.Object{"displayName": name, "members": s.members(n)}
		_, err := n.dir.Replace(ctx, group, id, o, nil, scim.Projection{})
		return err
	case rt == user:
		return s.modify(ctx, n, rt, id, fmt.Sprintf(`{"op":"replace","value":{"active":%t}}`, s.Int(2) == 0))
	case kind == 4:
		return s.modify(ctx, n, rt, id, fmt.Sprintf(`{"op":"replace","path":"displayName","value":%q}`, name))
	default:
		op := []string{"add", "remove"}[s.Int(2)]
		var values []string
		for _, m := range s.members(n) {
			values = append(values, fmt.Sprintf(`{"value":%q}`, m.(scim.Object)["value"]))
		}
		return s.modify(ctx, n, rt, id, fmt.Sprintf(`{"op":%q,"path":"members","value":[%s]}`, op, strings.Join(values, ",")))
	}
}

func (s *schedule) modify(ctx context.Context, n *tenant, rt *scim.ResourceType, id, operation string) error {
	ops, err := patch.Decode([]byte(`{"schemas":["`+patch.PatchOpSchema+`"],"Operations":[`+operation+`]}`), nil)
	if err != nil {
		return err
	}
	_, err = n.dir.Modify(ctx, rt, id, ops, nil, scim.Projection{})
	return err
}

// anyID returns the ID of a resource that was created, "" if there is none.
func (s *schedule) anyID(n *tenant) string {
	if len(n.ids) == 0 {
		return ""
	}
	return n.ids[s.Int(len(n.ids))]
}

// members returns up to seven members in the form of a document.
func (s *schedule) members(n *tenant) []any {
	members := []any{}
	seen := map[string]bool{}
	for range s.Int(8) {
		if id := s.anyID(n); id != "" && !seen[id] {
			seen[id] = true
			members = append(members, scim.Object{"value": id})
		}
	}
	return members
}
