package main

import (
	"testing"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/internal/table"
)

// The role allows exactly the actions that the function uses: on an empty log, on a log that ran empty, and on another
// instance.
func TestPermissions(t *testing.T) {
	t.Parallel()
	c, _ := newConfig(t)
	tab := c.Store.Table
	functiontest.CheckPermissions(t, "FeedRole", tab, func(recorded table.Table) {
		c.Store.Table = recorded
		for range 2 {
			if err := invoke(t, c); err != nil {
				t.Fatal(err)
			}
			page, err := tab.Query(t.Context(), table.Range{PK: "acme#changes", From: "0", To: "9999999999999999"})
			if err == nil && len(page.Items) == 1 {
				err = tab.Write(t.Context(), table.Delete{Key: page.Items[0].Key()})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}
