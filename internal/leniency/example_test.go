package leniency_test

import (
	"context"
	"fmt"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/leniency"
)

// The server collects the rules of a request. The code that is lenient, here the parser of filters, records them.
func ExampleCollect() {
	ctx, rules := leniency.Collect(context.Background())

	_, err := filter.Parse(`userName eq  ada`, leniency.FromContext(ctx))
	fmt.Println(err)
	for _, rule := range rules() {
		fmt.Println(rule.Name())
	}
	// Output:
	// <nil>
	// filter-unquoted
	// filter-white-space
}

// A tenant with the profile interop refuses some of the rules.
func ExampleSet_Apply() {
	ctx, rules := leniency.Collect(context.Background())
	set := leniency.FromContext(ctx)
	set.UseInterop()

	fmt.Println(set.Apply(leniency.OpCase, "Replace"))
	err := set.Apply(leniency.UnknownAttribute, "shoeSize")
	fmt.Println(err.(*leniency.RefusedError).Detail)
	fmt.Println(len(rules()))
	// Output:
	// <nil>
	// The attribute "shoeSize" is not defined. Send only the attributes that /Schemas has, because the profile of the tenant is interop.
	// 1
}
