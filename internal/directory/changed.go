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

// Change is what a request has changed of a resource, without a value of it.
type Change struct {
	Attributes   []string // top-level ones that differ, in order; one of an extension as URN:name
	Before       string   // version; "": there was no resource
	After        string   // version; "": there is none any more
	Deprovisions bool     // a user, or whatever else can be active, was deactivated or deleted
}

// changed is the change from one head and document to others; a head is nil where there is no resource.
func changed(rt *scim.ResourceType, old, now *head, from, to scim.Object, members bool) (c Change) {
	c.Attributes = differing("", from, to)
	if members {
		c.Attributes = append(c.Attributes, "members")
	}
	slices.Sort(c.Attributes)
	if now != nil {
		c.After = now.version(rt)
	}
	if old != nil {
		c.Before = old.version(rt)
		c.Deprovisions = rt.Attribute("active") != nil && (now == nil || from["active"] != false && to["active"] == false)
	}
	return c
}

// differing is the names of what differs, in no order. A colon tells an extension from an attribute.
func differing(prefix string, x, y scim.Object) (names []string) {
	all := scim.Object{}
	maps.Copy(all, x)
	maps.Copy(all, y)
	for name := range all {
		if strings.Contains(name, ":") {
			a, _ := x[name].(scim.Object)
			b, _ := y[name].(scim.Object)
			names = append(names, differing(name+":", a, b)...)
		} else if !reflect.DeepEqual(x[name], y[name]) {
			names = append(names, prefix+name)
		}
	}
	return names
}

// asking asks once, however many attempts a request needs, whether it may deprovision (Config.Deprovisioning).
func (d *Directory) asking(ctx context.Context) func(Change) error {
	answer := sync.OnceValue(func() error { return d.Deprovisioning(ctx) })
	return func(c Change) error {
		if !c.Deprovisions || d.Deprovisioning == nil {
			return nil
		}
		return answer()
	}
}
