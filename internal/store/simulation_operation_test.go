package store_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/filter"
	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// An operation is one request of a client: what it asks for, what was visible when it began, and what it has done.
type operation struct {
	verb            string // create, delete, change, read, find, list
	method          string // of a change: patch, put
	target          int
	changesMembers  bool
	replacesMembers bool // add is the whole new member list
	add, remove     numberSet
	name            string // "": unchanged
	externalID      string
	setsExternalID  bool
	ifMatch         string
	removesUsers    bool // removes the members of type User that it reads
	withoutMembers  bool // the response must not show members

	// When the operation began.
	request      *tabletest.Request
	start        [maxResources]struct{ version, groupsVersion int64 } // visible to plain reads
	created      numberSet                                            // resources whose creation was confirmed
	missing      numberSet                                            // created, but deleted for plain reads
	deleted      numberSet                                            // resources whose deletion was confirmed
	headsVisible numberSet                                            // plain reads returned the head item
	namesVisible numberSet                                            // plain reads returned the current name item

	// Since then.
	effects   int
	nameTaken bool   // at some moment another resource had the name
	version   int64  // that the operation led to
	changeID  string // of the large change, or ""
}

func (o *operation) String() string {
	return fmt.Sprintf("%s %s %d {add %v, remove %v, replace %v, name %q, externalId %q %v, If-Match %q}",
		o.verb, o.method, o.target, o.add, o.remove, o.replacesMembers, o.name, o.externalID, o.setsExternalID, o.ifMatch)
}

func (o *operation) nameID() nameID { return nameID{typeOf(o.target), o.name[0] | 0x20} }

// recordNameOwner notes that a resource has a name.
func (o *operation) recordNameOwner(n nameID, owner int) {
	if (o.verb == "create" || o.verb == "change") && o.name != "" && o.nameID() == n && owner != o.target {
		o.nameTaken = true
	}
}

// anyNumbers returns a random set, which can contain resources that do not exist.
func (s *schedule) anyNumbers() numberSet { return numberSet(s.Int(1 << maxResources)) }

// pick returns a random number of a set, and prefers the numbers in focus.
func (s *schedule) pick(from numberSet) int {
	if from&s.focus != 0 {
		from &= s.focus
	}
	for x := s.Int(maxResources); ; x = (x + 1) % maxResources {
		if from.has(x) {
			return x
		}
	}
}

var allRequestKinds = []string{"create user", "delete user", "rename user", "put user", "create group", "delete group",
	"rename group", "add", "remove", "remove users", "mixed", "replace", "put group",
	"read group", "read group", "read user", "find", "list"}

// runClient sends a few requests, one after the other.
func (s *schedule) runClient() {
	for range 1 + s.Int(3) {
		if o := s.newOperation(s.requestKinds[s.Int(len(s.requestKinds))]); o != nil {
			s.perform(o)
		}
	}
}

// newOperation begins a random operation of a kind. It returns nil if there is no resource for it, or nothing to
// change.
func (s *schedule) newOperation(kind string) *operation {
	verb, object, _ := strings.Cut(kind, " ")
	targets := s.created & allGroups
	switch {
	case verb == "find" || verb == "list":
		targets = s.created
	case object == "user":
		targets = s.created & allUsers
	}
	if targets == 0 {
		return nil
	}
	o := &operation{verb: "change", method: "patch", target: s.pick(targets)}
	members := s.anyNumbers() & s.created & s.focus
	if s.Int(s.rarity) == 0 {
		members |= s.anyNumbers()
		members = (members | s.anyNumbers()) & s.created
	}
	members &^= only(o.target)
	name := string("abcdABCD"[s.Int(8)])
	if s.Int(s.rarity) == 0 {
		o.name = name
	}
	o.withoutMembers = s.Int(6) == 0 && typeOf(o.target) == 1
	if !s.complete(o, verb, object, members, name) {
		return nil
	}
	if s.Int(8) == 0 && (o.verb == "change" || o.verb == "delete") {
		_, it, _ := s.Peek(s.headKey(o.target))
		h := s.decodeHead(it)
		o.ifMatch = h.entityTag(o.target)
	}
	s.begin(o)
	return o
}

// complete sets what an operation of a kind asks for. It may use the members and the name. It reports whether the
// operation asks for anything.
func (s *schedule) complete(o *operation, verb, object string, members numberSet, name string) bool {
	switch verb {
	case "create":
		return s.completeCreate(o, members, name)
	case "delete", "read", "list":
		o.verb, o.name = verb, ""
	case "find":
		o.verb, o.name = verb, name
	case "rename":
		if o.name = name; object == "user" && s.Int(2) == 0 {
			if o.setsExternalID, o.externalID = true, s.anyExternalID(0); s.Int(2) == 0 {
				o.name = ""
			}
		}
	case "put":
		s.completePut(o, members, name)
	case "add":
		o.changesMembers, o.add = members != 0, members
	case "remove":
		if o.changesMembers, o.remove = members != 0, members; object == "users" {
			o.changesMembers, o.remove, o.removesUsers = true, allUsers, true
		}
	case "mixed":
		o.changesMembers, o.add, o.remove = members != 0, members&0x155, members&^0x155
	case "replace":
		o.changesMembers, o.replacesMembers, o.add = true, true, members
	}
	return o.verb != "change" || o.changesMembers || o.setsExternalID || o.name != ""
}

func (s *schedule) completeCreate(o *operation, members numberSet, name string) bool {
	typ := typeOf(o.target)
	if s.nextNumbers[typ] == []int{maxUsers, maxResources}[typ] {
		return false
	}
	o.verb, o.target, o.name = "create", s.nextNumbers[typ], name
	s.nextNumbers[typ]++
	if o.setsExternalID, o.externalID = true, s.anyExternalID(typ); typ == 1 {
		o.changesMembers, o.replacesMembers, o.add = true, true, members
	}
	return true
}

// completePut makes o a PUT of the whole resource, which leaves most attributes unchanged.
func (s *schedule) completePut(o *operation, members numberSet, name string) {
	o.method, o.setsExternalID, o.externalID = "put", true, s.wantDocuments[o.target].externalID
	if o.name == "" {
		o.name = cmp.Or(s.wantDocuments[o.target].name, name)
	}
	if typeOf(o.target) == 1 {
		o.changesMembers, o.replacesMembers, o.add = true, true, members
	} else if s.Int(2) == 0 {
		o.externalID = s.anyExternalID(0)
	}
}

// anyExternalID returns a random externalId, or "". A group has one only if the transactions have room for its index
// item.
func (s *schedule) anyExternalID(typ int) string {
	if typ == 1 && s.Actions < 7 {
		return ""
	}
	return []string{"", "x", "y"}[s.Int(3)]
}

// begin notes what plain reads return when the operation begins.
func (s *schedule) begin(o *operation) {
	o.created, o.deleted = s.created, s.deleted
	for x, id := range s.ids {
		if id == "" {
			continue
		}
		_, it, lagging := s.Peek(s.headKey(x))
		o.start[x].version, o.start[x].groupsVersion = table.IntValue(it["ver"]), table.IntValue(it["gver"])
		if it != nil {
			o.headsVisible |= only(x)
		}
		if t := s.nameWrites[x]; t == nil || t.Visible() {
			o.namesVisible |= only(x)
		}
		if s.created.has(x) && (it == nil || it["deleting"] != nil) {
			o.missing |= only(x)
		}
		if lagging && x == o.target { // plain reads do not see all of a transaction on it, so no order is promised
			o.deleted = 0
		}
	}
	for n, owner := range s.names {
		o.recordNameOwner(n, owner)
	}
	if o.name != "" {
		_, it, _ := s.Peek(nameKey(o.nameID()))
		if it != nil {
			o.recordNameOwner(o.nameID(), s.number(textOf(it["id"])))
		}
	}
	s.active = append(s.active, o)
	s.tally.Requests++
	o.request = s.Begin(o)
	s.Log("begins: %v", o)
}

// perform sends the request and checks its response.
func (s *schedule) perform(o *operation) {
	var r *directory.Resource
	var l *directory.ListResult
	var err error
	rt, id, p := s.resourceTypes[typeOf(o.target)], s.ids[o.target], scim.Projection{}
	if o.withoutMembers {
		p = s.simulator.withoutMembers
	}
	var match directory.Precondition
	if o.ifMatch != "" {
		match = func(entityTag string) bool { return entityTag == o.ifMatch }
	}
	page := directory.ListParams{Types: directorytest.Only(rt), StartIndex: 1, Count: 100, Projection: p}
	switch {
	case o.verb == "create":
		r, err = s.dir.Create(o.request, rt, s.requestObject(o), p)
	case o.verb == "delete":
		_, err = s.dir.Delete(o.request, rt, id, match)
	case o.verb == "read":
		r, err = s.dir.Retrieve(o.request, rt, id, p)
	case o.verb == "find":
		page.Filter = s.nameFilters[o.nameID()]
		l, err = s.dir.List(o.request, page)
	case o.verb == "list":
		l, err = s.dir.List(o.request, page)
	case o.method == "put":
		r, err = s.dir.Replace(o.request, rt, id, s.requestObject(o), match, p)
	default:
		r, err = s.dir.Modify(o.request, rt, id, s.patchOperations(o), match, p)
	}
	s.active = slices.DeleteFunc(s.active, func(other *operation) bool { return other == o })
	s.Log("ends: %v: %v", o, err)
	s.checkResponse(o, r, l, err)
}

// requestObject returns the resource of a POST or PUT.
func (s *schedule) requestObject(o *operation) scim.Object {
	object := scim.Object{s.resourceTypes[typeOf(o.target)].Storage.NameAttribute: o.name}
	if o.externalID != "" {
		object["externalId"] = o.externalID
	}
	if o.changesMembers && o.add != 0 {
		object["members"] = s.memberList(o.add)
	}
	return object
}

func (s *schedule) memberList(set numberSet) (list []any) {
	for x := range set.each {
		list = append(list, scim.Object{"value": s.ids[x]})
	}
	return list
}

// patchOperations returns the operations of a PATCH.
func (s *schedule) patchOperations(o *operation) (ops []patch.Operation) {
	value := scim.Object{}
	if o.name != "" {
		value[s.resourceTypes[typeOf(o.target)].Storage.NameAttribute] = o.name
	}
	if o.setsExternalID && o.externalID != "" {
		value["externalId"] = o.externalID
	}
	if len(value) > 0 {
		ops = append(ops, patch.Operation{Op: patch.Replace, Value: value})
	}
	if o.setsExternalID && o.externalID == "" {
		ops = append(ops, patch.Operation{Op: patch.Remove, Path: &filter.Path{Attr: filter.Attr{Name: "externalId"}}})
	}
	if o.replacesMembers {
		return append(ops, patch.Operation{Op: patch.Replace, Path: s.membersPath, Value: s.memberList(o.add)})
	}
	if o.removesUsers {
		return append(ops, patch.Operation{Op: patch.Remove, Path: s.usersPath})
	}
	if o.add != 0 {
		ops = append(ops, patch.Operation{Op: patch.Add, Path: s.membersPath, Value: s.memberList(o.add)})
	}
	if o.remove != 0 {
		ops = append(ops, patch.Operation{Op: patch.Remove, Path: s.membersPath, Value: s.memberList(o.remove)})
	}
	return ops
}
