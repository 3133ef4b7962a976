package dynamo

import (
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"

	"serverless-scim/internal/table"
)

// build makes the expression of a write, which is empty for an unconditional Put or Delete.
func build(w table.Write) (expression.Expression, error) {
	b, empty := expression.NewBuilder(), true
	if cs := w.Conditions(); len(cs) > 0 {
		all := condition(cs[0])
		for _, c := range cs[1:] {
			all = all.And(condition(c))
		}
		b, empty = b.WithCondition(all), false
	}
	if u, ok := w.(table.Update); ok {
		b, empty = b.WithUpdate(update(u)), false
	}
	if empty {
		return expression.Expression{}, nil
	}
	return b.Build()
}

func condition(c table.Condition) expression.ConditionBuilder {
	switch c.Test {
	case table.ItemExists:
		return name("PK").AttributeExists()
	case table.ItemAbsent:
		return name("PK").AttributeNotExists()
	case table.IsAbsent:
		return name(c.Attribute).AttributeNotExists()
	case table.IsEqual:
		return name(c.Attribute).Equal(expression.Value(c.Value))
	default:
		a := name(c.Attribute)
		few := a.AttributeType(expression.StringSet).And(a.Size().LessThan(expression.Value(c.Size)))
		return a.AttributeNotExists().Or(few)
	}
}

func update(w table.Update) (u expression.UpdateBuilder) {
	for n, v := range w.Set {
		u = u.Set(name(n), expression.Value(v))
	}
	for n, v := range w.Add {
		u = u.Add(name(n), expression.Value(v))
	}
	for n, v := range w.Delete {
		u = u.Delete(name(n), expression.Value(v))
	}
	for _, n := range w.Remove {
		u = u.Remove(name(n))
	}
	return u
}

// name stands in an expression by an alias, because DynamoDB reserves 573 words; a dot in it is part of the name.
func name(attribute string) expression.NameBuilder { return expression.NameNoDotSplit(attribute) }

// part makes the expression of a range.
func part(r table.Range) (expression.Expression, error) {
	key := expression.KeyEqual(expression.Key("PK"), expression.Value(table.S(r.PK)))
	switch sk := expression.Key("SK"); {
	case r.Prefix != "":
		key = key.And(sk.BeginsWith(r.Prefix))
	case r.To != "":
		key = key.And(sk.Between(expression.Value(table.S(r.From)), expression.Value(table.S(r.To))))
	}
	b := expression.NewBuilder().WithKeyCondition(key)
	if r.Attributes != nil {
		b = b.WithProjection(projection(r.Attributes))
	}
	return b.Build()
}

func projection(attributes []string) (p expression.ProjectionBuilder) {
	for _, n := range attributes {
		p = p.AddNames(name(n))
	}
	return p
}

// only makes the expression that reads some attributes; it is empty for nil, which means all.
func only(attributes []string) (expression.Expression, error) {
	if attributes == nil {
		return expression.Expression{}, nil
	}
	return expression.NewBuilder().WithProjection(projection(attributes)).Build()
}
