package dynamo

import (
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"

	"serverless-scim/internal/table"
)

// writeExpression returns the expression of a write. It is empty for a Put or a Delete without conditions.
func writeExpression(w table.Write) (expression.Expression, error) {
	b, empty := expression.NewBuilder(), true
	if conditions := w.Conditions(); len(conditions) > 0 {
		all := conditionExpression(conditions[0])
		for _, c := range conditions[1:] {
			all = all.And(conditionExpression(c))
		}
		b, empty = b.WithCondition(all), false
	}
	if u, ok := w.(table.Update); ok {
		b, empty = b.WithUpdate(updateExpression(u)), false
	}
	if empty {
		return expression.Expression{}, nil
	}
	return b.Build()
}

func conditionExpression(c table.Condition) expression.ConditionBuilder {
	switch c.Op {
	case table.OpItemExists:
		return attributeName("PK").AttributeExists()
	case table.OpItemNotExists:
		return attributeName("PK").AttributeNotExists()
	case table.OpAttributeNotExists:
		return attributeName(c.Attribute).AttributeNotExists()
	case table.OpEquals:
		return attributeName(c.Attribute).Equal(expression.Value(c.Value))
	default:
		a := attributeName(c.Attribute)
		smallSet := a.AttributeType(expression.StringSet).And(a.Size().LessThan(expression.Value(c.Size)))
		return a.AttributeNotExists().Or(smallSet)
	}
}

func updateExpression(w table.Update) (u expression.UpdateBuilder) {
	for n, v := range w.Set {
		u = u.Set(attributeName(n), expression.Value(v))
	}
	for n, v := range w.Add {
		u = u.Add(attributeName(n), expression.Value(v))
	}
	for n, v := range w.Delete {
		u = u.Delete(attributeName(n), expression.Value(v))
	}
	for _, n := range w.Remove {
		u = u.Remove(attributeName(n))
	}
	return u
}

// attributeName returns an alias for the name, because DynamoDB reserves 573 words. A dot is part of the name.
func attributeName(attribute string) expression.NameBuilder {
	return expression.NameNoDotSplit(attribute)
}

// rangeExpression returns the key condition and the projection of a range.
func rangeExpression(r table.Range) (expression.Expression, error) {
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
		p = p.AddNames(attributeName(n))
	}
	return p
}

// projectionExpression returns the expression that selects these attributes. It is empty for nil, which selects all.
func projectionExpression(attributes []string) (expression.Expression, error) {
	if attributes == nil {
		return expression.Expression{}, nil
	}
	return expression.NewBuilder().WithProjection(projection(attributes)).Build()
}
