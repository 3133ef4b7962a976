package table_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

func TestCheckDeadlineUsesTheWallClock(t *testing.T) {
	t.Parallel()
	ctx := tabletest.SuspendedContext(t.Context())
	if deadline, _ := ctx.Deadline(); time.Until(deadline) <= 0 || ctx.Err() != nil {
		t.Fatal("the context has also ended by the monotonic clock")
	}
	if err := table.CheckDeadline(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("CheckDeadline: %v", err)
	}
	if err := (table.Backoff{}).Wait(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait: %v", err)
	}
	later, cancel := context.WithTimeout(t.Context(), time.Hour)
	if err := table.CheckDeadline(later); err != nil {
		t.Errorf("CheckDeadline an hour before the deadline: %v", err)
	}
	cancel()
	if err := table.CheckDeadline(later); !errors.Is(err, context.Canceled) {
		t.Errorf("CheckDeadline of a canceled context: %v", err)
	}
}
