package directory

import (
	"context"
	"slices"
	"sync"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
)

// A ChangeSummary says what a request changed, without any attribute value. It is safe to log.
type ChangeSummary struct {
	Attributes    []string // names of the changed top-level attributes, sorted; URN:name in an extension
	VersionBefore string   // entity tag; "": the resource did not exist
	VersionAfter  string   // entity tag; "": the resource is deleted
	Deprovisions  bool     // a resource of a type that has the attribute active was deactivated or deleted
}

// summarize compares two head items and documents. A head item is nil where the resource does not exist.
func summarize(rt *scim.ResourceType, old, updated *store.HeadItem, from, to scim.Object, membersChange bool) (c ChangeSummary) {
	c.Attributes = scim.ChangedAttributes(from, to)
	if membersChange {
		c.Attributes = append(c.Attributes, "members")
	}
	slices.Sort(c.Attributes)
	if updated != nil {
		c.VersionAfter = updated.EntityTag(rt)
	}
	if old != nil {
		c.VersionBefore = old.EntityTag(rt)
		c.Deprovisions = rt.Attribute("active") != nil && (updated == nil || from["active"] != false && to["active"] == false)
	}
	return c
}

// guardOnce returns a function that rejects a change which deprovisions, if AllowDeprovisioning does. It calls
// AllowDeprovisioning at most once, however many attempts the request needs.
func (d *Directory) guardOnce(ctx context.Context) func(ChangeSummary) error {
	allow := sync.OnceValue(func() error { return d.allowDeprovisioning(ctx) })
	return func(c ChangeSummary) error {
		if !c.Deprovisions || d.allowDeprovisioning == nil {
			return nil
		}
		return allow()
	}
}
