package scim

import (
	"encoding/base32"
	"strings"
)

// idAlphabet is base32hex (RFC 4648 §7) in lower case.
const idAlphabet = "0123456789abcdefghijklmnopqrstuv"

// NewID makes an id of the resource type from random bytes: its letter and 26 characters of lower-case base32hex. An
// id tells its resource type, because a membership is given by the member's id alone.
func (rt *ResourceType) NewID(random [16]byte) string {
	return rt.Storage.Letter + base32.NewEncoding(idAlphabet).WithPadding(base32.NoPadding).EncodeToString(random[:])
}

// IsID tells whether a string has the form of an id of the resource type.
func (rt *ResourceType) IsID(s string) bool {
	letter, rest := rt.Storage.Letter, strings.TrimPrefix(s, rt.Storage.Letter)
	return len(rest) == 26 && len(s) == len(letter)+26 && strings.Trim(rest, idAlphabet) == ""
}
