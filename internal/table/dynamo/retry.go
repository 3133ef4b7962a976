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

// withRetries puts our attempts in the place of the SDK's. They come after serialization, so that each attempt sends the
// same bytes: what DynamoDB knows by its token must not change, and the SDK writes maps in any order.
func (t *Table) withRetries(o *dynamodb.Options) {
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		_, err := s.Finalize.Swap("Retry", retryMiddleware{&t.Options})
		return err
	})
}

type retryMiddleware struct{ *Options }

func (retryMiddleware) ID() string { return "Retry" }

// HandleFinalize sends a request until its outcome is known. The error is *table.Busy if it is not.
func (a retryMiddleware) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, metadata middleware.Metadata, err error,
) {
	for n := 0; ; n++ {
		if ended := table.CheckDeadline(ctx); ended != nil {
			return out, metadata, &table.TransientError{Err: cmp.Or(err, ended)}
		}
		out, metadata, err = a.send(ctx, in, next)
		if err == nil || !isTransient(err) {
			return out, metadata, err
		}
		if err := a.wait(ctx, n, err); err != nil {
			return out, metadata, err
		}
	}
}

func (a retryMiddleware) send(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
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
		return &table.TransientError{Err: err}
	}
	table.CountRetry(ctx, isTransactionConflict(err))
	return nil
}

// isTransient tells whether the same request may do better later, or has an outcome that is not known yet.
func isTransient(err error) bool {
	var canceled *types.TransactionCanceledException
	var api smithy.APIError
	var answer *smithyhttp.ResponseError
	switch {
	case errors.As(err, &canceled):
		return isInconclusive(canceled.CancellationReasons)
	case errors.As(err, &answer) && isTransientStatus(answer.HTTPStatusCode()):
		return true
	case errors.As(err, &api):
		return isTransientCode(api.ErrorCode())
	default: // no answer at all, or one that broke off; what never left, a fault of the credentials for example, has none
		return answer != nil
	}
}

func isTransientStatus(status int) bool {
	return status >= http.StatusInternalServerError ||
		status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

// isTransientCode tells whether a code is one that the SDK would try again, or a conflict, which it would not.
func isTransientCode(code string) bool {
	switch code {
	case "TransactionConflictException", "ReplicatedWriteConflictException", "RequestAbortedException":
		return true
	}
	_, throttled := retry.DefaultThrottleErrorCodes[code]
	_, timedOut := retry.DefaultRetryableErrorCodes[code]
	return throttled || timedOut
}

// isTransactionConflict tells whether another transaction stood in the way.
func isTransactionConflict(err error) bool {
	var canceled *types.TransactionCanceledException
	var api smithy.APIError
	if errors.As(err, &canceled) {
		return slices.ContainsFunc(canceled.CancellationReasons, func(r types.CancellationReason) bool {
			return reasonCode(r) == "TransactionConflict"
		})
	}
	return errors.As(err, &api) && api.ErrorCode() == "TransactionConflictException"
}

// isInconclusive tells whether a cancellation says nothing about the conditions: where one action met a conflict, those of
// the others may have been judged on a state that never came to be.
func isInconclusive(reasons []types.CancellationReason) bool {
	silent := true
	for _, r := range reasons {
		switch reasonCode(r) {
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			return true
		case "None":
		default:
			silent = false
		}
	}
	return silent
}

func reasonCode(r types.CancellationReason) string {
	if r.Code == nil {
		return "None"
	}
	return *r.Code
}
