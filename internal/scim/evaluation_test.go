package scim

import (
	"context"
	"errors"
	"strings"
	"testing"

	"serverless-scim/internal/filter"
)

// manyTerms returns a filter of n comparisons with title that match no user.
func manyTerms(n int) string {
	return strings.TrimSuffix(strings.Repeat(`title co "ζz" or `, n), " or ")
}

func compileUserFilter(tb testing.TB, text string) Predicate {
	tb.Helper()
	f, err := filter.Parse(text, nil)
	if err != nil {
		tb.Fatal(err)
	}
	p, err := user().Matcher(f)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestEvaluationFoldsAValueOnce(t *testing.T) {
	t.Parallel()
	const terms = 500
	title := strings.Repeat("ä", 30_000)
	o := Object{"userName": "u", "title": title}
	for _, c := range []struct {
		filter     string
		comparable int // bytes that one term compares at most
	}{
		{manyTerms(terms), len(title)},
		{strings.ReplaceAll(manyTerms(terms), "co", "eq"), 3},
		{strings.ReplaceAll(manyTerms(terms), "co", "sw"), 3},
		{strings.ReplaceAll(manyTerms(terms), " co", " gt"), 3},
	} {
		e := NewEvaluation(t.Context(), DefaultEvaluationBudget, nil)
		compileUserFilter(t, c.filter)(e, o)
		fold, term := foldCost*len(title), c.comparable+len(title)/lookupDiscount+2*valueCost
		if e.Err() != nil || len(e.folded) != 1 || e.Used() < fold || e.Used() > fold+terms*term {
			t.Errorf("%.20s: %d values folded, %d bytes, %v; want 1 and at most %d", c.filter, len(e.folded), e.Used(), e.Err(), fold+terms*term)
		}
		if e.Next(); e.folded != nil {
			t.Error("the folded values of one resource are kept for the next one")
		}
	}
}

// countingContext ends after a number of calls of Err.
type countingContext struct {
	context.Context
	remaining int
}

func (c *countingContext) Err() error {
	if c.remaining--; c.remaining < 0 {
		return context.Canceled
	}
	return nil
}

// Whatever the filter, an evaluation compares at most a few megabytes after its context has ended.
func TestEvaluationChecksTheContextOften(t *testing.T) {
	t.Parallel()
	elements := make([]any, 1000)
	for i := range elements {
		elements[i] = Object{"value": strings.Repeat("a", 50), "type": "work"}
	}
	o := Object{"userName": "u", "title": strings.Repeat("ä", 30_000), "emails": elements, "roles": elements}
	for _, text := range []string{
		manyTerms(500), `not (` + manyTerms(500) + `)`,
		strings.ReplaceAll(manyTerms(500), "title", "roles"),
		strings.ReplaceAll(manyTerms(400), "title", "emails.type"),
		"emails[" + strings.ReplaceAll(manyTerms(400), "title", "value") + "]",
		"emails[" + strings.Repeat(`primary eq true or `, 400) + "primary pr]",
		strings.Repeat(`emails[primary pr] or `, 400) + "photos pr",
		strings.Repeat(`emails.display pr or `, 400) + "photos pr",
		strings.Repeat(`emails.display ne null or `, 300) + "photos pr",
	} {
		ctx := &countingContext{t.Context(), 3}
		e := NewEvaluation(ctx, DefaultEvaluationBudget, nil)
		compileUserFilter(t, text)(e, o)
		if !errors.Is(e.Err(), context.Canceled) || e.Used() > 4*(checkInterval+foldCost*len(o["title"].(string))) {
			t.Errorf("%.40s: %v after %d bytes, want that the context has ended", text, e.Err(), e.Used())
		}
	}
}

func TestEvaluationStopsAfterItsBudget(t *testing.T) {
	t.Parallel()
	o := Object{"title": strings.Repeat("a", 1000)}
	e := NewEvaluation(t.Context(), 100_000, nil)
	compileUserFilter(t, manyTerms(500))(e, o)
	if e.Err() != ErrOverBudget || e.Used() > 110_000 {
		t.Errorf("%v after %d bytes", e.Err(), e.Used())
	}
	e = NewEvaluation(t.Context(), 100_000, func() bool { return true })
	if e.Next() != ErrOverBudget {
		t.Error("stop does not end the evaluation")
	}
}

// The scan budget of 100,000 users is the limit of an ordinary filter, not the evaluation budget.
func TestOrdinaryFiltersFitTheBudget(t *testing.T) {
	t.Parallel()
	o := decodeUser(t, strings.ReplaceAll(ada, "Lovelace", "Lövelace-Müller von und zu Hohenstein"))
	for _, text := range []string{
		`userName co "x" or name.familyName co "y" or name.givenName sw "z" or displayName co "w" or emails.value ew "v"`,
		strings.Repeat(`name.familyName co "Schmidt" or `, 30) + `active eq false`,
	} {
		e := NewEvaluation(t.Context(), DefaultEvaluationBudget, nil)
		if compileUserFilter(t, text)(e, o); 100_000*e.Used() > DefaultEvaluationBudget {
			t.Errorf("%s costs %d bytes for one user", text, e.Used())
		}
	}
}

func TestSortValuesAreFolded(t *testing.T) {
	t.Parallel()
	s, err := user().Sorter(filter.Attr{Name: "title"}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("Ä", 30_000)
	v := s.SortValue(Object{"title": long})
	if text, _ := v.(string); len(text) > maxSortValueBytes || !strings.HasPrefix(Fold(long), text) || s.Fold(v) != v {
		t.Errorf("the sort value is %q", v)
	}
	if s.Compare(s.Fold("Äpfel"), s.Fold("äPFEL")) != 0 || s.Compare(s.Fold("B"), s.Fold("a")) != 1 {
		t.Error("the order depends on the case")
	}
}

// The attack that the evaluation budget is for: a filter of hundreds of terms on a large value that is not ASCII.
func BenchmarkManyTermsOnALargeValue(b *testing.B) {
	p, o := compileUserFilter(b, manyTerms(500)), Object{"title": strings.Repeat("ä", 30_000)}
	for b.Loop() {
		p(NewEvaluation(b.Context(), DefaultEvaluationBudget, nil), o)
	}
}
