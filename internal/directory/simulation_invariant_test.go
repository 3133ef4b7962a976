package directory

import "serverless-scim/internal/table"

// moved checks that versions move with what they stand for.
func (w *world) moved(k table.Key, was, is *simHead) {
	if !was.there || !is.there {
		return
	}
	if (was.groups != is.groups) != (was.gver != is.gver) || is.gver < was.gver || is.ver < was.ver {
		w.Fail("%v: groups and gver were %v and %d, are %v and %d", k, was.groups, was.gver, is.groups, is.gver)
	}
	if (was.doc != is.doc || is.deleting != was.deleting) && was.ver == is.ver {
		w.Fail("%v: changed under version %d", k, is.ver)
	}
}

// check is what must be true after every transaction.
func (w *world) check() {
	living := w.living()
	var reverse [simAll]idSet
	for g := range everyGroup.each {
		for m := range w.edges[g].each {
			reverse[m] |= bit(g)
		}
		w.checkGroup(g, living)
	}
	var heads [2]int64
	named := 0
	for x := range simAll {
		h := &w.heads[x]
		if h.groups != reverse[x] || h.there && h.ver == 0 || kind(x) == 0 && w.edges[x] != 0 {
			w.Fail("%d: its set says %v, the edges say %v", x, h.groups, reverse[x])
		}
		if w.lookups[kind(x)][""].has(x) != h.alive() {
			w.Fail("%d is listed is %v", x, !h.alive())
		}
		for _, ext := range []string{"x", "y"} {
			if found := w.lookups[kind(x)][ext].has(x); found != (h.alive() && h.ext == ext) {
				w.Fail("%d with externalId %q: found by %q is %v", x, h.ext, ext, found)
			}
		}
		if !h.alive() {
			continue
		}
		heads[kind(x)]++
		named++
		if owner, ok := w.names[place{kind(x), h.slot()}]; !ok || owner != x {
			w.Fail("%d does not own its name %q", x, h.name)
		}
		if h.simDoc != w.docs[x] {
			w.Fail("%d is %q, and should be %q", x, h.simDoc, w.docs[x])
		}
		w.record(x)
	}
	if named != len(w.names) || heads != w.counts {
		w.Fail("%d names of %d resources; counts %v of %v", len(w.names), named, w.counts, heads)
	}
}

// checkGroup: n and sum, and that the edges with what the redo log still adds and takes away are what was asked for.
func (w *world) checkGroup(g int, living idSet) {
	h, has := &w.heads[g], w.edges[g]
	if sum := w.sum(has); !h.there && has != 0 || h.there && (int(h.n) != has.len() || h.sum != sum) {
		w.Fail("group %d: n %d and sum %d, has %v", g, h.n, h.sum, has)
	}
	if !h.alive() {
		return
	}
	left := int64(len(w.parts[h.pending]))
	if want := w.wanted(g, living); want != w.spec[g] || left != h.left {
		w.Fail("group %d must have %v, has %v, with %d Change items of %d: %v", g, w.spec[g], has, left, h.left, want)
	}
}

// wanted is the members of a group with what the redo log still adds and takes away.
func (w *world) wanted(g int, living idSet) idSet {
	want := w.edges[g]
	for _, p := range w.parts[w.heads[g].pending] {
		want = (want | p.add&living) &^ p.del
	}
	return want
}

func (w *world) sum(s idSet) (sum int64) {
	for x := range s.each {
		d, ok := w.digests[w.ids[x]]
		if !ok {
			d = MemberHash(w.ids[x])
			w.digests[w.ids[x]] = d
		}
		sum += d
	}
	return sum
}

// record keeps what a resource is at its version, and checks that it was nothing else before.
func (w *world) record(x int) {
	h, has, old := &w.heads[x], w.edges[x], &w.last[x]
	for int64(len(w.versions[x])) <= h.ver {
		w.versions[x] = append(w.versions[x], simVersion{})
	}
	v := &w.versions[x][h.ver]
	if !v.recorded {
		*v = simVersion{doc: h.simDoc, spec: w.spec[x], recorded: true}
	}
	if v.doc != h.simDoc {
		w.Fail("%d changed under version %d: from %q to %q", x, h.ver, v.doc, h.simDoc)
	}
	if h.left == 0 {
		if v.quiet && v.members != has {
			w.Fail("group %d changed under version %d", x, h.ver)
		}
		v.quiet, v.members = true, has
	}
	if h.pending == "" && old.there && old.pending == "" && old.ver != h.ver && old.doc == h.doc && w.lastEdges[x] == has {
		w.Fail("%d: the version moved, and nothing has changed", x)
	}
	if was, ok := w.groupsAt[x][h.gver]; ok && was != h.groups {
		w.Fail("%d: the groups changed from %v to %v under gver %d", x, was, h.groups, h.gver)
	}
	w.groupsAt[x][h.gver] = h.groups
	*old, w.lastEdges[x] = *h, has
}

// leftovers: all is quiet, and what was unfinished has been swept.
func (w *world) leftovers() {
	for x := range simAll {
		if h := &w.heads[x]; h.pending != "" || h.left != 0 || h.deleting {
			w.Fail("left over: %d, pending %q, deleting %v", x, h.pending, h.deleting)
		}
	}
	for k, state := range w.markers {
		if state != "swept" {
			w.Fail("left over: %v, %s", k, state)
		}
	}
	for change, left := range w.parts {
		if len(left) > 0 {
			w.Fail("left over: Change items of %s", change)
		}
	}
}
