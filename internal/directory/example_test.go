package directory_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/filter"
	"serverless-scim/internal/patch"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
)

// exampleConfig returns the configuration of directories on a table.
func exampleConfig(t table.Table) directory.Config {
	return directory.Config{Store: store.Config{Table: t, Types: scim.StandardTypes(), Now: time.Now, Random: rand.Reader,
		Embedded: true, Log: slog.New(slog.DiscardHandler)}}
}

// A Directory holds the resources of one tenant.
func Example() {
	t, err := bolt.Open(":memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Close()
	c := exampleConfig(t)
	d := directory.New(c, "acme", "https://scim.example.com")
	ctx, user, all := context.Background(), c.Store.Types.ByName("User"), scim.Projection{}

	for _, body := range []string{`{"userName": "ada@example.com"}`, `{"userName": "ADA@example.com"}`} {
		o, err := user.Decode([]byte(body), nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		_, err = d.Create(ctx, user, o, all)
		var refused *scim.Error
		if errors.As(err, &refused) {
			fmt.Println(refused.Status, refused.Type)
		}
	}

	f, err := filter.Parse(`userName eq "ada@example.com"`, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	page, err := d.List(ctx, directory.ListParams{Types: []*scim.ResourceType{user}, Filter: f, StartIndex: 1, Count: 10})
	fmt.Println(page.TotalResults, err)
	// Output:
	// 409 uniqueness
	// 1 <nil>
}

// Modify applies a PATCH request. The Summary of the result says what has changed.
func ExampleDirectory_Modify() {
	t, err := bolt.Open(":memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Close()
	c := exampleConfig(t)
	d := directory.New(c, "acme", "https://scim.example.com")
	ctx, user := context.Background(), c.Store.Types.ByName("User")
	ada, err := d.Create(ctx, user, scim.Object{"userName": "ada@example.com", "active": true}, scim.Projection{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ops, err := patch.Decode([]byte(`{
		"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
		"Operations": [{"op": "replace", "value": {"active": false, "title": "Countess"}}]
	}`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	isCurrent := func(entityTag string) bool { return entityTag == ada.Version } // If-Match
	r, err := d.Modify(ctx, user, ada.ID(), ops, isCurrent, scim.Projection{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Summary.Attributes, r.Summary.VersionBefore, r.Summary.VersionAfter, r.Summary.Deprovisions)
	// Output:
	// [active title] W/"1.0" W/"2.0" true
}
