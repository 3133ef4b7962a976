package feed_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/feed"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
)

// A reader without a cursor gets all resources. With the cursor of a page, it gets what has changed since that page.
func ExampleReader_Read() {
	t, err := bolt.Open(":memory:", bolt.Watch(feed.IsWatched))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Close()
	c := store.Config{Table: t, Types: scim.StandardTypes(), Now: time.Now, Random: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	d := directory.New(directory.Config{Store: c}, "acme", "https://scim.example.com")
	publisher := &feed.Publisher{Store: c, IsActive: func(context.Context, string) (bool, error) { return true, nil }}
	reader := feed.NewReader(c, "acme", c.Types.ResourceTypes)
	ctx, user := context.Background(), c.Types.ByName("User")

	// create creates a user. The publisher then appends the change to the log, as functions/feed does all the time.
	create := func(name string) {
		_, err := d.Create(ctx, user, scim.Object{"userName": name}, scim.Projection{})
		if err == nil {
			_, err = t.Receive(ctx, func(ctx context.Context, records []table.Record) error {
				_, err := publisher.Publish(ctx, records)
				return err
			})
		}
		if err != nil {
			fmt.Println(err)
		}
	}
	cursor := ""
	// read reads to the end, as an application does before it waits.
	read := func() {
		for more := true; more; {
			page, err := reader.Read(ctx, cursor, 100)
			if err != nil {
				fmt.Println(err) // forget the cursor and begin again
				return
			}
			for _, change := range page.Changes {
				fmt.Println(change.Types(), change.State.Head.Document)
			}
			cursor, more = page.Cursor, page.More // store the cursor together with the changes
		}
	}

	create("ada")
	read()
	create("grace")
	read()
	// Output:
	// [user.listed] {"userName":"ada"}
	// [user.created] {"userName":"grace"}
}
