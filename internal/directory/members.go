package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"serverless-scim/internal/leniency"
	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
)

// checkMemberIDs returns the valid member IDs, and adds the other IDs to the missing members of a.
func (d *Directory) checkMemberIDs(ids []string, group string, a *store.AttemptState) []string {
	valid := d.store.ValidMemberIDs(ids, group)
	isValid := store.IDSet(valid)
	for _, id := range ids {
		if !isValid[id] {
			a.Missing[id] = true
		}
	}
	return valid
}

// checkStrictMembers returns an error if members must exist (store.Config.StrictMembers) and a does not know all of requested
// as existing. add holds the members that the attempt would add. If only malformed IDs are known to be missing,
// checkStrictMembers looks up add, so that the error names every missing member.
func (d *Directory) checkStrictMembers(ctx context.Context, requested []string, group string, add []string, a *store.AttemptState) error {
	missing := slices.DeleteFunc(slices.Clone(requested), func(id string) bool { return !a.Missing[id] })
	if !d.store.StrictMembers || len(missing) == 0 {
		return nil
	}
	if len(d.store.ValidMemberIDs(missing, group)) == 0 {
		more, err := d.store.FindMissingMembers(ctx, add)
		if err != nil {
			return err
		}
		missing = append(missing, more...)
	}
	slices.Sort(missing)
	return unknownMembersError(slices.Compact(missing))
}

func unknownMembersError(ids []string) error {
	const maxListed = 20
	var list []string
	for _, id := range ids[:min(maxListed, len(ids))] {
		list = append(list, fmt.Sprintf("%.64q", id)) // a malformed ID can have any length
	}
	text := strings.Join(list, ", ")
	if more := len(ids) - maxListed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return scim.BadRequest(scim.InvalidValue,
		"There are no resources that could be these members: %s. Create them first, or leave them out.", text)
}

// memberElements returns the elements of members for resources, by ID. It leaves out missing resources.
func (d *Directory) memberElements(rt *scim.ResourceType, ids []string, names store.DisplayNames) map[string]scim.Object {
	o, elements := scim.Object{}, make(map[string]scim.Object, len(ids))
	d.store.SetReferences(o, rt.Attribute("members"), d.baseURL, ids, names)
	list, _ := o["members"].([]any)
	for _, e := range list {
		element := e.(scim.Object)
		elements[element["value"].(string)] = element
	}
	return elements
}

// splitMembers returns the IDs of the members in a resource, and the resource without its members.
func splitMembers(rt *scim.ResourceType, o scim.Object) (members []string, rest scim.Object) {
	if !store.IsGroup(rt) {
		return nil, o
	}
	rest = make(scim.Object, len(o))
	for name, v := range o {
		if name != "members" {
			rest[name] = v
			continue
		}
		for _, e := range v.([]any) {
			members = append(members, e.(scim.Object)["value"].(string))
		}
	}
	return members, rest
}

// diffMembers returns the members to add and to remove, given those that are present.
func diffMembers(m patch.MemberChanges, present []string) (add, remove []string) {
	isPresent, isWanted := store.IDSet(present), store.IDSet(m.Add)
	for _, id := range m.Add {
		if !isPresent[id] {
			add = append(add, id)
		}
	}
	candidates := m.Remove
	if m.ReplaceAll {
		candidates = present
	}
	for _, id := range candidates {
		if isPresent[id] && !isWanted[id] {
			remove = append(remove, id)
		}
	}
	return add, remove
}

// logSkippedMembers tells the operator that the request named members that do not exist.
func (d *Directory) logSkippedMembers(ctx context.Context, rt *scim.ResourceType, id string, missing int) {
	if missing > 0 {
		d.leniency.Add(leniency.UnknownMembers)
		d.store.Log.WarnContext(ctx, "unknown members left out", "resourceType", rt.Name, "id", id, "members", missing)
	}
}
