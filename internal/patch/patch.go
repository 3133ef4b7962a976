// Package patch decodes and applies PATCH operations (RFC 7644 §3.5.2). Its functions are pure: they take a resource in
// canonical form and return a new one, and they do not modify their arguments. The package does not read a table, so it
// does not check whether a member exists or a name is unique.
//
// Begin with [Decode] and [Apply]. [SplitMembers] serves large groups, whose members need not be read.
package patch

import (
	"cmp"
	"context"
	"slices"

	"serverless-scim/internal/leniency"
	"serverless-scim/internal/scim"
)

// Apply applies the operations in order to a copy of the resource and returns the copy. If one operation fails, Apply
// returns its error and no resource. The error is a *scim.Error with status 400 or 413, a
// *leniency.RefusedError, or the error of ctx.
//
// 1,000 operations can each compare 1,000 values. The work is bounded by scim.DefaultEvaluationBudget, and a value is
// folded once for all operations.
func Apply(ctx context.Context, rt *scim.ResourceType, res scim.Object, ops []Operation) (scim.Object, error) {
	return ApplyWithMembers(ctx, rt, res, ops, nil)
}

// ApplyWithMembers is Apply for a group. It also takes members that the operations may add, by ID, with the
// sub-attributes that the server adds, such as type and display. RFC 7644 §3.5.2: operations apply in sequence, so a
// filter in one operation finds these sub-attributes in a member that an earlier operation has added. A member that is
// not in the map has its value alone.
func ApplyWithMembers(ctx context.Context, rt *scim.ResourceType, res scim.Object, ops []Operation,
	members map[string]scim.Object) (scim.Object, error) {
	return apply(scim.NewEvaluation(ctx, scim.DefaultEvaluationBudget, nil), rt, res, ops, members)
}

func apply(e *scim.Evaluation, rt *scim.ResourceType, res scim.Object, ops []Operation,
	members map[string]scim.Object) (scim.Object, error) {
	p := patcher{rt, res.Clone(), members, work{Evaluation: e}}
	for _, op := range ops {
		err := e.Check()
		if err == nil {
			err = p.apply(op)
		}
		err = cmp.Or(e.Err(), err) // after an error of the evaluation, the operation may report that nothing matches
		if err == scim.ErrOverBudget {
			return nil, scim.BadRequest(scim.TooMany, "The operations would compare more than %d MB of text. "+
				"Send them in several requests, or use filters with fewer comparisons.", scim.DefaultEvaluationBudget>>20)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := rt.Validate(p.o); err != nil {
		return nil, err
	}
	return p.o, nil
}

// A patcher modifies a resource.
type patcher struct {
	rt      *scim.ResourceType
	o       scim.Object
	members map[string]scim.Object // see ApplyWithMembers
	work    work
}

// A work is the evaluation of all operations, and the set in which leniency is recorded.
type work struct {
	*scim.Evaluation
	leniency *leniency.Set
}

func (p patcher) apply(op Operation) error {
	p.work.leniency = op.leniency
	if op.Path == nil {
		return p.applyAttributes("", op.Op, op.Value)
	}
	t, err := resolveTarget(p.rt, *op.Path, op.leniency)
	if err != nil {
		return err
	}
	if t.isReadOnly() {
		return scim.BadRequest(scim.Mutability, "%s is read-only. Leave it out.", op.Path)
	}
	return p.applyAt(t, op.Op, op.Value)
}

// applyAttributes applies an operation whose value is an object of attributes: those of the extension urn or, if urn is
// empty, those of the resource.
func (p patcher) applyAttributes(urn, op string, raw any) error {
	list, err := assignments(p.rt, urn, raw, p.work.leniency)
	for _, a := range list {
		if err == nil {
			err = p.applyAt(a.target, op, a.raw)
		}
	}
	return err
}

// applyAt applies an operation to a target, which may be a whole extension.
func (p patcher) applyAt(t target, op string, raw any) error {
	t.members = p.members
	t.recordIgnoredValue(op, raw, p.work.leniency)
	if !t.takesArray() {
		raw = unwrapSingle(raw, p.work.leniency)
	}
	if leaf := t.ref.Leaf(); leaf != nil {
		raw = withoutEmpty(leaf, op, raw, p.work.leniency)
	}
	switch r := t.ref; {
	case r.Attr == nil && op == Add && isUnassigned(raw):
		return nil
	case r.Attr == nil && (op == Remove || isUnassigned(raw)):
		return p.removeExtension(r.Extension)
	case r.Attr == nil:
		return p.applyAttributes(r.Extension, op, raw)
	case r.Extension != "":
		return editObject(p.o, r.Extension, func(c scim.Object) error { return t.apply(p.work, c, op, raw) })
	}
	return t.apply(p.work, p.o, op, raw)
}

func (p patcher) removeExtension(urn string) error {
	if slices.Contains(p.rt.SchemaExtensions, scim.Extension{Schema: urn, Required: true}) {
		return scim.BadRequest(scim.Mutability, "%s is required. Replace its attributes instead.", urn)
	}
	delete(p.o, urn)
	return nil
}
