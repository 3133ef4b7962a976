package directory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// op is one request of a client, with what was true when it began and what has become of it.
type op struct {
	verb     string // create, delete, change, read, find, list
	how      string // of a change: patch, put
	target   int
	members  bool // it says something of the members
	replace  bool // … all of them
	add, del idSet
	name     string // "": as it is
	ext      string
	setsExt  bool
	ifMatch  string
	loose    bool // members that are being deleted may be removed, too: it is about those that can be seen
	bare     bool // the answer is to be without the members

	request           *tabletest.Request
	seen              [simAll]struct{ ver, gver int64 }
	born, dead, acked idSet
	there             idSet // their heads could be seen
	settled           idSet // their name, and that they have no other, could be seen
	contested         bool  // somebody else had the name at some moment

	effects int
	at      int64  // the version that it made
	change  string // the large change that it became
}

func (o *op) String() string {
	return fmt.Sprintf("%s %s %d {add %v, remove %v, replace %v, name %q, externalId %q %v, If-Match %q}",
		o.verb, o.how, o.target, o.add, o.del, o.replace, o.name, o.ext, o.setsExt, o.ifMatch)
}

func (o *op) place() place { return place{kind(o.target), o.name[0] | 0x20} }

// meets notes that a name has an owner.
func (o *op) meets(p place, owner int) {
	if (o.verb == "create" || o.verb == "change") && o.name != "" && o.place() == p && owner != o.target {
		o.contested = true
	}
}

// some is any of all, also of those that are not there.
func (w *world) some() idSet { return idSet(w.Int(1 << simAll)) }

// pick is one of these, of those that the schedule is about if there are any.
func (w *world) pick(from idSet) int {
	if from&w.focus != 0 {
		from &= w.focus
	}
	for x := w.Int(simAll); ; x = (x + 1) % simAll {
		if from.has(x) {
			return x
		}
	}
}

var simKinds = []string{"create user", "delete user", "rename user", "put user", "create group", "delete group",
	"rename group", "add", "remove", "remove users", "mixed", "replace", "put group",
	"read group", "read group", "read user", "find", "list"}

// client does a few requests, one after the other.
func (w *world) client() {
	for range 1 + w.Int(3) {
		if o := w.plan(w.kinds[w.Int(len(w.kinds))]); o != nil {
			w.perform(o)
		}
	}
}

// plan makes up a request, nil if there is nobody for it, or nothing to say.
func (w *world) plan(what string) *op {
	verb, of, _ := strings.Cut(what, " ")
	from := w.born & everyGroup
	switch {
	case verb == "find" || verb == "list":
		from = w.born
	case of == "user":
		from = w.born & everyUser
	}
	if from == 0 {
		return nil
	}
	o := &op{verb: "change", how: "patch", target: w.pick(from)}
	o.add = w.some() & w.born & w.focus
	if w.Int(w.modest) == 0 {
		o.add |= w.some()
		o.add = (o.add | w.some()) & w.born
	}
	o.add &^= bit(o.target)
	o.name = string("abcdABCD"[w.Int(8)])
	renames := w.Int(w.modest) == 0
	o.bare = w.Int(6) == 0 && kind(o.target) == 1
	if !w.ask(o, verb, of, renames) {
		return nil
	}
	if w.Int(8) == 0 && (o.verb == "change" || o.verb == "delete") {
		_, it, _ := w.Peek(w.headKey(o.target))
		h := w.head(it)
		o.ifMatch = h.tag(o.target)
	}
	w.begin(o)
	return o
}

// ask makes a request of a kind of what might be added to a group and of what might be a name. It tells whether that
// says anything.
func (w *world) ask(o *op, verb, of string, renames bool) bool {
	some, name := o.add, o.name
	if o.add = 0; !renames {
		o.name = ""
	}
	switch verb {
	case "create":
		return w.askCreate(o, some, name)
	case "delete", "read", "list":
		o.verb, o.name = verb, ""
	case "find":
		o.verb, o.name = verb, name
	case "rename":
		if o.name = name; of == "user" && w.Int(2) == 0 {
			if o.setsExt, o.ext = true, w.ext(0); w.Int(2) == 0 {
				o.name = ""
			}
		}
	case "put":
		w.askPut(o, some, name)
	case "add":
		o.members, o.add = some != 0, some
	case "remove":
		if o.members, o.del = some != 0, some; of == "users" {
			o.members, o.del, o.loose = true, everyUser, true
		}
	case "mixed":
		o.members, o.add, o.del = some != 0, some&0x155, some&^0x155
	case "replace":
		o.members, o.replace, o.add = true, true, some
	}
	return o.verb != "change" || o.members || o.setsExt || o.name != ""
}

func (w *world) askCreate(o *op, some idSet, name string) bool {
	k := kind(o.target)
	if w.next[k] == []int{simUsers, simAll}[k] {
		return false
	}
	o.verb, o.target, o.name = "create", w.next[k], name
	w.next[k]++
	if o.setsExt, o.ext = true, w.ext(k); k == 1 {
		o.members, o.replace, o.add = true, true, some
	}
	return true
}

// askPut says everything of the resource, most of it as it is.
func (w *world) askPut(o *op, some idSet, name string) {
	o.how, o.setsExt, o.ext = "put", true, w.docs[o.target].ext
	if o.name == "" {
		o.name = cmp.Or(w.docs[o.target].name, name)
	}
	if kind(o.target) == 1 {
		o.members, o.replace, o.add = true, true, some
	} else if w.Int(2) == 0 {
		o.ext = w.ext(0)
	}
}

// ext is an externalId, or none. One of a group would be an action too many for the smallest transactions.
func (w *world) ext(kind int) string {
	if kind == 1 && w.Actions < 7 {
		return ""
	}
	return []string{"", "x", "y"}[w.Int(3)]
}

// begin notes what is true when the request begins.
func (w *world) begin(o *op) {
	o.born, o.acked = w.born, w.acked
	for x, id := range w.ids {
		if id == "" {
			continue
		}
		_, it, lagging := w.Peek(w.headKey(x))
		o.seen[x].ver, o.seen[x].gver = table.IntValue(it["ver"]), table.IntValue(it["gver"])
		if it != nil {
			o.there |= bit(x)
		}
		if t := w.renamed[x]; t == nil || t.Visible() {
			o.settled |= bit(x)
		}
		if w.born.has(x) && (it == nil || it["deleting"] != nil) {
			o.dead |= bit(x)
		}
		if lagging && x == o.target { // another's transaction on it is not yet for all to see: no order is promised
			o.acked = 0
		}
	}
	for p, owner := range w.names {
		o.meets(p, owner)
	}
	if o.name != "" {
		_, it, _ := w.Peek(w.nameKey(o.place()))
		if it != nil {
			o.meets(o.place(), w.x(simText(it["id"])))
		}
	}
	w.active = append(w.active, o)
	w.tally.Requests++
	o.request = w.Begin(o)
	w.Log("begins: %v", o)
}

// perform sends the request and judges its answer.
func (w *world) perform(o *op) {
	var r *Resource
	var l *ListResult
	var err error
	rt, id, p := w.rts[kind(o.target)], w.ids[o.target], scim.Projection{}
	if o.bare {
		p = w.bare
	}
	var match Precondition
	if o.ifMatch != "" {
		match = func(v string) bool { return v == o.ifMatch }
	}
	switch {
	case o.verb == "create":
		r, err = w.d.Create(o.request, rt, w.document(o), p)
	case o.verb == "delete":
		_, err = w.d.Delete(o.request, rt, id, match)
	case o.verb == "read":
		r, err = w.d.Retrieve(o.request, rt, id, p)
	case o.verb == "find":
		f := w.filters[o.place()]
		l, err = w.d.List(o.request, Params{Types: only(rt), Filter: f, StartIndex: 1, Count: 100, Projection: p})
	case o.verb == "list":
		l, err = w.d.List(o.request, Params{Types: only(rt), StartIndex: 1, Count: 100, Projection: p})
	case o.how == "put":
		r, err = w.d.Replace(o.request, rt, id, w.document(o), match, p)
	default:
		r, err = w.d.Modify(o.request, rt, id, w.operations(o), match, p)
	}
	w.active = slices.DeleteFunc(w.active, func(a *op) bool { return a == o })
	w.Log("answered: %v: %v", o, err)
	w.judge(o, r, l, err)
}

// document is the resource as the client sends it.
func (w *world) document(o *op) scim.Object {
	doc := scim.Object{w.rts[kind(o.target)].Storage.NameAttribute: o.name}
	if o.ext != "" {
		doc["externalId"] = o.ext
	}
	if o.members && o.add != 0 {
		doc["members"] = w.list(o.add)
	}
	return doc
}

// operations is the change as a PATCH.
func (w *world) operations(o *op) (ops []patch.Operation) {
	doc := scim.Object{}
	if o.name != "" {
		doc[w.rts[kind(o.target)].Storage.NameAttribute] = o.name
	}
	if o.setsExt && o.ext != "" {
		doc["externalId"] = o.ext
	}
	if len(doc) > 0 {
		ops = append(ops, patch.Operation{Op: patch.Replace, Value: doc})
	}
	if o.setsExt && o.ext == "" {
		ops = append(ops, patch.Operation{Op: patch.Remove, Path: &filter.Path{Attr: filter.Attr{Name: "externalId"}}})
	}
	if o.replace {
		ops = append(ops, patch.Operation{Op: patch.Replace, Path: w.membersPath, Value: w.list(o.add)})
		return ops
	}
	if o.loose {
		return append(ops, patch.Operation{Op: patch.Remove, Path: w.usersPath})
	}
	if o.add != 0 {
		ops = append(ops, patch.Operation{Op: patch.Add, Path: w.membersPath, Value: w.list(o.add)})
	}
	if o.del != 0 {
		ops = append(ops, patch.Operation{Op: patch.Remove, Path: w.membersPath, Value: w.list(o.del)})
	}
	return ops
}
