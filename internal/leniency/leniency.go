// Package leniency names the rules by which the server accepts requests that depart from RFC 7643, RFC 7644, and the RFCs
// on which they build. The package that applies a rule records it in the [Set] of the request, next to the code that is
// lenient. A rule is a constant, so it contains nothing that a client sent. The package does not read requests itself.
//
// Begin with [Collect], which the server calls for each request, and [Set.Apply], which the lenient code calls.
//
// # Profiles
//
// A request has the profile of its tenant. The profile lenient, the default, accepts all rules. The profile interop follows
// draft-zollner-scim-interop-profile, which forbids some of what the rules accept, and some of what the RFCs allow:
//
//   - It refuses a few rules: what the draft calls undefined attributes and schema URIs. [Set.Apply] records or refuses a rule,
//     so code that is lenient does not depend on the profile.
//   - It has requirements of its own, such as a path in each PATCH operation. The code that reads the path, the filter, or
//     the schema calls [Set.IsInterop]. Such a request departs from no RFC, so there is no rule for it.
//
// The Set holds the profile, because every package that decodes a request has the Set. The operations of a bulk request
// share one Set. The draft leaves the other rules to the server, so they are the same in both profiles.
//
// # Adding a rule
//
//  1. In rules.go, add a constant, a name for logs, and a sentence. The rules are sorted by name.
//  2. Find the nearest rule with grep, and call [Set.Apply] next to it, or [Set.Add] if no profile refuses the rule.
//     Functions that decode a part of a request have the Set as an argument. Elsewhere, [FromContext] returns it. Package
//     console/traffic reads bodies itself: if it reads such a value, change it too, such as boolean in words.go.
//  3. If the profile interop refuses the rule, add the detail of the error to refusals in profile.go.
//  4. Add a request to lenient_test.go of package server, and the sentence to the table in functions/README.md. Tests fail
//     until both have the rule. A refused rule also needs a case in profile_test.go.
package leniency

import (
	"context"
	"math/bits"
	"strings"
	"sync/atomic"
)

// Name returns the name of the rule for logs. It never changes.
func (r Rule) Name() string { return rules[r].name }

// Sentence returns a sentence that says what the client sent and what the server did.
func (r Rule) Sentence() string { return rules[r].sentence }

// All returns all rules, sorted by name.
func All() []Rule {
	all := make([]Rule, count)
	for i := range all {
		all[i] = Rule(i)
	}
	return all
}

// A Set holds the rules that were applied to one request, each of them once. The zero value is empty. A nil *Set records
// nothing. A Set is safe for concurrent use, and Add does not allocate.
type Set struct {
	bits    atomic.Uint64
	interop bool
}

// Add records that a rule was applied. Use Apply for a rule that a profile can refuse.
func (s *Set) Add(r Rule) {
	if bit := uint64(1) << r; s != nil && s.bits.Load()&bit == 0 {
		s.bits.Or(bit)
	}
}

// contextKey is the key of the Set of a context.
type contextKey struct{}

// Collect returns the context for one request to the server, and a function that returns the rules that the server applied
// to the request. Call it when the server has served the request.
func Collect(ctx context.Context) (context.Context, func() []Rule) {
	s := &Set{}
	return context.WithValue(ctx, contextKey{}, s), s.Rules
}

// FromContext returns the set of a context from Collect, or nil if there is none.
func FromContext(ctx context.Context) *Set {
	s, _ := ctx.Value(contextKey{}).(*Set)
	return s
}

// Rules returns the rules that were applied, sorted by name. It returns nil if there are none.
func (s *Set) Rules() (list []Rule) {
	for rest := s.bits.Load(); rest != 0; rest &= rest - 1 {
		list = append(list, Rule(bits.TrailingZeros64(rest)))
	}
	return list
}

// String returns the names of the rules that were applied, sorted and separated by commas.
func (s *Set) String() string {
	var names []string
	for _, r := range s.Rules() {
		names = append(names, r.Name())
	}
	return strings.Join(names, ",")
}
