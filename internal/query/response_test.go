package query_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/scim"
)

// A response of Lambda is itself a JSON string, which has at most 6 MB. Quotes and backslashes are therefore escaped
// twice.
func TestPagesFitALambdaResponse(t *testing.T) {
	t.Parallel()
	for name, title := range map[string]string{"letters": strings.Repeat("x", 60_000), "quotes": strings.Repeat(`"`,
		30_000)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := directorytest.New(t, directorytest.NewTable(t))
			var users []string
			for i := range 120 {
				o := scim.Object{"userName": fmt.Sprint(i), "title": title}
				users = append(users, f.Must(f.Create(f.Ctx, f.User, o, scim.Projection{})).ID())
			}
			slices.Sort(users)
			for _, p := range []directory.ListParams{
				{Types: directorytest.Only(f.User), StartIndex: 1, Count: 100}, {Types: directorytest.Only(f.User), Count: 100},
			} {
				var listed []string
				for more := true; more; {
					l := list(t, f, p)
					size := 0
					for _, r := range l.Resources {
						b, err := r.AppendJSON(nil, p.Projection)
						if err != nil {
							t.Fatal(err)
						}
						size += len(b) + strings.Count(string(b), `"`) + strings.Count(string(b), `\`)
					}
					if size > 6<<20-16<<10 || len(l.Resources) == 0 {
						t.Fatalf("a page of %d resources has %d bytes", len(l.Resources), size)
					}
					listed, more = append(listed, directorytest.IDs(l)...), directorytest.NextPage(&p, l)
				}
				if !slices.Equal(listed, users) {
					t.Errorf("%d users are listed, want %d, each once", len(listed), len(users))
				}
			}
		})
	}
}
