package dynamo

import (
	"errors"
	"fmt"
	"regexp"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"serverless-scim/internal/table"
)

// tooLargePattern matches DynamoDB's messages about an item over 400 KB or a transaction over 4 MB. DynamoDB has no
// error code for these cases.
var tooLargePattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)(item|transaction|request|payload).*\b(size|large|[0-9]+ ?[km]b)\b`)
})

// translateError turns an error of the client into one of the table contract.
func (t *Table) translateError(err error) error {
	var transient *table.TransientError
	var missing *types.ResourceNotFoundException
	var api smithy.APIError
	switch {
	case errors.As(err, &transient):
		return transient
	case errors.As(err, &missing):
		return fmt.Errorf("dynamo: there is no table %q: %w", t.name, err)
	case errors.As(err, &api) && api.ErrorCode() == "ValidationException":
		return validationError(api.ErrorMessage())
	default:
		return fmt.Errorf("dynamo: %w", err)
	}
}

func validationError(message string) error {
	if tooLargePattern().MatchString(message) {
		return &table.TooLargeError{Reason: message}
	}
	return &table.InvalidError{Reason: message}
}

// translateCancellation turns the error of a transaction into one of the table contract. Failed conditions come before
// invalid or too large items, because the caller must read again in any case.
func (t *Table) translateCancellation(err error) error {
	var canceled *types.TransactionCanceledException
	if !errors.As(err, &canceled) {
		return t.translateError(err)
	}
	failed := map[int]table.Item{}
	var validationErr error
	for i, r := range canceled.CancellationReasons {
		switch reasonCode(r) {
		case "None":
		case "ConditionalCheckFailed":
			failed[i] = sortedItem(r.Item)
		case "ValidationError":
			validationErr = validationError(aws.ToString(r.Message))
		default:
			return t.translateError(err)
		}
	}
	switch {
	case len(failed) > 0:
		return &table.ConditionError{Items: failed}
	case validationErr != nil:
		return validationErr
	}
	return t.translateError(err)
}
