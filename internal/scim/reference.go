package scim

// Location returns the address of a resource below the base URL of the service.
func (rt *ResourceType) Location(baseURL, id string) string { return baseURL + rt.Endpoint + "/" + id }

// A Reference is one element of members, or of the groups that a resource is in.
type Reference struct {
	Type    *ResourceType
	ID      string
	Display string // "": not known
	Direct  bool   // an element of groups
}

// Value returns the value of a sub-attribute of the element. The schema says which sub-attributes there are.
func (r Reference) Value(sub, baseURL string) string {
	switch sub {
	case "value":
		return r.ID
	case "$ref":
		return r.Type.Location(baseURL, r.ID)
	case "type":
		if r.Direct {
			return "direct" // RFC 7643 §4.1.2: indirect memberships are not listed
		}
		return r.Type.Name
	case "display":
		return r.Display
	}
	return ""
}
