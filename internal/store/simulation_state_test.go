package store_test

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

// The simulation identifies a resource by a small number: users have the first numbers, groups the ones after them. A
// number is used for one resource only.
const (
	maxUsers, maxGroups = 5, 4
	maxResources        = maxUsers + maxGroups
	allUsers            = numberSet(1<<maxUsers - 1)
	allGroups           = numberSet(1<<maxResources - 1<<maxUsers)
)

// A numberSet is a set of resource numbers.
type numberSet uint16

// only returns the set of one number.
func only(x int) numberSet         { return 1 << x }
func (s numberSet) has(x int) bool { return s&only(x) != 0 }
func (s numberSet) len() int       { return bits.OnesCount16(uint16(s)) }
func (s numberSet) String() (t string) {
	for x := range s.each {
		t += strconv.Itoa(x)
	}
	return "{" + t + "}"
}

func (s numberSet) each(yield func(int) bool) {
	for ; s != 0; s &= s - 1 {
		if !yield(bits.TrailingZeros16(uint16(s))) {
			return
		}
	}
}

// typeOf returns 0 for a user and 1 for a group.
func typeOf(x int) int { return x / maxUsers }

// A document holds the attributes that documents have in the simulation.
type document struct{ name, externalID string }

// folded returns the case-folded name. Names have one letter.
func (d document) folded() byte { return d.name[0] | 0x20 }

// A nameID identifies a name item.
type nameID struct {
	typ    int
	letter byte // case-folded
}

// A headState is a head item, decoded without the code under test. The zero value is a missing head item.
type headState struct {
	exists, deleting       bool
	version, groupsVersion int64
	memberCount, digest    int64
	pendingItems           int64
	groups                 numberSet
	pendingChange, text    string // text is the encoded document
	document
}

func (h *headState) isVisible() bool { return h.exists && !h.deleting }

// entityTag returns the entity tag that clients see for resource x.
func (h *headState) entityTag(x int) string {
	if typeOf(x) == 0 {
		return fmt.Sprintf(`W/"%d.%d"`, h.version, h.groupsVersion)
	}
	return fmt.Sprintf(`W/"%d"`, h.version)
}

// A versionState is what a resource was at one version.
type versionState struct {
	recorded       bool // false: the resource never had this version
	document       document
	initialMembers numberSet // the members that the group should have had when the version began
	complete       bool      // at some moment of the version, every change item was applied
	members        numberSet // the edge items at that moment
}

// A memberChange is a decoded change item.
type memberChange struct{ add, remove numberSet }

// A schedule is one simulated run. It holds the state of the table, decoded without the code under test, and the state
// that the requests should have led to.
type schedule struct {
	*tabletest.Simulation
	*simulator
	config store.Config
	dir    *directory.Directory

	ids     [maxResources]string // "": not created yet
	numbers map[string]int       // by ID

	// The table as it is after the last transaction.
	heads          [maxResources]headState
	edges          [maxResources]numberSet
	names          map[nameID]int
	resourceCounts [2]int64 // sums of the counter items
	counters       map[table.Key]int64
	index          [2]map[string]numberSet            // resources, by externalId; "": all
	changeItems    map[string]map[string]memberChange // by change ID and number
	intentStates   map[table.Key]string

	// The state that the requests should have led to.
	wantMembers   [maxResources]numberSet
	wantDocuments [maxResources]document

	// Earlier states and transactions.
	versions      [maxResources][]versionState      // by version
	groupsHistory [maxResources]map[int64]numberSet // by groups version
	previousHeads [maxResources]headState
	previousEdges [maxResources]numberSet
	pendingWrites map[string][]*tabletest.Transaction  // transactions that depend on a pending change, by change ID
	nameWrites    [maxResources]*tabletest.Transaction // the last transaction that wrote the name item

	active           []*operation
	created, deleted numberSet // resources whose creation, or deletion, was confirmed to a client
	nextNumbers      [2]int    // of the next user and group
	focus            numberSet // requests prefer these resources
	requestKinds     []string
	rarity           int // one in this many requests names many members, and one in this many also changes the name
}

// visible returns the resources that are not deleted.
func (s *schedule) visible() (set numberSet) {
	for x := range maxResources {
		if s.heads[x].isVisible() {
			set |= only(x)
		}
	}
	return set
}

// everCreated returns the resources that exist or existed.
func (s *schedule) everCreated() (set numberSet) {
	for x, id := range s.ids {
		if id != "" {
			set |= only(x)
		}
	}
	return set
}

func (s *schedule) addID(x int, id string) { s.ids[x], s.numbers[id] = id, x }

// number returns the number of a resource, and fails the schedule if the ID is unknown.
func (s *schedule) number(id string) int {
	x, ok := s.numbers[id]
	if !ok {
		s.Fail("%q is not the ID of a resource", id)
	}
	return x
}

func (s *schedule) setOf(ids []string) (set numberSet) {
	for _, id := range ids {
		set |= only(s.number(id))
	}
	return set
}

// observe records a transaction at the moment when it takes effect, and checks the invariants.
func (s *schedule) observe(t *tabletest.Transaction) {
	o, _ := t.Request.Sender.(*operation)
	tookEffect := false
	for i := range t.Writes {
		tookEffect = s.recordEffect(o, t, i) || tookEffect
	}
	for i, write := range t.Writes {
		s.tallyWrite(o, write, t.Before[i], t.After[i])
		s.recordFinishDelete(write)
		s.recordItem(write.Target(), t.After[i])
		if id := t.After[i]["id"]; id != nil {
			s.nameWrites[s.number(textOf(id))] = t
		}
	}
	if tookEffect && (o.removesUsers || o.replacesMembers) { // a member that is being deleted may be removed or kept
		visible := s.visible()
		s.wantMembers[o.target] = s.wantMembers[o.target]&visible | s.finalMembers(o.target, visible)&^visible
	}
	if tookEffect && o.verb == "delete" {
		for g := range allGroups.each {
			if !s.edges[g].has(o.target) {
				s.wantMembers[g] &^= only(o.target)
			}
		}
	}
	s.checkInvariants()
	if tookEffect && o.verb != "delete" {
		o.version = s.heads[o.target].version
	}
}

// recordEffect records write i of a transaction if the operation takes effect by it, and reports whether it does. An
// operation takes effect when it writes the head item of its resource, unless that is marked as deleting.
func (s *schedule) recordEffect(o *operation, t *tabletest.Transaction, i int) bool {
	k := t.Writes[i].Target()
	if u, ok := t.Writes[i].(table.Update); ok && k.SK == "@" {
		for _, c := range u.If {
			if c.Attribute == "pending" && c.Value != nil {
				changeID := textOf(c.Value)
				s.pendingWrites[changeID] = append(s.pendingWrites[changeID], t)
			}
		}
	}
	if k.SK != "@" || o == nil {
		return false
	}
	h := &s.heads[o.target]
	switch write := t.Writes[i].(type) {
	case table.Put:
		if o.verb != "create" || t.Before[i] != nil || s.ids[o.target] != "" {
			s.Fail("%v puts a head item: %v", o, k)
		}
		s.addID(o.target, idIn(k))
	case table.Update:
		if s.ids[o.target] != idIn(k) || write.Add["ver"] == nil || h.deleting {
			return false
		}
	case table.Delete:
		if s.ids[o.target] != idIn(k) || h.deleting {
			return false
		}
	default:
		return false
	}
	if changeID := textOf(t.After[i]["pending"]); changeID != h.pendingChange { // not the change that was pending before
		o.changeID = changeID
	}
	s.takeEffect(o, h)
	return true
}

// takeEffect updates the wanted state by an operation. h is the head item before.
func (s *schedule) takeEffect(o *operation, h *headState) {
	if o.effects++; o.effects > 1 {
		s.Fail("%v took effect twice", o)
	}
	if o.ifMatch != "" && h.entityTag(o.target) != o.ifMatch {
		s.Fail("%v took effect on version %s", o, h.entityTag(o.target))
	}
	if o.verb == "delete" {
		return
	}
	doc := &s.wantDocuments[o.target]
	if o.name != "" {
		doc.name = o.name
	}
	if o.setsExternalID {
		doc.externalID = o.externalID
	}
	if !o.changesMembers {
		return
	}
	if h.pendingChange != "" {
		s.Fail("%v took effect while another change was pending", o)
	}
	present := s.edges[o.target]
	add := o.add & (s.visible() | present)
	if o.replacesMembers {
		s.wantMembers[o.target] = add
	} else {
		s.wantMembers[o.target] = present&^o.remove | add
	}
}

// recordFinishDelete updates the wanted state if the write removes a resource that is marked as deleting from a group.
func (s *schedule) recordFinishDelete(write table.Write) {
	d, ok := write.(table.Delete)
	if member, isEdge := strings.CutPrefix(d.Key.SK, "Member#"); ok && isEdge && s.heads[s.number(member)].deleting {
		s.wantMembers[s.number(idIn(d.Key))] &^= only(s.number(member))
	}
}

func textOf(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func textsOf(v types.AttributeValue) []string {
	if s, ok := v.(*types.AttributeValueMemberSS); ok {
		return s.Value
	}
	return nil
}

func idIn(k table.Key) string { return k.PK[strings.LastIndexByte(k.PK, '#')+1:] }

// recordItem decodes the item that now has a key. it is nil if the item is deleted.
func (s *schedule) recordItem(k table.Key, it table.Item) {
	pk := strings.Split(k.PK, "#")
	switch sk := strings.SplitN(k.SK, "#", 2); {
	case k.PK == "unfinished":
		if delete(s.intentStates, k); it != nil {
			s.intentStates[k] = textOf(it["state"])
		}
	case pk[0] != "t" || len(pk) < 2 || pk[1] != "User" && pk[1] != "Group":
		s.Fail("an item with an unexpected key: %v", k)
	case len(pk) == 3 && pk[2] == "count":
		typ := s.typeNamed(pk[1])
		s.resourceCounts[typ] += table.IntValue(it["n"]) - s.counters[k]
		s.counters[k] = table.IntValue(it["n"])
	case len(pk) == 2:
		s.recordName(nameID{s.typeNamed(pk[1]), sk[1][0]}, it)
	case len(pk) == 4:
		x := s.number(k.SK)
		s.index[typeOf(x)][pk[3]] &^= only(x)
		if it != nil {
			s.index[typeOf(x)][pk[3]] |= only(x)
		}
	case k.SK == "@":
		x, h := s.number(pk[2]), s.decodeHead(it)
		s.checkVersions(k, &s.heads[x], &h)
		s.heads[x] = h
	case sk[0] == "Member":
		g, m := s.number(pk[2]), only(s.number(sk[1]))
		if s.edges[g] &^= m; it != nil {
			s.edges[g] |= m
		}
	case sk[0] == "Change":
		changeID, n, _ := strings.Cut(sk[1], "#")
		if s.changeItems[changeID] == nil {
			s.changeItems[changeID] = map[string]memberChange{}
		}
		if delete(s.changeItems[changeID], n); it != nil {
			s.changeItems[changeID][n] = memberChange{s.setOf(textsOf(it["add"])), s.setOf(textsOf(it["del"]))}
		}
	default:
		s.Fail("an item with an unexpected key: %v", k)
	}
}

func (s *schedule) typeNamed(name string) int {
	if name == "Group" {
		return 1
	}
	return 0
}

func (s *schedule) recordName(n nameID, it table.Item) {
	if delete(s.names, n); it == nil {
		return
	}
	s.names[n] = s.number(textOf(it["id"]))
	for _, o := range s.active {
		o.recordNameOwner(n, s.names[n])
	}
}

// decodeHead decodes a head item. it is nil if the item is missing.
func (s *schedule) decodeHead(it table.Item) (h headState) {
	if it == nil {
		return h
	}
	h = headState{
		exists: true, deleting: it["deleting"] != nil,
		version: table.IntValue(it["ver"]), groupsVersion: table.IntValue(it["gver"]),
		memberCount: table.IntValue(it["n"]), digest: table.IntValue(it["sum"]), pendingItems: table.IntValue(it["left"]),
		groups: s.setOf(textsOf(it["groups"])), pendingChange: textOf(it["pending"]), text: textOf(it["doc"]),
	}
	h.document = s.parseDocument(h.text)
	return h
}

// parseDocument decodes a document. It keeps the result, because few documents differ.
func (s *simulator) parseDocument(text string) document {
	d, ok := s.documents[text]
	if !ok {
		var o struct{ UserName, DisplayName, ExternalID string }
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			panic(err)
		}
		d = document{o.UserName + o.DisplayName, o.ExternalID}
		s.documents[text] = d
	}
	return d
}
