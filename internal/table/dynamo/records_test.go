package dynamo

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"serverless-scim/internal/table"
)

// lambdaEvent is an event as Lambda delivers it, with a value of each type that items have, and of one that none has.
const lambdaEvent = `{"Records":[
{"eventID":"1","eventName":"INSERT","dynamodb":{"ApproximateCreationDateTime":1764400000,"Keys":{"PK":{"S":"p"},"SK":{"S":"@"}},
 "NewImage":{"PK":{"S":"p"},"SK":{"S":"@"},"n":{"N":"7"},"set":{"SS":["b","a"]},"flag":{"BOOL":true}},"SequenceNumber":"1"}},
{"eventID":"2","eventName":"REMOVE","userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"},
 "dynamodb":{"ApproximateCreationDateTime":1764400001,"Keys":{"PK":{"S":"p"},"SK":{"S":"@"}},
 "OldImage":{"PK":{"S":"p"},"SK":{"S":"@"},"n":{"N":"7"}},"SequenceNumber":"2"}},
{"eventID":"3","eventName":"MODIFY","dynamodb":{"Keys":{"PK":{"S":"q"},"SK":{"S":"@"}},"NewImage":{"PK":{"S":"q"},"SK":{"S":"@"},"x":{"M":{"y":{"S":"z"}}}}}},
{"eventID":"4","eventName":"MODIFY","dynamodb":{"Keys":{"PK":{"S":"r"},"SK":{"S":"@"}}}}]}`

func TestRecordsOfLambdaEvent(t *testing.T) {
	t.Parallel()
	var e events.DynamoDBEvent
	if err := json.Unmarshal([]byte(lambdaEvent), &e); err != nil {
		t.Fatal(err)
	}
	r := Records(e)
	if len(r) != 4 {
		t.Fatalf("%d records", len(r))
	}
	set := table.StringSetValue(r[0].New["set"])
	if r[0].Key != (table.Key{PK: "p", SK: "@"}) || r[0].Old != nil || table.IntValue(r[0].New["n"]) != 7 ||
		len(set) != 2 || set[0] != "a" || !table.Equals("flag", table.BOOL(true)).Holds(r[0].New) || r[0].Expired || r[0].Err != nil {
		t.Errorf("insert: %+v", r[0])
	}
	if !r[0].CommittedAt.Equal(time.Unix(1764400000, 0)) {
		t.Errorf("committed at %v", r[0].CommittedAt)
	}
	if r[1].New != nil || table.IntValue(r[1].Old["n"]) != 7 || !r[1].Expired || r[1].Err != nil {
		t.Errorf("removal by time to live: %+v", r[1])
	}
	for i, pk := range map[int]string{2: "q", 3: "r"} {
		if r[i].Err == nil || r[i].New != nil || r[i].Key.PK != pk {
			t.Errorf("record %d, which cannot be decoded: %+v", i+1, r[i])
		}
	}
}
