// Package streams polls the stream of a DynamoDB table. In AWS, Lambda does this, so no Lambda function uses the package:
// functions/local and tests read the streams of emulators with it. It keeps its positions in memory. So a new Stream begins
// with the oldest record that DynamoDB has kept, which is up to 24 hours old. Begin with [New].
package streams

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/dynamo"
)

// errNoStream reports that the table has no stream.
var errNoStream = errors.New("streams: the table has no stream; enable one with the view type NEW_AND_OLD_IMAGES, or use a new table")

// A Stream is a table.Stream that polls the shards of a table's newest stream in turn.
type Stream struct {
	client *dynamodbstreams.Client
	table  string
	arn    string
	shards []*shard // parents before children
}

// A shard holds the position in one shard of a stream. DynamoDB orders the records of a shard.
type shard struct {
	id, parent string
	last       string  // sequence number of the last record that was handled; "": none
	iterator   *string // of the records after last; nil: none was requested
	done       bool    // the shard is closed, and all of its records were handled
}

// New returns the stream of the table with this name. It makes no call.
func New(c dynamo.ClientConfig, tableName string) *Stream {
	c = c.WithDefaults()
	o := dynamodbstreams.Options{Region: c.Region,
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, c.SessionToken)}
	if c.Endpoint != "" {
		o.BaseEndpoint = aws.String(c.Endpoint)
	}
	return &Stream{client: dynamodbstreams.New(o), table: tableName}
}

// Receive passes the next records of one shard to handle. It returns 0 if no shard has any.
func (s *Stream) Receive(ctx context.Context, handle func(context.Context, []table.Record) error) (int, error) {
	if err := s.findShards(ctx); err != nil {
		return 0, err
	}
	for _, sh := range s.shards {
		if sh.done || !s.isParentDone(sh) {
			continue
		}
		if n, err := s.receiveFrom(ctx, sh, handle); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, nil
}

// findShards adds the shards that are new. A shard that DynamoDB no longer lists is dropped.
func (s *Stream) findShards(ctx context.Context) error {
	if s.arn == "" {
		list, err := s.client.ListStreams(ctx, &dynamodbstreams.ListStreamsInput{TableName: &s.table})
		if err != nil {
			return fmt.Errorf("streams: %w", err)
		}
		if len(list.Streams) == 0 {
			return errNoStream
		}
		s.arn = aws.ToString(list.Streams[len(list.Streams)-1].StreamArn)
	}
	var listed []*shard
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: &s.arn}
	for {
		out, err := s.client.DescribeStream(ctx, in)
		if err != nil {
			return fmt.Errorf("streams: %w", err)
		}
		for _, d := range out.StreamDescription.Shards {
			listed = append(listed, s.known(d))
		}
		if in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			s.shards = listed
			return nil
		}
	}
}

// known returns the shard of a description, a new one if it is not known.
func (s *Stream) known(d streamtypes.Shard) *shard {
	if sh := s.find(aws.ToString(d.ShardId)); sh != nil {
		return sh
	}
	return &shard{id: aws.ToString(d.ShardId), parent: aws.ToString(d.ParentShardId)}
}

func (s *Stream) find(id string) *shard {
	if i := slices.IndexFunc(s.shards, func(sh *shard) bool { return sh.id == id }); i >= 0 {
		return s.shards[i]
	}
	return nil
}

// isParentDone reports whether all records of the parent were handled. A child continues the items of its parent.
func (s *Stream) isParentDone(sh *shard) bool {
	parent := s.find(sh.parent)
	return parent == nil || parent.done
}

// receiveFrom passes the next records of a shard to handle.
func (s *Stream) receiveFrom(ctx context.Context, sh *shard, handle func(context.Context, []table.Record) error) (int, error) {
	if sh.iterator == nil {
		if err := s.requestIterator(ctx, sh); err != nil {
			return 0, err
		}
	}
	out, err := s.client.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{
		ShardIterator: sh.iterator, Limit: aws.Int32(table.MaxStreamBatch)})
	sh.iterator = nil // after an error, it may have expired
	if err != nil {
		return 0, fmt.Errorf("streams: %w", err)
	}
	records := make([]table.Record, len(out.Records))
	for i, r := range out.Records {
		records[i] = decodeRecord(r)
	}
	if len(records) > 0 {
		if err := handle(ctx, records); err != nil {
			return 0, err
		}
		sh.last = aws.ToString(out.Records[len(records)-1].Dynamodb.SequenceNumber)
	}
	sh.iterator, sh.done = out.NextShardIterator, out.NextShardIterator == nil
	return len(records), nil
}

func (s *Stream) requestIterator(ctx context.Context, sh *shard) error {
	in := &dynamodbstreams.GetShardIteratorInput{StreamArn: &s.arn, ShardId: &sh.id,
		ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon}
	if sh.last != "" {
		in.ShardIteratorType, in.SequenceNumber = streamtypes.ShardIteratorTypeAfterSequenceNumber, &sh.last
	}
	out, err := s.client.GetShardIterator(ctx, in)
	if err != nil {
		return fmt.Errorf("streams: %w", err)
	}
	sh.iterator = out.ShardIterator
	return nil
}

func decodeRecord(from streamtypes.Record) table.Record {
	c := from.Dynamodb
	if c == nil {
		return table.Record{Err: errors.New("streams: a record without content")}
	}
	r := dynamo.NewRecord(c.Keys, c.OldImage, c.NewImage, attributeValue)
	r.CommittedAt = aws.ToTime(c.ApproximateCreationDateTime)
	r.Expired = from.UserIdentity != nil && aws.ToString(from.UserIdentity.PrincipalId) == dynamo.TimeToLive
	return r
}

// attributeValue returns nil for a type that table.Item does not have.
func attributeValue(v streamtypes.AttributeValue) types.AttributeValue {
	switch v := v.(type) {
	case *streamtypes.AttributeValueMemberS:
		return table.S(v.Value)
	case *streamtypes.AttributeValueMemberN:
		return &types.AttributeValueMemberN{Value: v.Value}
	case *streamtypes.AttributeValueMemberBOOL:
		return table.BOOL(v.Value)
	case *streamtypes.AttributeValueMemberSS:
		return table.SS(v.Value...)
	default:
		return nil
	}
}
