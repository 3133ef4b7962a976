package directory

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"serverless-scim/internal/scim"
)

// ChangeSummary is what a request has changed of a resource, without a value of it.
type ChangeSummary struct {
	Attributes    []string // top-level ones that differ, in order; one of an extension as URN:name
	VersionBefore string   // version; "": there was no resource
	VersionAfter  string   // version; "": there is none any more
	Deprovisions  bool     // a user, or whatever else can be active, was deactivated or deleted
}

// summarize is the change from one head and document to others; a head is nil where there is no resource.
func summarize(rt *scim.ResourceType, old, now *HeadItem, from, to scim.Object, members bool) (c ChangeSummary) {
	c.Attributes = changedAttributes("", from, to)
	if members {
		c.Attributes = append(c.Attributes, "members")
	}
	slices.Sort(c.Attributes)
	if now != nil {
		c.VersionAfter = now.EntityTag(rt)
	}
	if old != nil {
		c.VersionBefore = old.EntityTag(rt)
		c.Deprovisions = rt.Attribute("active") != nil && (now == nil || from["active"] != false && to["active"] == false)
	}
	return c
}

// changedAttributes is the names of what differs, in no order. A colon tells an extension from an attribute.
func changedAttributes(prefix string, x, y scim.Object) (names []string) {
	all := scim.Object{}
	maps.Copy(all, x)
	maps.Copy(all, y)
	for name := range all {
		if strings.Contains(name, ":") {
			a, _ := x[name].(scim.Object)
			b, _ := y[name].(scim.Object)
			names = append(names, changedAttributes(name+":", a, b)...)
		} else if !reflect.DeepEqual(x[name], y[name]) {
			names = append(names, prefix+name)
		}
	}
	return names
}

// guardOnce asks once, however many attempts a request needs, whether it may deprovision (Config.Deprovisioning).
func (d *Store) guardOnce(ctx context.Context) func(ChangeSummary) error {
	answer := sync.OnceValue(func() error { return d.AllowDeprovisioning(ctx) })
	return func(c ChangeSummary) error {
		if !c.Deprovisions || d.AllowDeprovisioning == nil {
			return nil
		}
		return answer()
	}
}
