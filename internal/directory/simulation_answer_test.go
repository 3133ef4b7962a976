package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// judge: an answer is right for what the request did, and for what all could see while it ran.
func (w *world) judge(o *op, r *Resource, l *ListResult, err error) {
	refused := (*scim.Error)(nil)
	switch x := o.target; {
	case err == nil:
		w.judgeSuccess(o, r, l)
	case IsTransient(err):
		w.gaveUp(o, err)
	case !errors.As(err, &refused):
		w.Fail("%v: an error that is none of the client's: %v", o, err)
	case o.effects > 0 && !(refused.Status == 409 && o.request.Unknown): // nobody can call back what is on its way
		w.Fail("%v was refused with %d, yet took effect", o, refused.Status)
	case refused.Status == 404 && (!w.heads[x].alive() || !o.born.has(x)):
	case refused.Status == 409 && o.contested:
	case refused.Status == 412 && o.ifMatch != "" && !(w.heads[x].alive() && w.heads[x].tag(x) == o.ifMatch):
	default:
		w.Fail("%v was refused without a reason: %v", o, err)
	}
}

// gaveUp: 429 is for what has not taken effect as far as anybody can know.
func (w *world) gaveUp(o *op, err error) {
	if !o.request.Expired {
		w.tally.GaveUp++
	}
	if o.effects > 0 && !(o.request.Unknown && o.request.Expired) { // otherwise what became of it was known
		w.Fail("%v took effect, and was answered %v", o, err)
	}
	if !o.request.Expired && !errors.Is(err, table.ErrConflict) && !errors.Is(err, context.DeadlineExceeded) {
		w.Fail("%v: busy for no reason: %v", o, err)
	}
}

func (w *world) judgeSuccess(o *op, r *Resource, l *ListResult) {
	switch {
	case o.dead.has(o.target) && l == nil:
		w.Fail("%v: found, though it was gone", o)
	case o.verb == "create" || o.verb == "delete":
		if o.effects != 1 {
			w.Fail("%v took effect %d times", o, o.effects)
		}
	case o.verb == "change" && o.effects == 0:
		w.judgeNothing(o)
	}
	if o.change != "" && !o.request.DeadlineNear && !o.request.Expired {
		w.judgeApplied(o)
	}
	switch o.verb {
	case "delete":
		if !o.request.DeadlineNear && !o.request.Expired {
			w.acked |= bit(o.target)
		}
	case "find", "list":
		w.judgeList(o, l)
	default:
		w.judgeShown(o, r)
	}
	if o.verb == "create" {
		w.born |= bit(o.target)
	}
}

// judgeApplied: a large change is answered when all can see all of it.
func (w *world) judgeApplied(o *op) {
	_, it, _ := w.Peek(w.headKey(o.target))
	if simText(it["pending"]) == o.change {
		w.Fail("%v was answered as applied, and is pending", o)
	}
	for _, t := range w.applying[o.change] {
		if !t.Visible() {
			w.Fail("%v was answered as applied, and cannot be seen yet", o)
		}
	}
}

// judgeNothing: what is answered without a write had nothing to change at some moment of the request.
func (w *world) judgeNothing(o *op) {
	dead := w.ever() &^ w.living()
	for ver := o.seen[o.target].ver; ver < int64(len(w.versions[o.target])); ver++ {
		v := &w.versions[o.target][ver]
		same := v.recorded && (o.name == "" || v.doc.name == o.name) && (!o.setsExt || v.doc.ext == o.ext)
		add, del := o.add&^v.members&^dead, o.del&v.members
		if o.replace {
			del = v.members &^ o.add
		}
		if o.loose {
			del &^= dead
		}
		if same && (!o.members || v.quiet && add|del == 0) {
			return
		}
	}
	w.Fail("%v was answered without a write, but there was always something to do", o)
}

// judgeList: what is listed is as if it were read; what was there all the time is listed, whatever its
// name has become, and nothing twice.
func (w *world) judgeList(o *op, l *ListResult) {
	listed := idSet(0)
	for _, r := range l.Resources {
		x := w.x(r.ID())
		if listed.has(x) || kind(x) != kind(o.target) {
			w.Fail("%v: %d is listed twice, or is of another type", o, x)
		}
		listed |= bit(x)
		shown := *o
		shown.target = x
		w.judgeShown(&shown, r)
		if o.verb == "find" && !w.bore(o, x) {
			w.Fail("%v: %d had another name all the time", o, x)
		}
	}
	for x := range simAll {
		h := &w.heads[x]
		stayed := (o.born & o.settled).has(x) && h.alive() && kind(x) == kind(o.target)
		if stayed && !listed.has(x) && (o.verb == "list" || h.ver == o.seen[x].ver && h.slot() == o.place().slot) {
			w.Fail("%v: %d is not listed", o, x)
		}
	}
}

// bore tells whether a resource had the name at some moment of the request: what is found is read again with its members.
func (w *world) bore(o *op, x int) bool {
	return slices.ContainsFunc(w.versions[x][o.seen[x].ver:], func(v simVersion) bool {
		return v.recorded && v.doc.slot() == o.place().slot
	})
}

// judgeShown: an answer shows one version of the resource, no older than what all could see when the request began.
func (w *world) judgeShown(o *op, r *Resource) {
	x := w.x(r.ID())
	var ver, gver int64
	form := [2]string{`W/"%d.%d"`, `W/"%d"`}[kind(x)]
	if _, err := fmt.Sscanf(r.Version, form, []any{&ver, &gver}[:2-kind(x)]...); err != nil {
		w.Fail("%v: the version %q", o, r.Version)
		return
	}
	if x != o.target || ver < o.seen[x].ver || gver < o.seen[x].gver*int64(1-kind(x)) || o.effects == 1 && ver < o.at {
		w.Fail("%v: %d is shown with version %d.%d, which is an old one", o, x, ver, gver)
	}
	if ver >= int64(len(w.versions[x])) || !w.versions[x][ver].recorded {
		w.Fail("%v: there was no version %d", o, ver)
		return
	}
	v := &w.versions[x][ver]
	ext, _ := r.Object()["externalId"].(string)
	if shown := (simDoc{r.Object()[w.rts[kind(x)].Storage.NameAttribute].(string), ext}); shown != v.doc {
		w.Fail("%v: version %d is shown as %q, but was %q", o, ver, shown, v.doc)
	}
	attribute, was := "groups", w.groupsAt[x][gver]
	if kind(x) == 1 {
		if attribute = "members"; o.bare || r.MembersOmitted {
			return
		}
		if was = v.members; o.effects == 1 && ver == o.at {
			was = v.spec | o.add&^w.living() // who goes meanwhile is as if added before, whether applied or not
		} else if !v.quiet {
			w.Fail("%v: version %d is shown, which was never quiet", o, ver)
		}
	}
	has := w.set(values(r, attribute))
	lost := w.ever() &^ (w.living() & o.there) // their heads could not be seen at some moment
	if has&^was != 0 || was&^has&^lost != 0 {
		w.Fail("%v: version %d.%d is shown with %v, but had %v", o, ver, gver, has, was)
	}
	if gone := has & (o.dead | o.acked); gone != 0 && !o.request.Expired {
		w.Fail("%v: shows %v, which were gone", o, gone)
	}
}
