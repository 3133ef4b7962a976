package eventbridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"serverless-scim/internal/feed"
	"serverless-scim/internal/table"
)

// Send puts the changes of a tenant on the bus. It repeats what fails until the deadline, and then returns a
// *table.TransientError. Another error means that the bus cannot be used, for example because access is denied. After an
// error, some of the events may have been sent.
//
// An event that EventBridge rejects is sent without the resource, if it contained one. If it is rejected again, it is
// logged and skipped, so that it cannot stop the feed.
func (b *Bus) Send(ctx context.Context, tenant string, changes []feed.ResourceChange) error {
	var events []*event
	size := 0
	for _, c := range changes {
		next, err := b.newEvent(ctx, tenant, c)
		if err != nil {
			return err
		}
		if len(events) == maxCallEvents || size+next.size() > maxCallBytes {
			if err := b.send(ctx, events); err != nil {
				return err
			}
			events, size = nil, 0
		}
		events, size = append(events, next), size+next.size()
	}
	return b.send(ctx, events)
}

// send sends events that fit one call. It repeats those that fail.
func (b *Bus) send(ctx context.Context, events []*event) error {
	for n := 0; len(events) > 0; n++ {
		failed, err := b.put(ctx, events)
		switch {
		case isInvalid(err) && (len(events) > 1 || events[0].full):
			return b.sendSmaller(ctx, events, err)
		case err != nil && !isTransient(err):
			return fmt.Errorf("eventbridge: %w", err)
		case len(failed) > 0 && b.Backoff.Wait(ctx, n) != nil:
			return &table.TransientError{Err: err}
		}
		events = failed
	}
	return nil
}

// sendSmaller sends events whose call was invalid. Where the limit is lower than here, the call was too large, so
// sendSmaller divides it, and omits the resource of a single event.
func (b *Bus) sendSmaller(ctx context.Context, events []*event, reason error) error {
	if len(events) == 1 {
		b.log(ctx, events[0], "event sent without the resource", reason.Error())
		if err := events[0].setDetail(nil); err != nil {
			return err
		}
		return b.send(ctx, events)
	}
	half := len(events) / 2
	if err := b.send(ctx, events[:half]); err != nil {
		return err
	}
	return b.send(ctx, events[half:])
}

// put makes one attempt. It returns the events to send again, and if there are any, the reason.
func (b *Bus) put(ctx context.Context, events []*event) (failed []*event, err error) {
	in := &eventbridge.PutEventsInput{}
	for _, v := range events {
		in.Entries = append(in.Entries, v.PutEventsRequestEntry)
	}
	attempt, cancel := context.WithTimeout(ctx, b.Timeout)
	defer cancel()
	out, err := b.client.PutEvents(attempt, in)
	if err != nil {
		return events, err
	}
	for i, v := range events {
		result := types.PutEventsResultEntry{}
		if i < len(out.Entries) {
			result = out.Entries[i]
		}
		if entryErr := b.handleResult(ctx, v, result); entryErr != nil {
			failed = append(failed, v)
			if err == nil || isTransient(err) {
				err = entryErr
			}
		}
	}
	return failed, err
}

// handleResult counts an event that was accepted or rejected. It returns an error if the event must be sent again, or if no
// event can be sent.
func (b *Bus) handleResult(ctx context.Context, v *event, r types.PutEventsResultEntry) error {
	if r.ErrorCode == nil && r.EventId != nil {
		counterOf(ctx).accepted.Add(1)
		return nil
	}
	err := &smithy.GenericAPIError{Code: cmp.Or(aws.ToString(r.ErrorCode), "InternalFailure"), Message: aws.ToString(r.ErrorMessage)}
	switch {
	case isTransient(err) || isBusError(err.Code):
		return err
	case v.full:
		b.log(ctx, v, "event sent without the resource", err.Error())
		return errors.Join(errRejected, v.setDetail(nil))
	}
	b.log(ctx, v, "event rejected", err.Error())
	counterOf(ctx).rejected.Add(1)
	return nil
}

// errRejected reports that an event was rejected, and must be sent again without the resource.
var errRejected = errors.New("eventbridge: an event with a resource was rejected")

// isTransient reports whether the same events may be accepted later, or their outcome is unknown.
func isTransient(err error) bool {
	var api smithy.APIError
	var response *smithyhttp.ResponseError
	switch {
	case errors.Is(err, errRejected) || table.IsTransient(err):
		return true
	case errors.As(err, &response) && isTransientStatus(response.HTTPStatusCode()):
		return true
	case errors.As(err, &api):
		return isTransientCode(api.ErrorCode())
	default:
		return response != nil // a request was sent, and its response is missing or incomplete
	}
}

func isTransientStatus(status int) bool {
	return status >= http.StatusInternalServerError ||
		status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

func isTransientCode(code string) bool {
	_, throttled := retry.DefaultThrottleErrorCodes[code]
	_, timedOut := retry.DefaultRetryableErrorCodes[code]
	return throttled || timedOut || slices.Contains([]string{"InternalFailure", "InternalException", "ServiceUnavailable"}, code)
}

// isBusError reports whether the code of an event says that the bus accepts no event until an operator changes something.
func isBusError(code string) bool {
	return slices.Contains([]string{"AccessDeniedException", "InvalidAccountIdException", "NotAuthorizedForSourceException",
		"NotAuthorizedForDetailTypeException", "ResourceNotFoundException"}, code)
}

// isInvalid reports whether EventBridge found the call invalid, which it also does if the call is too large.
func isInvalid(err error) bool {
	var api smithy.APIError
	var response *smithyhttp.ResponseError
	return errors.As(err, &api) && api.ErrorCode() == "ValidationException" ||
		errors.As(err, &response) && response.HTTPStatusCode() == http.StatusRequestEntityTooLarge
}
