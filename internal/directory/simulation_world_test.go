package directory

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// In a simulation a resource is a small number: the users first, the groups behind them. A number is used once.
const (
	simUsers, simGroups = 5, 4
	simAll              = simUsers + simGroups
	everyUser           = idSet(1<<simUsers - 1)
	everyGroup          = idSet(1<<simAll - 1<<simUsers)
)

type idSet uint16

func bit(x int) idSet          { return 1 << x }
func (s idSet) has(x int) bool { return s&bit(x) != 0 }
func (s idSet) len() int       { return bits.OnesCount16(uint16(s)) }
func (s idSet) String() (t string) {
	for x := range s.each {
		t += strconv.Itoa(x)
	}
	return "{" + t + "}"
}

func (s idSet) each(yield func(int) bool) {
	for ; s != 0; s &= s - 1 {
		if !yield(bits.TrailingZeros16(uint16(s))) {
			return
		}
	}
}

// kind is 0 of a user and 1 of a group.
func kind(x int) int { return x / simUsers }

// simDoc is what documents say in a simulation.
type simDoc struct{ name, ext string }

// slot is the place of the name: "A" is taken where "a" is.
func (d simDoc) slot() byte { return d.name[0] | 0x20 }

// simHead is a head as this test reads it, without the code under test.
type simHead struct {
	there, deleting bool
	ver, gver, n    int64
	sum, left       int64
	groups          idSet
	pending, doc    string
	simDoc
}

func (h *simHead) alive() bool { return h.there && !h.deleting }

// tag is the version as clients see it.
func (h *simHead) tag(x int) string {
	if kind(x) == 0 {
		return fmt.Sprintf(`W/"%d.%d"`, h.ver, h.gver)
	}
	return fmt.Sprintf(`W/"%d"`, h.ver)
}

// simVersion is what a resource was at a version.
type simVersion struct {
	doc      simDoc
	spec     idSet // its members, when it began
	quiet    bool  // nothing was left to be applied at some moment of it, and then it had members
	members  idSet
	recorded bool
}

type simPart struct{ add, del idSet }

type place struct {
	kind int
	slot byte
}

// world is what the table of a simulation holds, told in the plainest way, beside what it should hold by the requests
// that took effect.
type world struct {
	*tabletest.Simulation
	*stage
	d     *Store
	ids   [simAll]string // as far as they were ever there
	index map[string]int

	heads   [simAll]simHead
	edges   [simAll]idSet
	names   map[place]int
	counts  [2]int64
	lookups [2]map[string]idSet
	shards  map[table.Key]int64           // of the counts
	parts   map[string]map[string]simPart // Change items, by change and number
	markers map[table.Key]string          // states

	spec      [simAll]idSet // members
	docs      [simAll]simDoc
	versions  [simAll][]simVersion
	groupsAt  [simAll]map[int64]idSet // by gver
	last      [simAll]simHead
	lastEdges [simAll]idSet
	applying  map[string][]*tabletest.Transaction // by change
	renamed   [simAll]*tabletest.Transaction      // that gave the name last

	active      []*op
	born, acked idSet // whose creation, and whose deletion, was answered
	next        [2]int
	focus       idSet
	kinds       []string
	modest      int // one in so many requests is about many members, one about the name, too
}

func (w *world) living() (alive idSet) {
	for x := range simAll {
		if w.heads[x].alive() {
			alive |= bit(x)
		}
	}
	return alive
}

func (w *world) ever() (all idSet) {
	for x, id := range w.ids {
		if id != "" {
			all |= bit(x)
		}
	}
	return all
}

// name gives a number its id.
func (w *world) name(x int, id string) { w.ids[x], w.index[id] = id, x }

// x is the number of an id, which must be known.
func (w *world) x(id string) int {
	x, ok := w.index[id]
	if !ok {
		w.Fail("%q is no resource's id", id)
	}
	return x
}

func (w *world) set(ids []string) (s idSet) {
	for _, id := range ids {
		s |= bit(w.x(id))
	}
	return s
}

func (w *world) list(s idSet) []any {
	var list []any
	for x := range s.each {
		list = append(list, scim.Object{"value": w.ids[x]})
	}
	return list
}

// committed looks at a transaction at the instant at which it happens.
func (w *world) committed(t *tabletest.Transaction) {
	o, _ := t.Request.Sender.(*op)
	took := false
	for i := range t.Writes {
		took = w.effect(o, t, i) || took
	}
	for i, write := range t.Writes {
		w.told(o, write, t.Before[i], t.After[i])
		w.drained(write)
		w.store(write.Target(), t.After[i])
		if id := t.After[i]["id"]; id != nil {
			w.renamed[w.x(simText(id))] = t
		}
	}
	if took && (o.loose || o.replace) { // who is being deleted may be taken for gone, or not
		living := w.living()
		w.spec[o.target] = w.spec[o.target]&living | w.wanted(o.target, living)&^living
	}
	if took && o.verb == "delete" {
		for g := range everyGroup.each {
			if !w.edges[g].has(o.target) {
				w.spec[g] &^= bit(o.target)
			}
		}
	}
	w.check()
	if took && o.verb != "delete" {
		o.at = w.heads[o.target].ver
	}
}

// effect tells whether one write of a transaction is that by which its request takes effect: it writes the head of the
// request's resource, unless that is latched.
func (w *world) effect(o *op, t *tabletest.Transaction, i int) bool {
	k := t.Writes[i].Target()
	if u, ok := t.Writes[i].(table.Update); ok && k.SK == "@" {
		for _, c := range u.If {
			if c.Attribute == "pending" && c.Value != nil {
				change := simText(c.Value)
				w.applying[change] = append(w.applying[change], t)
			}
		}
	}
	if k.SK != "@" || o == nil {
		return false
	}
	h := &w.heads[o.target]
	switch write := t.Writes[i].(type) {
	case table.Put:
		if o.verb != "create" || t.Before[i] != nil || w.ids[o.target] != "" {
			w.Fail("%v puts a head: %v", o, k)
		}
		w.name(o.target, simID(k))
	case table.Update:
		if w.ids[o.target] != simID(k) || write.Add["ver"] == nil || h.deleting {
			return false
		}
	case table.Delete:
		if w.ids[o.target] != simID(k) || h.deleting {
			return false
		}
	default:
		return false
	}
	if c := simText(t.After[i]["pending"]); c != h.pending { // and not what was pending before
		o.change = c
	}
	w.takes(o, h)
	return true
}

// takes is what it means that a request takes effect on what the resource is at this instant.
func (w *world) takes(o *op, h *simHead) {
	if o.effects++; o.effects > 1 {
		w.Fail("%v took effect twice", o)
	}
	if o.ifMatch != "" && h.tag(o.target) != o.ifMatch {
		w.Fail("%v took effect on version %s", o, h.tag(o.target))
	}
	if o.verb == "delete" {
		return
	}
	doc := &w.docs[o.target]
	if o.name != "" {
		doc.name = o.name
	}
	if o.setsExt {
		doc.ext = o.ext
	}
	if !o.members {
		return
	}
	if h.pending != "" {
		w.Fail("%v took effect while another change was pending", o)
	}
	has := w.edges[o.target]
	add := o.add & (w.living() | has)
	if o.replace {
		w.spec[o.target] = add
	} else {
		w.spec[o.target] = has&^o.del | add
	}
}

// drained: what ends a membership of a resource that is latched ends it for good.
func (w *world) drained(write table.Write) {
	d, ok := write.(table.Delete)
	if member, edge := strings.CutPrefix(d.Key.SK, "Member#"); ok && edge && w.heads[w.x(member)].deleting {
		w.spec[w.x(simID(d.Key))] &^= bit(w.x(member))
	}
}

func simText(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func simSet(v types.AttributeValue) []string {
	if s, ok := v.(*types.AttributeValueMemberSS); ok {
		return s.Value
	}
	return nil
}

func simID(k table.Key) string { return k.PK[strings.LastIndexByte(k.PK, '#')+1:] }

// store keeps what a place holds now.
func (w *world) store(k table.Key, it table.Item) {
	pk := strings.Split(k.PK, "#")
	switch part := strings.SplitN(k.SK, "#", 2); {
	case k.PK == "unfinished":
		if delete(w.markers, k); it != nil {
			w.markers[k] = simText(it["state"])
		}
	case pk[0] != "t" || len(pk) < 2 || pk[1] != "User" && pk[1] != "Group":
		w.Fail("an item of nobody: %v", k)
	case len(pk) == 3 && pk[2] == "count":
		w.count(pk[1], k, it)
	case len(pk) == 2:
		w.bear(pk[1], part[1], it)
	case len(pk) == 4:
		x := w.x(k.SK)
		w.lookups[kind(x)][pk[3]] &^= bit(x)
		if it != nil {
			w.lookups[kind(x)][pk[3]] |= bit(x)
		}
	case k.SK == "@":
		x, h := w.x(pk[2]), w.head(it)
		w.moved(k, &w.heads[x], &h)
		w.heads[x] = h
	case part[0] == "Member":
		g, m := w.x(pk[2]), bit(w.x(part[1]))
		if w.edges[g] &^= m; it != nil {
			w.edges[g] |= m
		}
	case part[0] == "Change":
		change, n, _ := strings.Cut(part[1], "#")
		if w.parts[change] == nil {
			w.parts[change] = map[string]simPart{}
		}
		if delete(w.parts[change], n); it != nil {
			w.parts[change][n] = simPart{w.set(simSet(it["add"])), w.set(simSet(it["del"]))}
		}
	default:
		w.Fail("an item of nobody: %v", k)
	}
}

// count keeps the sum of the counts.
func (w *world) count(rt string, k table.Key, it table.Item) {
	i := 0
	if rt == "Group" {
		i = 1
	}
	w.counts[i] += table.IntValue(it["n"]) - w.shards[k]
	w.shards[k] = table.IntValue(it["n"])
}

func (w *world) bear(rt, folded string, it table.Item) {
	p := place{0, folded[0]}
	if rt == "Group" {
		p.kind = 1
	}
	if delete(w.names, p); it == nil {
		return
	}
	w.names[p] = w.x(simText(it["id"]))
	for _, o := range w.active {
		o.meets(p, w.names[p])
	}
}

// head reads a head; the one that is not there from nil.
func (w *world) head(it table.Item) (h simHead) {
	if it == nil {
		return h
	}
	h = simHead{
		there: true, deleting: it["deleting"] != nil, ver: table.IntValue(it["ver"]), gver: table.IntValue(it["gver"]),
		n: table.IntValue(it["n"]), sum: table.IntValue(it["sum"]), left: table.IntValue(it["left"]),
		groups: w.set(simSet(it["groups"])), pending: simText(it["pending"]), doc: simText(it["doc"]),
	}
	h.simDoc = w.parse(h.doc)
	return h
}

// parse reads a document, each once.
func (s *stage) parse(doc string) simDoc {
	d, ok := s.parsed[doc]
	if !ok {
		var o struct{ UserName, DisplayName, ExternalID string }
		if err := json.Unmarshal([]byte(doc), &o); err != nil {
			panic(err)
		}
		d = simDoc{o.UserName + o.DisplayName, o.ExternalID}
		s.parsed[doc] = d
	}
	return d
}
