package dynamo

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"serverless-scim/internal/table"
)

// retried puts our attempts in the place of the SDK's. They come after serialization, so that each attempt sends the
// same bytes: what DynamoDB knows by its token must not change, and the SDK writes maps in any order.
func (t *Table) retried(o *dynamodb.Options) {
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		_, err := s.Finalize.Swap("Retry", attempts{&t.Options})
		return err
	})
}

type attempts struct{ *Options }

func (attempts) ID() string { return "Retry" }

// HandleFinalize sends a request until its outcome is known. The error is *table.Busy if it is not.
func (a attempts) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	for n := 0; ; n++ {
		if ended := table.Ended(ctx); ended != nil {
			return out, metadata, &table.Busy{Err: cmp.Or(err, ended)}
		}
		out, metadata, err = a.send(ctx, in, next)
		if err == nil || !transient(err) {
			return out, metadata, err
		}
		if err := a.wait(ctx, n, err); err != nil {
			return out, metadata, err
		}
	}
}

func (a attempts) send(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	in.Request = smithyhttp.RequestCloner(in.Request) // each attempt is signed, so each begins with the unsigned request
	if r, ok := in.Request.(*smithyhttp.Request); ok {
		if err := r.RewindStream(); err != nil {
			return out, metadata, err
		}
	}
	return next.HandleFinalize(ctx, in)
}

// wait waits before another attempt, after n+1 have failed; if there is to be none, it returns *table.Busy.
func (o *Options) wait(ctx context.Context, n int, err error) error {
	_, deadline := ctx.Deadline()
	if !deadline && n+1 >= o.Attempts || o.Backoff.Wait(ctx, n) != nil {
		return &table.Busy{Err: err}
	}
	table.Retried(ctx, conflict(err))
	return nil
}

// transient tells whether the same request may do better later, or has an outcome that is not known yet.
func transient(err error) bool {
	var canceled *types.TransactionCanceledException
	var api smithy.APIError
	var answer *smithyhttp.ResponseError
	switch {
	case errors.As(err, &canceled):
		return undecided(canceled.CancellationReasons)
	case errors.As(err, &answer) && temporary(answer.HTTPStatusCode()):
		return true
	case errors.As(err, &api):
		return passing(api.ErrorCode())
	default: // no answer at all, or one that broke off; what never left, a fault of the credentials for example, has none
		return answer != nil
	}
}

func temporary(status int) bool {
	return status >= http.StatusInternalServerError ||
		status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

// passing tells whether a code is one that the SDK would try again, or a conflict, which it would not.
func passing(code string) bool {
	switch code {
	case "TransactionConflictException", "ReplicatedWriteConflictException", "RequestAbortedException":
		return true
	}
	_, throttled := retry.DefaultThrottleErrorCodes[code]
	_, timedOut := retry.DefaultRetryableErrorCodes[code]
	return throttled || timedOut
}

// conflict tells whether another transaction stood in the way.
func conflict(err error) bool {
	var canceled *types.TransactionCanceledException
	var api smithy.APIError
	if errors.As(err, &canceled) {
		return slices.ContainsFunc(canceled.CancellationReasons, func(r types.CancellationReason) bool {
			return code(r) == "TransactionConflict"
		})
	}
	return errors.As(err, &api) && api.ErrorCode() == "TransactionConflictException"
}

// undecided tells whether a cancellation says nothing about the conditions: where one action met a conflict, those of
// the others may have been judged on a state that never came to be.
func undecided(reasons []types.CancellationReason) bool {
	silent := true
	for _, r := range reasons {
		switch code(r) {
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			return true
		case "None":
		default:
			silent = false
		}
	}
	return silent
}

func code(r types.CancellationReason) string {
	if r.Code == nil {
		return "None"
	}
	return *r.Code
}
