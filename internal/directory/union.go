package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"serverless-scim/internal/scim"
)

// union is what at least one of several sources gives, whose places are of one kind. Each it has read a little further than
// it has given.
type union struct {
	*Directory
	of       []source
	branches []branch
	at       string // all that is left in them is behind this place
	backward bool
}

// branch is one of the sources as far as it was read.
type branch struct {
	left []candidate
	last mark // up to which it was read
	end  bool
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
	for after, end := (mark{}), false; !end; {
		if d.hurried(ctx) {
			return d.tooMany()
		}
		var found []candidate
		var err error
		if found, end, err = s.next(ctx, after, false, batch); err != nil {
			return err
		}
		if len(found) > 0 {
			after = found[len(found)-1].behind()
		}
		if err := do(found); err != nil {
			return err
		}
	}
	return nil
}

// next reads on where nothing is left, of few sources what may be needed and of many a share, and gives what none can have
// more before.
func (s *union) next(ctx context.Context, after mark, backward bool, n int) (found []candidate, end bool, err error) {
	if s.branches == nil || after.With || after.Place != s.at || backward != s.backward {
		s.branches, s.at, s.backward = make([]branch, len(s.of)), after.Place, backward
		for i := range s.branches {
			s.branches[i].last = after
		}
	}
	if err := s.readOn(ctx, min(n, max(10, 4*n/len(s.of)))); err != nil {
		return nil, false, err
	}
	for _, b := range s.branches {
		found = append(found, b.left...)
	}
	slices.SortFunc(found, s.order)
	found = slices.Compact(found)
	for _, b := range s.branches {
		if !b.end {
			found = found[:s.upTo(found, b.last.Place)]
		}
	}
	if found = found[:min(n, len(found))]; len(found) > 0 {
		s.at = found[len(found)-1].place
	}
	end = true
	for i, b := range s.branches {
		s.branches[i].left = b.left[s.upTo(b.left, s.at):]
		end = end && b.end && len(s.branches[i].left) == 0
	}
	return found, end, nil
}

func (s *union) readOn(ctx context.Context, n int) error {
	var calls []func() error
	for i := range s.branches {
		if b := &s.branches[i]; len(b.left) == 0 && !b.end {
			calls = append(calls, func() (err error) {
				if b.left, b.end, err = s.of[i].next(ctx, b.last, s.backward, n); len(b.left) > 0 {
					b.last = b.left[len(b.left)-1].behind()
				}
				return err
			})
		}
	}
	return s.beside(calls...)
}

func (s *union) order(a, b candidate) int {
	if s.backward {
		a, b = b, a
	}
	return strings.Compare(a.place, b.place)
}

// upTo is how many candidates are not behind a place.
func (s *union) upTo(some []candidate, place string) int {
	n, there := slices.BinarySearchFunc(some, candidate{place: place}, s.order)
	if there {
		n++
	}
	return n
}

// either is what one of two sources gives, or both, whose places are not of one kind: all of it is found before, in the
// order of ids; or everybody in that order, if it is more than a request tests.
type either struct {
	idList
	everyone source
	many     bool
}

// errMixed says that both sources together give more than a request tests.
var errMixed = errors.New("directory: too many names or ids")

func (d *Directory) either(rt *scim.ResourceType, x, y source) source {
	return &either{everyone: d.everyone(rt), idList: idList{said: fmt.Sprintf("%v or %v", x, y), find: func(ctx context.Context) (ids []string, err error) {
		met := map[string]bool{}
		for _, s := range []source{x, y} {
			err := d.each(ctx, s, func(found []candidate) error {
				for _, c := range found {
					if !met[c.id] {
						met[c.id], ids = true, append(ids, c.id)
					}
				}
				if len(ids) > d.budget() {
					return errMixed
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
		return ids, nil
	}}}
}

func (s *either) next(ctx context.Context, after mark, backward bool, n int) (found []candidate, end bool, err error) {
	if !s.many {
		if found, end, err = s.idList.next(ctx, after, backward, n); !errors.Is(err, errMixed) {
			return found, end, err
		}
		s.many = true
	}
	return s.everyone.next(ctx, after, backward, n)
}
