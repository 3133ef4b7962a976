package scim

import "encoding/base32"

// idAlphabet is base32hex (RFC 4648 §7) in lower case.
const idAlphabet = "0123456789abcdefghijklmnopqrstuv"

// NewID returns an ID of the resource type from bytes that no other ID has: the IDPrefix and 26 characters of
// lower-case base32hex. IDs of one type sort like their bytes. An ID includes its resource type because a client names
// a member only by the ID.
func (rt *ResourceType) NewID(unique [16]byte) string {
	return rt.Storage.IDPrefix + base32.NewEncoding(idAlphabet).WithPadding(base32.NoPadding).EncodeToString(unique[:])
}

// IsID reports whether a string has the form of an ID of the resource type.
func (rt *ResourceType) IsID(s string) bool {
	if len(s) != 27 || s[:1] != rt.Storage.IDPrefix {
		return false
	}
	for i := range 26 {
		if c := s[i+1]; c < '0' || c > 'v' || '9' < c && c < 'a' {
			return false
		}
	}
	return true
}

// ByID returns the resource type that the form of an ID belongs to. It returns nil if no resource type issues such IDs.
func (t *Types) ByID(id string) *ResourceType {
	return find(t.ResourceTypes, func(rt *ResourceType) bool { return rt.IsID(id) })
}
