package filter_test

import (
	"errors"
	"fmt"

	"serverless-scim/internal/filter"
)

// A filter becomes a tree of expressions. A type switch or Visit reads it.
func ExampleParse() {
	e, err := filter.Parse(`userName eq "ada@example.com" and active eq true`, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	and := e.(*filter.And)
	name := and.X.(*filter.Compare)
	fmt.Println(name.Attr, name.Op, name.Value)
	fmt.Println(and.Y)
	// Output:
	// userName eq ada@example.com
	// active eq true
}

// An error says at which byte the text violates the grammar.
func ExampleParse_error() {
	_, err := filter.Parse(`userName equals "ada"`, nil)
	var syntax *filter.Error
	fmt.Println(errors.As(err, &syntax), syntax.Offset)
	fmt.Println(syntax.Detail)
	// Output:
	// true 9
	// expected one of eq ne co sw ew gt ge lt le pr after userName
}

// The path of a PATCH operation can select elements by a filter.
func ExampleParsePath() {
	p, err := filter.ParsePath(`emails[type eq "work"].value`, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Attr.Name, p.Attr.Sub)
	fmt.Println(p.Filter)
	// Output:
	// emails value
	// type eq "work"
}
