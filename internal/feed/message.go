package feed

import (
	"encoding/json"
	"time"
)

// A Message is the JSON of a change, in responses and in events.
type Message struct {
	Tenant       string          `json:"tenant,omitempty"`   // only in events
	ChangeID     string          `json:"changeId,omitempty"` // only in events: EventID
	ResourceType string          `json:"resourceType"`
	ID           string          `json:"id"`
	Version      string          `json:"version,omitempty"` // entity tag; absent after a deletion
	Time         time.Time       `json:"time"`              // of the last change
	Type         []string        `json:"type"`              // the most important first
	Events       []string        `json:"events"`            // URIs of RFC 9967
	Attributes   []string        `json:"attributes,omitempty"`
	Groups       *GroupsMessage  `json:"groups,omitempty"`
	Request      string          `json:"txn,omitempty"` // as in RFC 9967: the ID of the request
	Token        string          `json:"by,omitempty"`  // ID of the token of the request
	Deleted      bool            `json:"deleted,omitempty"`
	Resource     json.RawMessage `json:"resource,omitempty"`
}

// A GroupsMessage holds the IDs of the groups that a resource has joined and left.
type GroupsMessage struct {
	Joined []string `json:"joined"`
	Left   []string `json:"left"`
}

// NewMessage returns the message of a change. resource is the JSON of the resource, or nil if the message does not contain
// it.
func NewMessage(c ResourceChange, resource json.RawMessage) Message {
	m := Message{
		ResourceType: c.ResourceType, ID: c.ResourceID, Time: c.At, Type: c.Types(),
		Events: c.Events(resource != nil), Attributes: c.Attributes, Request: c.Request, Token: c.Token,
		Deleted: c.State.Head == nil, Resource: resource,
	}
	if len(c.Joined)+len(c.Left) > 0 {
		m.Groups = &GroupsMessage{append([]string{}, c.Joined...), append([]string{}, c.Left...)}
	}
	if !m.Deleted {
		m.Version = c.State.Head.EntityTag(c.State.Type)
	}
	return m
}

// NewEvent returns the message of a change in a tenant for another system.
func NewEvent(tenant string, c ResourceChange, resource json.RawMessage) Message {
	m := NewMessage(c, resource)
	m.Tenant, m.ChangeID = tenant, c.EventID(tenant)
	return m
}
