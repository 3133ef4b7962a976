package functions

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"serverless-scim/functions/internal/functiontest"
)

// object and list are shorter names of the types of a template's values.
type (
	object = map[string]any
	list   = []any
)

func ref(name string) any { return object{"Ref": name} }

func getAtt(name string) any { return object{"Fn::GetAtt": name} }

func ifElse(condition string, then, otherwise any) any {
	return object{"Fn::If": list{condition, then, otherwise}}
}

// checkResources checks the values at paths below the template's resources.
func checkResources(t *testing.T, stack functiontest.Template, wants map[string]any) {
	t.Helper()
	for path, want := range wants {
		if got := stack.Value(append([]string{"Resources"}, splitPath(path)...)...); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
}

// usedStream is the stream of the table in use.
func usedStream() any {
	return ifElse("HasRestoredTableStream", ref("RestoredTableStream"), getAtt("Table.StreamArn"))
}

// usedBus is the ARN of the bus, if the stack has one.
func usedBus() any { return ifElse("CreatesEventBus", getAtt("Bus.Arn"), ref("EventBus")) }

// Lambda reads all changes of head items in order. A batch that fails is repeated without limit, because each limit would
// lose changes.
func TestFeedReadsStreamInOrder(t *testing.T) {
	t.Parallel()
	checkResources(t, functiontest.OpenTemplate(t), map[string]any{
		"Table.Properties.StreamSpecification":         object{"StreamViewType": "NEW_AND_OLD_IMAGES"},
		"Feed.Properties.Timeout":                      "60",
		"Feed.Properties.Role":                         getAtt("FeedRole.Arn"),
		"Feed.Properties.LoggingConfig":                object{"LogGroup": ref("FeedLog")},
		"Feed.Properties.ReservedConcurrentExecutions": nil,
		"Feed.Properties.AutoPublishAlias":             nil,
		"Feed.Properties.Environment.Variables": object{
			"EVENT_BUS":    ifElse("CreatesEventBus", getAtt("Bus.Arn"), ifElse("HasEventBus", ref("EventBus"), "")),
			"EVENT_DETAIL": ref("EventDetail"),
		},
		"Feed.Properties.Events": object{"Changes": object{"Type": "DynamoDB", "Properties": object{
			"Stream": usedStream(), "StartingPosition": "TRIM_HORIZON",
			"BatchSize": "100", "MaximumBatchingWindowInSeconds": "1", "ParallelizationFactor": "1",
			"FilterCriteria": object{"Filters": list{object{"Pattern": `{"dynamodb":{"Keys":{"SK":{"S":["@"]}}}}`}}},
		}}},
	})
}

// FeedRole allows reads and transactions on the table in use, reads of its stream, and events on one bus, if there is one.
func TestFeedRoleAllowsOnlyWhatFeedUses(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	table := object{"Fn::Sub": "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${RestoredTable}"}
	wants := []struct {
		actions  string
		resource any
	}{
		{"dynamodb:GetItem dynamodb:BatchGetItem dynamodb:Query dynamodb:PutItem dynamodb:UpdateItem dynamodb:ConditionCheckItem",
			ifElse("HasRestoredTable", table, getAtt("Table.Arn"))},
		{"dynamodb:DescribeStream dynamodb:GetRecords dynamodb:GetShardIterator dynamodb:ListStreams", usedStream()},
		{"events:PutEvents", usedBus()},
		{"logs:CreateLogStream logs:PutLogEvents", getAtt("FeedLog.Arn")},
		{"xray:PutTraceSegments xray:PutTelemetryRecords", "*"},
	}
	statements := stack.Statements("FeedRole")
	if len(statements) != len(wants) {
		t.Fatalf("FeedRole has %d statements, want %d", len(statements), len(wants))
	}
	for i, want := range wants {
		actions := strings.Trim(fmt.Sprint(statements[i]["Action"]), "[]")
		if s := statements[i]; s["Effect"] != "Allow" || actions != want.actions || !reflect.DeepEqual(s["Resource"], want.resource) {
			t.Errorf("FeedRole has %v, want %v", s, want)
		}
	}
	policy := elements(stack.Value("Resources", "FeedRole", "Properties", "Policies"))[0].(object)["PolicyDocument"]
	events := elements(policy.(object)["Statement"])[2]
	if want := ifElse("HasEventBus", any(statements[2]), ref("AWS::NoValue")); !reflect.DeepEqual(events, want) {
		t.Errorf("without a bus, FeedRole has %v", events)
	}
	if allowed := stack.AllowedActions("FeedRole"); len(allowed) != 6 || slices.Contains(allowed, "GetRecords") {
		t.Errorf("the function can use %v on the table", allowed)
	}
}

// A created bus keeps events for 30 days. A webhook gets every event, for a day, and then the queue keeps the event.
func TestBusAndWebhook(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	ours := object{"source": list{"serverless-scim"}}
	checkResources(t, stack, map[string]any{
		"Bus.Properties":                      object{"Name": ref("AWS::StackName")},
		"BusArchive.Properties":               object{"SourceArn": getAtt("Bus.Arn"), "EventPattern": ours, "RetentionDays": "30"},
		"WebhookRule.Properties.EventBusName": ifElse("CreatesEventBus", ref("Bus"), ref("EventBus")),
		"WebhookRule.Properties.EventPattern": ours,
		"WebhookRule.Properties.State":        nil,
		"WebhookRule.Properties.Targets": list{object{
			"Id": "webhook", "Arn": getAtt("WebhookDestination.Arn"), "RoleArn": getAtt("WebhookRole.Arn"),
			"RetryPolicy":      object{"MaximumEventAgeInSeconds": "86400", "MaximumRetryAttempts": "185"},
			"DeadLetterConfig": object{"Arn": getAtt("WebhookQueue.Arn")},
		}},
		"WebhookDestination.Properties": object{
			"ConnectionArn": getAtt("WebhookConnection.Arn"), "InvocationEndpoint": ref("WebhookUrl"), "HttpMethod": "POST"},
		"WebhookConnection.Properties": object{"AuthorizationType": "API_KEY", "AuthParameters": object{
			"ApiKeyAuthParameters": object{"ApiKeyName": "X-Api-Key", "ApiKeyValue": ref("WebhookKey")}}},
		"WebhookQueue.Properties.MessageRetentionPeriod": "1209600",
		"WebhookQueue.Properties.SqsManagedSseEnabled":   "true",
		"WebhookQueuePolicy.Properties.Queues":           list{ref("WebhookQueue")},
		"WebhookQueuePolicy.Properties.PolicyDocument.Statement": list{object{
			"Effect": "Allow", "Principal": object{"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
			"Resource": getAtt("WebhookQueue.Arn"), "Condition": object{"ArnEquals": object{"aws:SourceArn": getAtt("WebhookRule.Arn")}},
		}},
	})
	invoke := object{"Effect": "Allow", "Action": list{"events:InvokeApiDestination"}, "Resource": getAtt("WebhookDestination.Arn")}
	if got := stack.Statements("WebhookRole"); !reflect.DeepEqual(got, []object{invoke}) {
		t.Errorf("WebhookRole has %v", got)
	}
	for _, role := range stack.Resources("AWS::IAM::Role") {
		if text := fmt.Sprint(stack.Statements(role)); role != "FeedRole" && strings.Contains(text, "PutEvents") {
			t.Errorf("%s can put events", role)
		}
	}
}

// Resources for events exist only if a parameter requests them.
func TestResourcesForEventsAreConditional(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	for name := range stack.Object("Resources") {
		var want any
		if strings.HasPrefix(name, "Bus") {
			want = "CreatesEventBus"
		} else if strings.HasPrefix(name, "Webhook") {
			want = "HasWebhook"
		} else if !strings.HasPrefix(name, "Feed") {
			continue
		}
		if got := stack.Value("Resources", name, "Condition"); got != want {
			t.Errorf("%s has the condition %v, want %v", name, got, want)
		}
	}
	for name, want := range map[string]any{"EventBusArn": "HasEventBus", "WebhookQueueUrl": "HasWebhook", "FeedLogGroup": nil} {
		if got := stack.Value("Outputs", name, "Condition"); got != want {
			t.Errorf("the output %s has the condition %v, want %v", name, got, want)
		}
	}
	if got := stack.Value("Outputs", "EventBusArn", "Value"); !reflect.DeepEqual(got, usedBus()) {
		t.Errorf("the output EventBusArn is %v", got)
	}
}

func TestFeedAlarms(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	dimensions := func(name string, value any) any { return list{object{"Name": name, "Value": value}} }
	for name, want := range map[string]object{
		"FeedBehind": {"Namespace": "AWS/Lambda", "MetricName": "IteratorAge", "Dimensions": dimensions("FunctionName", ref("Feed")),
			"Statistic": "Maximum", "Threshold": "60000", "Period": "60", "EvaluationPeriods": "5", "DatapointsToAlarm": "3"},
		"FeedErrors": {"Namespace": "AWS/Lambda", "MetricName": "Errors", "Dimensions": dimensions("FunctionName", ref("Feed")),
			"Statistic": "Sum", "Threshold": "0", "Period": "300", "EvaluationPeriods": "1"},
		"FeedSkipped": {"Namespace": object{"Fn::Sub": ownNamespace}, "MetricName": "FeedSkipped", "Dimensions": nil,
			"Statistic": "Sum", "Threshold": "0", "Period": "60", "EvaluationPeriods": "1"},
		"WebhookUndelivered": {"Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible",
			"Dimensions": dimensions("QueueName", getAtt("WebhookQueue.QueueName")),
			"Statistic":  "Maximum", "Threshold": "0", "Period": "60", "EvaluationPeriods": "1", "TreatMissingData": "ignore"},
	} {
		want["ComparisonOperator"] = "GreaterThanThreshold"
		for property, value := range want {
			if got := stack.Value("Resources", name, "Properties", property); !reflect.DeepEqual(got, value) {
				t.Errorf("%s of %s is %v, want %v", property, name, got, value)
			}
		}
	}
}

// matches reports whether an event matches an EventBridge pattern of exact values. A list of the pattern matches a value,
// or a list with at least one value, that it contains.
func matches(pattern, event any) bool {
	if p, ok := pattern.(object); ok {
		e, _ := event.(object)
		return !slices.ContainsFunc(slices.Collect(maps.Keys(p)), func(name string) bool { return !matches(p[name], e[name]) })
	}
	values, ok := event.(list)
	if !ok {
		values = list{event}
	}
	return slices.ContainsFunc(values, func(v any) bool { return slices.Contains(pattern.(list), v) })
}

// The guide's patterns select the events that it says. Its event matches the rule of the webhook.
func TestGuideHasPatternsOfEvents(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(guide), "\n## Events\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, example, _ := strings.Cut(section, "```json\n")
	example, _, _ = strings.Cut(example, "```")
	var event object
	if err := json.Unmarshal([]byte(example), &event); err != nil {
		t.Fatal(err)
	}
	stack := functiontest.OpenTemplate(t)
	if !matches(stack.Value("Resources", "WebhookRule", "Properties", "EventPattern"), event) {
		t.Errorf("the webhook does not get %v", event)
	}
	rows := regexp.MustCompile("(?m)^\\| ([a-z ]+) \\| `(.*)` \\|$").FindAllStringSubmatch(section, -1)
	for types, want := range map[string]string{
		"user.deactivated user.updated": "end the sessions of a user, update a profile",
		"user.deleted":                  "end the sessions of a user",
		"user.created":                  "provision an account",
		"user.groups_changed":           "sync groups of users to roles",
		"group.deleted":                 "notice deleted groups",
		"group.members_changed":         "",
	} {
		detail := event["detail"].(object)
		detail["type"] = nil
		for _, name := range strings.Fields(types) {
			detail["type"] = append(elements(detail["type"]), name)
			if !strings.Contains(section, "`"+name+"`") {
				t.Errorf("the guide lacks the type %s", name)
			}
		}
		var got []string
		for _, row := range rows {
			var pattern object
			if err := json.Unmarshal([]byte(row[2]), &pattern); err != nil {
				t.Fatalf("%s: %v", row[0], err)
			}
			if matches(pattern, event) {
				got = append(got, row[1])
			}
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s is selected to %q, want %q", types, got, want)
		}
	}
}
