package dynamo

import (
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

// timeToLive is the principal that deletes expired items.
const timeToLive = "dynamodb.amazonaws.com"

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
	r := table.Record{CommittedAt: c.ApproximateCreationDateTime.Time,
		Expired: from.UserIdentity != nil && from.UserIdentity.PrincipalID == timeToLive}
	key, err := decodeImage(c.Keys)
	r.Key = key.Key()
	if err == nil {
		r.Old, err = decodeImage(c.OldImage)
	}
	if err == nil {
		r.New, err = decodeImage(c.NewImage)
	}
	if err == nil && r.Old == nil && r.New == nil {
		err = fmt.Errorf("dynamo: a stream record without images; the stream needs the view type NEW_AND_OLD_IMAGES")
	}
	if err != nil {
		return table.Record{Key: r.Key, CommittedAt: r.CommittedAt, Err: err}
	}
	return r
}

// decodeImage returns the item of an image, or nil if the image is missing.
func decodeImage(image map[string]events.DynamoDBAttributeValue) (table.Item, error) {
	if len(image) == 0 {
		return nil, nil
	}
	it := make(table.Item, len(image))
	for name, v := range image {
		if it[name] = attributeValue(v); it[name] == nil {
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
