package feed

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"

	"serverless-scim/internal/scim"
)

// maxReadEntries is the maximum number of log entries that a Reader reads for a page, and defaultReadEntries the number
// for the first page of a log. A page of many changes may be one entry, and a page of a few may be many.
const (
	maxReadEntries     = 100
	defaultReadEntries = 10
)

// A position is a place in what a Reader returns: in the list of all resources, or in the log.
type position struct {
	Epoch   int64  `json:"e,omitempty"`
	Next    int64  `json:"n"`           // number of the next entry to read
	Skip    int    `json:"s,omitempty"` // changes at the beginning of that entry that were returned
	Listing string `json:"r,omitempty"` // resource type whose resources are listed; "": the list has ended
	After   string `json:"a,omitempty"` // ID of the last resource listed
	Entries int    `json:"l,omitempty"` // number of entries to read for the next page
}

const cursorChecksumBytes = 8

// encode returns the position as a cursor. The checksum binds the cursor to the tenant and to the resource types. It is
// no signature, because a forged cursor leads only to resources that the client can read anyway.
func (p position) encode(tenant string, types []*scim.ResourceType) string {
	text, _ := json.Marshal(p) // cannot fail: the fields are strings and numbers
	return base64.RawURLEncoding.EncodeToString(append(cursorChecksum(text, tenant, types), text...))
}

func decodeCursor(cursor, tenant string, types []*scim.ResourceType) (p position, err error) {
	invalid := scim.BadRequest(scim.InvalidCursor, "The cursor is not valid for this request. Send the same resourceTypes as in "+
		"the request that returned the cursor, or begin again without a cursor.")
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) < cursorChecksumBytes {
		return p, invalid
	}
	checksum, text := b[:cursorChecksumBytes], b[cursorChecksumBytes:]
	if subtle.ConstantTimeCompare(checksum, cursorChecksum(text, tenant, types)) == 0 || json.Unmarshal(text, &p) != nil {
		return p, invalid
	}
	if p.Next < 1 || p.Skip < 0 || p.Entries < 0 || p.Entries > maxReadEntries || !p.isInList(types) {
		return p, invalid
	}
	return p, nil
}

// isInList reports whether the position is in the list of one of the types, or in the log.
func (p position) isInList(types []*scim.ResourceType) bool {
	if p.Listing == "" {
		return p.After == ""
	}
	rt := types[indexOfType(types, p.Listing)]
	return rt.Name == p.Listing && (p.After == "" || rt.IsID(p.After))
}

// indexOfType returns the index of the type with a name, or 0.
func indexOfType(types []*scim.ResourceType, name string) int {
	for i, rt := range types {
		if rt.Name == name {
			return i
		}
	}
	return 0
}

func cursorChecksum(text []byte, tenant string, types []*scim.ResourceType) []byte {
	h := sha256.New()
	h.Write(append([]byte(tenant), 0))
	for _, rt := range types {
		h.Write(append([]byte(rt.Name), 0))
	}
	h.Write(text)
	return h.Sum(nil)[:cursorChecksumBytes]
}
