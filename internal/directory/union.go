package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// union is what at least one of several sources gives, whose places are of one kind.
type union struct {
	*Directory
	of []source
}

// union makes one source of several; what is said twice is read once.
func (d *Directory) union(of []source) source {
	u, said := &union{Directory: d}, map[string]bool{}
	for _, s := range of {
		if !said[s.String()] {
			said[s.String()], u.of = true, append(u.of, s)
		}
	}
	if len(u.of) == 1 {
		return u.of[0]
	}
	return u
}

func (s *union) String() string {
	said := make([]string, len(s.of))
	for i, one := range s.of {
		said[i] = one.String()
	}
	return strings.Join(said, " or ")
}

func (s *union) counted() bool { return false }

func (s *union) count(ctx context.Context) (n int, err error) {
	err = s.each(ctx, s, func(found []candidate) error { n += len(found); return nil })
	return n, err
}

// each goes through all that a source gives.
func (d *Directory) each(ctx context.Context, s source, do func([]candidate) error) error {
	for after, end := "", false; !end; {
		if d.hurried(ctx) {
			return d.tooMany()
		}
		var found []candidate
		var err error
		if found, end, err = s.next(ctx, after, false, batch); err != nil {
			return err
		}
		if len(found) > 0 {
			after = found[len(found)-1].place
		}
		if err := do(found); err != nil {
			return err
		}
	}
	return nil
}

// next reads a part of each source, and gives what lies before the end of every part: behind that, a source may have more.
// Of few sources each part has what may be needed, of many a share.
func (s *union) next(ctx context.Context, after string, backward bool, n int) (found []candidate, end bool, err error) {
	share := min(n, max(10, 4*n/len(s.of)))
	parts, ends, calls := make([][]candidate, len(s.of)), make([]bool, len(s.of)), make([]func() error, len(s.of))
	for i, one := range s.of {
		calls[i] = func() (err error) { parts[i], ends[i], err = one.next(ctx, after, backward, share); return err }
	}
	if err := s.beside(calls...); err != nil {
		return nil, false, err
	}
	order := func(a, b candidate) int { return strings.Compare(a.place, b.place) }
	if backward {
		order = func(a, b candidate) int { return strings.Compare(b.place, a.place) }
	}
	found = slices.Concat(parts...)
	slices.SortFunc(found, order)
	found, end = slices.Compact(found), true
	for i, part := range parts {
		if last, there := 0, false; !ends[i] {
			if last, there = slices.BinarySearchFunc(found, part[len(part)-1], order); there {
				last++
			}
			found, end = found[:last], false
		}
	}
	if len(found) > n {
		found, end = found[:n], false
	}
	return found, end, nil
}

// either is what one of two sources gives, or both, whose places are not of one kind: all of it is found before.
func (d *Directory) either(x, y source) source {
	return &idList{said: fmt.Sprintf("%v or %v", x, y), find: func(ctx context.Context) (ids []string, err error) {
		met := map[string]bool{}
		for _, s := range []source{x, y} {
			err := d.each(ctx, s, func(found []candidate) error {
				for _, c := range found {
					if !met[c.id] {
						met[c.id], ids = true, append(ids, c.id)
					}
				}
				if len(ids) > d.budget() {
					return d.tooMany()
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
		return ids, nil
	}}
}
