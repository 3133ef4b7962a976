package scim

// Location returns the address of a resource below the base URL of the service.
func (rt *ResourceType) Location(baseURL, id string) string {
	return string(rt.AppendLocation(make([]byte, 0, 256), baseURL, id))
}

// AppendLocation appends the address of a resource below the base URL of the service.
func (rt *ResourceType) AppendLocation(b []byte, baseURL, id string) []byte {
	b = append(append(b, baseURL...), rt.Endpoint...)
	return append(append(b, '/'), id...)
}

// A Reference is one element of members, or of the groups that a resource is in.
type Reference struct {
	Type    *ResourceType
	ID      string
	Display string // "": not known
	Direct  bool   // an element of groups
}

// AppendValue appends the value of a sub-attribute of the element, or nothing if it has none. The schema says which
// sub-attributes there are.
func (r Reference) AppendValue(b []byte, sub, baseURL string) []byte {
	switch sub {
	case "value":
		return append(b, r.ID...)
	case "$ref":
		return r.Type.AppendLocation(b, baseURL, r.ID)
	case "type":
		if r.Direct {
			return append(b, "direct"...) // RFC 7643 §4.1.2: indirect memberships are not listed
		}
		return append(b, r.Type.Name...)
	case "display":
		return append(b, r.Display...)
	}
	return b
}
