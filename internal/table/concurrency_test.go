package table_test

import (
	"testing"

	"serverless-scim/internal/table"
)

func TestPanicOfAConcurrentCallReachesTheCaller(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() != "fault" {
			t.Error("want the panic of the call")
		}
	}()
	table.RunConcurrently(func() error { panic("fault") }, func() error { return nil })
	t.Error("want a panic")
}
