package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// checkResponse checks the response against what the operation did, and against what plain reads returned while it ran.
func (s *schedule) checkResponse(o *operation, r *directory.Resource, l *directory.ListResult, err error) {
	rejection := (*scim.Error)(nil)
	switch x := o.target; {
	case err == nil:
		s.checkSuccess(o, r, l)
	case table.IsTransient(err):
		s.checkTransientError(o, err)
	case !errors.As(err, &rejection):
		s.Fail("%v: the error is neither transient nor a *scim.Error: %v", o, err)
	case o.effects > 0 && !(rejection.Status == 409 && o.request.Unknown): // a transaction on its way cannot be canceled
		s.Fail("%v was rejected with %d, but took effect", o, rejection.Status)
	case rejection.Status == 404 && (!s.heads[x].isVisible() || !o.created.has(x)):
	case rejection.Status == 409 && o.nameTaken:
	case rejection.Status == 412 && o.ifMatch != "" && !(s.heads[x].isVisible() && s.heads[x].entityTag(x) == o.ifMatch):
	default:
		s.Fail("%v was rejected without a reason: %v", o, err)
	}
}

// checkTransientError checks a response of 429. The operation must not have taken effect, as far as the process can
// know.
func (s *schedule) checkTransientError(o *operation, err error) {
	if !o.request.Expired {
		s.tally.Transient++
	}
	if o.effects > 0 && !(o.request.Unknown && o.request.Expired) { // otherwise the process knew the outcome
		s.Fail("%v took effect, but returned %v", o, err)
	}
	if !o.request.Expired && !errors.Is(err, table.ErrConflict) && !errors.Is(err, context.DeadlineExceeded) {
		s.Fail("%v: a transient error without a reason: %v", o, err)
	}
}

func (s *schedule) checkSuccess(o *operation, r *directory.Resource, l *directory.ListResult) {
	switch {
	case o.missing.has(o.target) && l == nil:
		s.Fail("%v succeeded, but the resource was deleted before", o)
	case o.verb == "create" || o.verb == "delete":
		if o.effects != 1 {
			s.Fail("%v took effect %d times", o, o.effects)
		}
	case o.verb == "change" && o.effects == 0:
		s.checkUnchanged(o)
	}
	if o.changeID != "" && !o.request.DeadlineNear && !o.request.Expired {
		s.checkApplied(o)
	}
	switch o.verb {
	case "delete":
		if !o.request.DeadlineNear && !o.request.Expired {
			s.deleted |= only(o.target)
		}
	case "find", "list":
		s.checkList(o, l)
	default:
		s.checkResource(o, r)
	}
	if o.verb == "create" {
		s.created |= only(o.target)
	}
}

// checkApplied checks that a large change is complete for plain reads when its response is sent.
func (s *schedule) checkApplied(o *operation) {
	_, it, _ := s.Peek(s.headKey(o.target))
	if textOf(it["pending"]) == o.changeID {
		s.Fail("%v returned, but its change is still pending", o)
	}
	for _, t := range s.pendingWrites[o.changeID] {
		if !t.Visible() {
			s.Fail("%v returned, but plain reads do not see all of its change", o)
		}
	}
}

// checkUnchanged checks a change that wrote nothing: at some moment of the request, there was nothing to change.
func (s *schedule) checkUnchanged(o *operation) {
	notVisible := s.everCreated() &^ s.visible()
	for version := o.start[o.target].version; version < int64(len(s.versions[o.target])); version++ {
		v := &s.versions[o.target][version]
		same := v.recorded && (o.name == "" || v.document.name == o.name) &&
			(!o.setsExternalID || v.document.externalID == o.externalID)
		add, remove := o.add&^v.members&^notVisible, o.remove&v.members
		if o.replacesMembers {
			remove = v.members &^ o.add
		}
		if o.removesUsers {
			remove &^= notVisible
		}
		if same && (!o.changesMembers || v.complete && add|remove == 0) {
			return
		}
	}
	s.Fail("%v wrote nothing, but at every moment there was something to change", o)
}

// checkList checks a list: each resource is as a read would show it, and is listed once. A resource that existed all
// the time is listed, whatever its name became.
func (s *schedule) checkList(o *operation, l *directory.ListResult) {
	listed := numberSet(0)
	for _, r := range l.Resources {
		x := s.number(r.ID())
		if listed.has(x) || typeOf(x) != typeOf(o.target) {
			s.Fail("%v: %d is listed twice, or has another type", o, x)
		}
		listed |= only(x)
		read := *o
		read.target = x
		s.checkResource(&read, r)
		if o.verb == "find" && !s.hadName(o, x) {
			s.Fail("%v: %d had another name all the time", o, x)
		}
	}
	for x := range maxResources {
		h := &s.heads[x]
		if existed := (o.created & o.namesVisible).has(x) && h.isVisible(); !existed || typeOf(x) != typeOf(o.target) {
			continue
		}
		matched := o.verb == "list" || h.version == o.start[x].version && h.folded() == o.nameID().letter
		if matched && !listed.has(x) {
			s.Fail("%v: %d is not listed", o, x)
		}
	}
}

// hadName reports whether a resource had the name at some moment of the request. A group that is found is read again
// with its members, and can have another name by then.
func (s *schedule) hadName(o *operation, x int) bool {
	return slices.ContainsFunc(s.versions[x][o.start[x].version:], func(v versionState) bool {
		return v.recorded && v.document.folded() == o.nameID().letter
	})
}

// checkResource checks that a response shows one version of the resource, and no older version than plain reads
// returned when the request began.
func (s *schedule) checkResource(o *operation, r *directory.Resource) {
	x := s.number(r.ID())
	var version, groupsVersion int64
	format := [2]string{`W/"%d.%d"`, `W/"%d"`}[typeOf(x)]
	if _, err := fmt.Sscanf(r.Version, format, []any{&version, &groupsVersion}[:2-typeOf(x)]...); err != nil {
		s.Fail("%v: the entity tag is %q", o, r.Version)
		return
	}
	if x != o.target || version < o.start[x].version || groupsVersion < o.start[x].groupsVersion*int64(1-typeOf(x)) ||
		o.effects == 1 && version < o.version {
		s.Fail("%v: the response shows the outdated version %d.%d of %d", o, version, groupsVersion, x)
	}
	if version >= int64(len(s.versions[x])) || !s.versions[x][version].recorded {
		s.Fail("%v: the resource never had version %d", o, version)
		return
	}
	v := &s.versions[x][version]
	object := directorytest.Object(r)
	name := object[s.resourceTypes[typeOf(x)].Storage.NameAttribute].(string)
	externalID, _ := object["externalId"].(string)
	if shown := (document{name, externalID}); shown != v.document {
		s.Fail("%v: the response shows %q for version %d, which was %q", o, shown, version, v.document)
	}
	if typeOf(x) == 0 {
		s.checkReferences(o, r, "groups", s.groupsHistory[x][groupsVersion])
		return
	}
	if o.withoutMembers || r.MembersOmitted {
		return
	}
	members := v.members
	if o.effects == 1 && version == o.version {
		// A member that was deleted meanwhile counts as added before, whether its membership was applied or skipped.
		members = v.initialMembers | o.add&^s.visible()
	} else if !v.complete {
		s.Fail("%v: the response shows version %d, which always had a pending change", o, version)
	}
	s.checkReferences(o, r, "members", members)
}

// checkReferences checks the members or groups that a response shows against those that the version had. A response can
// leave out resources that were not visible at some moment.
func (s *schedule) checkReferences(o *operation, r *directory.Resource, attribute string, want numberSet) {
	shown := s.setOf(directorytest.Values(r, attribute))
	optional := s.everCreated() &^ (s.visible() & o.headsVisible)
	if shown&^want != 0 || want&^shown&^optional != 0 {
		s.Fail("%v: the response shows %s %v for version %s, which had %v", o, attribute, shown, r.Version, want)
	}
	if deleted := shown & (o.missing | o.deleted); deleted != 0 && !o.request.Expired {
		s.Fail("%v: the response shows %v, which were deleted before", o, deleted)
	}
}
