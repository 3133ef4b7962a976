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

// withRetries replaces the SDK's retry middleware. The replacement runs after serialization, so every attempt sends the
// same bytes. DynamoDB rejects a repeated ClientRequestToken with a different body, and the SDK serializes maps in
// random order.
func (t *Table) withRetries(o *dynamodb.Options) {
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		_, err := s.Finalize.Swap("Retry", retryMiddleware{&t.Options})
		return err
	})
}

// retryMiddleware repeats a request after transient errors.
type retryMiddleware struct{ *Options }

// ID returns the name of the SDK's middleware, which this one replaces.
func (retryMiddleware) ID() string { return "Retry" }

// HandleFinalize sends a request until its outcome is known. If the deadline or the maximum number of attempts comes
// first, the error is *table.TransientError.
func (a retryMiddleware) HandleFinalize(
	ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
) (out middleware.FinalizeOutput, metadata middleware.Metadata, err error) {
	for n := 0; ; n++ {
		if deadlineErr := table.CheckDeadline(ctx); deadlineErr != nil {
			return out, metadata, &table.TransientError{Err: cmp.Or(err, deadlineErr)}
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

// send makes one attempt.
func (a retryMiddleware) send(
	ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
) (out middleware.FinalizeOutput, metadata middleware.Metadata, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	in.Request = smithyhttp.RequestCloner(in.Request) // later middleware signs the request, so it must not be shared
	if r, ok := in.Request.(*smithyhttp.Request); ok {
		if err := r.RewindStream(); err != nil {
			return out, metadata, err
		}
	}
	return next.HandleFinalize(ctx, in)
}

// wait waits before the next attempt, after n+1 failed ones. It returns a *table.TransientError with err if no attempt
// may follow.
func (o *Options) wait(ctx context.Context, n int, err error) error {
	_, hasDeadline := ctx.Deadline()
	if !hasDeadline && n+1 >= o.Attempts || o.Backoff.Wait(ctx, n) != nil {
		return &table.TransientError{Err: err}
	}
	table.CountRetry(ctx, isTransactionConflict(err))
	return nil
}

// isTransient reports whether the same request may succeed later, or its outcome is unknown.
func isTransient(err error) bool {
	var canceled *types.TransactionCanceledException
	var api smithy.APIError
	var response *smithyhttp.ResponseError
	switch {
	case errors.As(err, &canceled):
		return isInconclusive(canceled.CancellationReasons)
	case errors.As(err, &response) && isTransientStatus(response.HTTPStatusCode()):
		return true
	case errors.As(err, &api):
		return isTransientCode(api.ErrorCode())
	default:
		// The SDK returns a ResponseError if a request was sent and its response is missing or incomplete. It returns
		// another error if no request was sent, for example without credentials.
		return response != nil
	}
}

func isTransientStatus(status int) bool {
	return status >= http.StatusInternalServerError ||
		status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

// isTransientCode reports whether the SDK would retry an error with this code, or the code is a conflict.
func isTransientCode(code string) bool {
	switch code {
	case "TransactionConflictException", "ReplicatedWriteConflictException", "RequestAbortedException":
		return true
	}
	_, throttled := retry.DefaultThrottleErrorCodes[code]
	_, timedOut := retry.DefaultRetryableErrorCodes[code]
	return throttled || timedOut
}

// isTransactionConflict reports whether another transaction caused the error.
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

// isInconclusive reports whether the reasons of a cancellation say nothing about the conditions. If one action met a
// conflict or was throttled, the conditions of the other actions may have been evaluated on items that were never
// committed.
func isInconclusive(reasons []types.CancellationReason) bool {
	allNone := true
	for _, r := range reasons {
		switch reasonCode(r) {
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			return true
		case "None":
		default:
			allNone = false
		}
	}
	return allNone
}

func reasonCode(r types.CancellationReason) string {
	if r.Code == nil {
		return "None"
	}
	return *r.Code
}
