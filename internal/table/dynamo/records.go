package dynamo

import (
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

// TimeToLive is the principal that deletes expired items.
const TimeToLive = "dynamodb.amazonaws.com"

// Records decodes the records of the table's stream, as Lambda delivers them, in their order. An image that no Table can
// have written sets Err of its record.
func Records(e events.DynamoDBEvent) []table.Record {
	records := make([]table.Record, len(e.Records))
	for i, from := range e.Records {
		records[i] = decodeRecord(from)
	}
	return records
}

func decodeRecord(from events.DynamoDBEventRecord) table.Record {
	c := from.Change
	r := NewRecord(c.Keys, c.OldImage, c.NewImage, attributeValue)
	r.CommittedAt = c.ApproximateCreationDateTime.Time
	r.Expired = from.UserIdentity != nil && from.UserIdentity.PrincipalID == TimeToLive
	return r
}

// NewRecord returns the record of a key and two images, of which nil stands for a missing item. value converts the value of
// an attribute; it returns nil for a type that table.Item does not have, and the record then has an Err.
func NewRecord[V any](key, old, updated map[string]V, value func(V) types.AttributeValue) table.Record {
	keyItem, err := decodeImage(key, value)
	r := table.Record{Key: keyItem.Key()}
	if err == nil {
		r.Old, err = decodeImage(old, value)
	}
	if err == nil {
		r.New, err = decodeImage(updated, value)
	}
	if err == nil && r.Old == nil && r.New == nil {
		err = errors.New("dynamo: a stream record without images; the stream needs the view type NEW_AND_OLD_IMAGES")
	}
	if err != nil {
		return table.Record{Key: r.Key, Err: err}
	}
	return r
}

// decodeImage returns the item of an image, or nil if the image is missing.
func decodeImage[V any](image map[string]V, value func(V) types.AttributeValue) (table.Item, error) {
	if len(image) == 0 {
		return nil, nil
	}
	it := make(table.Item, len(image))
	for name, v := range image {
		if it[name] = value(v); it[name] == nil {
			return nil, fmt.Errorf("dynamo: the attribute %q of a stream record has a type that the table does not use", name)
		}
	}
	return sortSets(it), nil
}

// attributeValue returns nil for a type that table.Item does not have.
func attributeValue(v events.DynamoDBAttributeValue) types.AttributeValue {
	switch v.DataType() {
	case events.DataTypeString:
		return &types.AttributeValueMemberS{Value: v.String()}
	case events.DataTypeNumber:
		return &types.AttributeValueMemberN{Value: v.Number()}
	case events.DataTypeBoolean:
		return &types.AttributeValueMemberBOOL{Value: v.Boolean()}
	case events.DataTypeStringSet:
		return &types.AttributeValueMemberSS{Value: v.StringSet()}
	default:
		return nil
	}
}
