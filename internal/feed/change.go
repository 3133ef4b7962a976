package feed

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// A Change describes one change of a resource, or, on a page of a Reader, several changes of one resource together. It
// contains no attribute value.
type Change struct {
	ResourceType  string    `json:"r"`
	ResourceID    string    `json:"i"`
	Version       int64     `json:"v,omitempty"`
	GroupsVersion int64     `json:"g,omitempty"`
	At            time.Time `json:"t"`
	Kinds         []Kind    `json:"k"`           // sorted by importance
	Replaced      bool      `json:"u,omitempty"` // a request replaced the resource (PUT)
	Attributes    []string  `json:"a,omitempty"` // paths of the changed attributes (RFC 7644 §3.10), sorted
	Joined        []string  `json:"j,omitempty"` // IDs of groups
	Left          []string  `json:"l,omitempty"` // IDs of groups
	Request       string    `json:"x,omitempty"` // ID of the request; "": not known
	Token         string    `json:"b,omitempty"` // ID of the token of the request; "": not known
}

// A Kind is one aspect of a change. Its value is the second part of a short type such as user.deactivated.
type Kind string

// The kinds, the most important first.
const (
	Deleted        Kind = "deleted"
	Created        Kind = "created"
	Deactivated    Kind = "deactivated"
	Activated      Kind = "activated"
	Updated        Kind = "updated" // an attribute other than members and groups
	GroupsChanged  Kind = "groups_changed"
	MembersChanged Kind = "members_changed"
	Listed         Kind = "listed" // the resource exists: the first pages of a Reader list all resources
)

func importance(k Kind) int {
	return slices.Index([]Kind{Deleted, Created, Deactivated, Activated, Updated, GroupsChanged, MembersChanged, Listed}, k)
}

func compareKinds(a, b Kind) int { return importance(a) - importance(b) }

// Has reports whether the change is of a kind.
func (c *Change) Has(k Kind) bool { return slices.Contains(c.Kinds, k) }

// Types returns the short types of the change, such as user.created, the most important first.
func (c *Change) Types() []string {
	types := make([]string, len(c.Kinds))
	for i, k := range c.Kinds {
		types[i] = strings.ToLower(c.ResourceType) + "." + string(k)
	}
	return types
}

// Event URIs of RFC 9967 §2.
const (
	eventPrefix   = "urn:ietf:params:scim:event:"
	FeedAdd       = eventPrefix + "feed:add"
	CreateNotice  = eventPrefix + "prov:create:notice"
	CreateFull    = eventPrefix + "prov:create:full"
	PatchNotice   = eventPrefix + "prov:patch:notice"
	PutNotice     = eventPrefix + "prov:put:notice"
	DeleteEvent   = eventPrefix + "prov:delete"
	ActivateEvent = eventPrefix + "prov:activate"
	Deactivate    = eventPrefix + "prov:deactivate"
)

// EventURIs returns the URIs of all events that a change can have.
func EventURIs() []string {
	return []string{FeedAdd, CreateNotice, CreateFull, PatchNotice, PutNotice, DeleteEvent, ActivateEvent, Deactivate}
}

// Events returns the URIs of the events that the change consists of (RFC 9967 §2). full says that the message contains
// the resource.
func (c *Change) Events(full bool) (uris []string) {
	for _, k := range c.Kinds {
		uri := map[Kind]string{Deleted: DeleteEvent, Deactivated: Deactivate, Activated: ActivateEvent, Listed: FeedAdd}[k]
		switch {
		case uri != "":
		case k == Created && full:
			uri = CreateFull
		case k == Created:
			uri = CreateNotice
		case c.Replaced:
			uri = PutNotice
		default:
			uri = PatchNotice
		}
		uris = append(uris, uri)
	}
	slices.Sort(uris)
	return slices.Compact(uris)
}

// EventID returns an ID that is the same whenever the change is reported again, and differs from those of all other
// changes.
func (c *Change) EventID(tenant string) string {
	text := fmt.Sprintf("%s#%s#%s#%d.%d#%t", tenant, c.ResourceType, c.ResourceID, c.Version, c.GroupsVersion, c.Has(Deleted))
	hash := sha256.Sum256([]byte(text))
	return hex.EncodeToString(hash[:16])
}

// estimatedSize returns about how many bytes the change has in the log, and seldom less.
func (c *Change) estimatedSize() int {
	const fixed, perElement = 160, 3 // bytes of names, numbers, and the time; of quotes and a comma
	n := fixed + len(c.ResourceType) + len(c.ResourceID) + len(c.Request) + len(c.Token) + 18*len(c.Kinds)
	for _, list := range [...][]string{c.Attributes, c.Joined, c.Left} {
		for _, s := range list {
			n += len(s) + perElement
		}
	}
	return n
}

// appendJSON appends the change as json.Marshal encodes it, in a fifth of the time.
func (c *Change) appendJSON(b []byte) []byte {
	quote := func(label, s string) {
		if s != "" {
			b, _ = jsontext.AppendQuote(append(b, label...), s)
		}
	}
	quote(`{"r":`, c.ResourceType)
	quote(`,"i":`, c.ResourceID)
	for _, n := range [...]struct {
		label string
		value int64
	}{{`,"v":`, c.Version}, {`,"g":`, c.GroupsVersion}} {
		if n.value != 0 {
			b = strconv.AppendInt(append(b, n.label...), n.value, 10)
		}
	}
	b = append(c.At.AppendFormat(append(b, `,"t":"`...), time.RFC3339Nano), '"')
	b = appendStrings(append(b, `,"k":`...), c.Kinds)
	if c.Replaced {
		b = append(b, `,"u":true`...)
	}
	for i, list := range [...][]string{c.Attributes, c.Joined, c.Left} {
		if len(list) > 0 {
			b = appendStrings(append(b, [...]string{`,"a":`, `,"j":`, `,"l":`}[i]...), list)
		}
	}
	quote(`,"x":`, c.Request)
	quote(`,"b":`, c.Token)
	return append(b, '}')
}

func appendStrings[T ~string](b []byte, list []T) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b, _ = jsontext.AppendQuote(b, string(s))
	}
	return append(b, ']')
}

// isSame reports whether two changes of a tenant have the same EventID.
func (c *Change) isSame(o *Change) bool {
	return c.ResourceType == o.ResourceType && c.ResourceID == o.ResourceID && c.Version == o.Version &&
		c.GroupsVersion == o.GroupsVersion && c.Has(Deleted) == o.Has(Deleted)
}

// merge adds a later change of the same resource. A group that the resource joined and left again is in neither list.
func (c *Change) merge(later Change) {
	kinds := slices.Concat(c.Kinds, later.Kinds)
	slices.SortFunc(kinds, compareKinds)
	attributes := slices.Concat(c.Attributes, later.Attributes)
	slices.Sort(attributes)
	joined := append(without(c.Joined, later.Left), without(later.Joined, c.Left)...)
	left := append(without(c.Left, later.Joined), without(later.Left, c.Joined)...)
	replaced := c.Replaced || later.Replaced
	*c = later
	c.Kinds, c.Attributes, c.Replaced = slices.Compact(kinds), slices.Compact(attributes), replaced
	c.Joined, c.Left = joined, left
}

// without returns the elements of list that are not in excluded.
func without(list, excluded []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(excluded, s) })
}
