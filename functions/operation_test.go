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
	"serverless-scim/functions/internal/metrics"
)

// ownMetrics returns the metrics of the stack's namespace: those in log lines of the functions, and those of metric
// filters.
func ownMetrics(stack functiontest.Template) map[string]bool {
	known := map[string]bool{}
	for _, list := range metrics.All() {
		for _, m := range list {
			known[m.Name] = true
		}
	}
	for _, name := range stack.Resources("AWS::Logs::MetricFilter") {
		for _, m := range elements(stack.Value("Resources", name, "Properties", "MetricTransformations")) {
			known[m.(map[string]any)["MetricName"].(string)] = true
		}
	}
	return known
}

// alarmMetrics returns the metrics of an alarm, each as namespace and name.
func alarmMetrics(alarm map[string]any) (list [][2]string) {
	add := func(o map[string]any) {
		namespace, ok := o["Namespace"].(string)
		if !ok {
			namespace = fmt.Sprint(o["Namespace"].(map[string]any)["Fn::Sub"])
		}
		list = append(list, [2]string{namespace, o["MetricName"].(string)})
	}
	if alarm["MetricName"] != nil {
		add(alarm)
	}
	for _, m := range elements(alarm["Metrics"]) {
		if stat, ok := m.(map[string]any)["MetricStat"].(map[string]any); ok {
			add(stat["Metric"].(map[string]any))
		}
	}
	return list
}

// awsMetrics are the metrics of AWS that alarms may use.
var awsMetrics = []string{"AWS/Lambda Errors", "AWS/Lambda Throttles", "AWS/Lambda Duration", "AWS/Lambda Invocations",
	"AWS/Lambda IteratorAge", "AWS/DynamoDB ReadThrottleEvents", "AWS/DynamoDB WriteThrottleEvents",
	"AWS/SQS ApproximateNumberOfMessagesVisible"}

// ownNamespace is the CloudWatch namespace of the stack.
const ownNamespace = "Scim/${AWS::StackName}"

func TestRunbookDescribesAlarmsAndParameters(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	if where := stack.Value("Globals", "Function", "Environment", "Variables", "METRICS_NAMESPACE", "Fn::Sub"); where != ownNamespace {
		t.Errorf("the functions' metrics are in %v", where)
	}
	known := ownMetrics(stack)
	runbook, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	alarms := stack.Resources("AWS::CloudWatch::Alarm")
	for _, name := range alarms {
		p := stack.Object("Resources", name, "Properties")
		for _, m := range alarmMetrics(p) {
			if m[0] == ownNamespace && !known[m[1]] || m[0] != ownNamespace && !slices.Contains(awsMetrics, m[0]+" "+m[1]) {
				t.Errorf("%s uses the metric %s, which does not exist", name, m)
			}
		}
		if len(alarmMetrics(p)) == 0 || p["AlarmDescription"] == "" || p["TreatMissingData"] == nil || p["AlarmActions"] == nil {
			t.Errorf("%s is incomplete: %v", name, p)
		}
		if !strings.Contains(string(runbook), "\n| `"+name+"` |") {
			t.Errorf("the runbook lacks the alarm %s", name)
		}
	}
	parameters := stack.Object("Parameters")
	for name := range parameters {
		if !strings.Contains(string(runbook), name) {
			t.Errorf("the runbook lacks the parameter %s", name)
		}
	}
	for _, row := range regexp.MustCompile("\n\\| `([A-Z][A-Za-z]+)`").FindAllStringSubmatch(string(runbook), -1) {
		if !slices.Contains(alarms, row[1]) && parameters[row[1]] == nil {
			t.Errorf("the runbook has a row for %s, which is neither an alarm nor a parameter", row[1])
		}
	}
}

// Alarms notify the address, the topic, or both. The outputs name what an operator looks for.
func TestAlarmsReachSomebodyAndOutputsExist(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	notify := func(condition, target string) any {
		ref := func(name string) any { return map[string]any{"Ref": name} }
		return map[string]any{"Fn::If": []any{condition, ref(target), ref("AWS::NoValue")}}
	}
	want := []any{notify("HasAlarmEmail", "Alarms"), notify("HasAlarmTopic", "AlarmTopicArn")}
	for _, name := range stack.Resources("AWS::CloudWatch::Alarm") {
		for _, actions := range []string{"AlarmActions", "OKActions"} {
			if got := stack.Value("Resources", name, "Properties", actions); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %s is %v", name, actions, got)
			}
		}
	}
	config, err := os.ReadFile("../samconfig.toml")
	if err != nil {
		t.Fatal(err)
	}
	_, prod, _ := strings.Cut(string(config), "[prod.deploy.parameters]")
	prod, _, _ = strings.Cut(prod, "\n[")
	if !regexp.MustCompile(`parameter_overrides = ".*\bAlarm(Email|TopicArn)=`).MatchString(prod) {
		t.Errorf("the environment prod of samconfig.toml notifies nobody: %s", prod)
	}
	runbook, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	guide, rest, _ := strings.Cut(string(runbook), "\n## Check and repair\n")
	_, rest, _ = strings.Cut(rest, "\n## ")
	for _, command := range regexp.MustCompile(`sam (remote|deploy|delete).*`).FindAllString(guide+rest, -1) {
		if strings.Contains(command, "--stack-name ") && !strings.Contains(command, "--stack-name $STACK") {
			t.Errorf("README.md names the stack in %s", command)
		}
	}
	for _, name := range regexp.MustCompile(`\boutput ([A-Z][A-Za-z]+)`).FindAllStringSubmatch(string(runbook), -1) {
		if stack.Value("Outputs", name[1]) == nil {
			t.Errorf("README.md uses the output %s, which does not exist", name[1])
		}
	}
	shown := fmt.Sprint(stack.Value("Outputs"))
	for _, name := range append(stack.Resources("AWS::Logs::LogGroup"), "Alarms", "AlarmTopicArn", "Table", "RestoredTable", "EventBus", "WebhookQueue") {
		if !strings.Contains(shown, "map[Ref:"+name+"]") {
			t.Errorf("no output has %s", name)
		}
	}
}

// The costs in README.md count the metrics, and the alarms of a stack without a webhook. AWS bills each metric of an alarm.
func TestGuideCountsMetricsAndAlarms(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	metrics, alarms, billed := len(ownMetrics(stack)), 0, 0
	for _, name := range stack.Resources("AWS::CloudWatch::Alarm") {
		if stack.Value("Resources", name, "Condition") == nil {
			alarms++
			billed += len(alarmMetrics(stack.Object("Resources", name, "Properties")))
		}
	}
	want := fmt.Sprintf("| fixed | %d metrics ($%.2f), %d alarms ($%.2f),", metrics, float64(metrics)*0.3, alarms, float64(billed)*0.1)
	if !strings.Contains(readText(t, "README.md"), want) {
		t.Errorf("README.md lacks %q", want)
	}
}

// dashboardBody returns the body of the dashboard. Its own variables have their values with or without a webhook.
func dashboardBody(t *testing.T, stack functiontest.Template, webhook bool) string {
	t.Helper()
	sub := elements(stack.Value("Resources", "Dashboard", "Properties", "DashboardBody", "Fn::Sub"))
	body, own := sub[0].(string), sub[1].(map[string]any)
	for _, name := range regexp.MustCompile(`\$\{([A-Za-z]+)(\.Arn)?\}`).FindAllStringSubmatch(body, -1) {
		if stack.Value("Resources", name[1]) == nil && own[name[1]] == nil {
			t.Errorf("the template has no %s", name[1])
		}
	}
	for name, v := range own {
		branches := elements(v.(map[string]any)["Fn::If"])
		value := branches[2]
		if branches[0] != "HasWebhook" || webhook {
			value = branches[1]
		}
		if o, ok := value.(map[string]any); ok { // {"Ref": …}, {"Fn::Sub": …}, or {"Fn::GetAtt": …}
			value = slices.Collect(maps.Values(o))[0]
		}
		body = strings.ReplaceAll(body, "${"+name+"}", value.(string))
	}
	return body
}

// The dashboard shows every metric and every alarm that the stack has. WebhookUndelivered exists only with a webhook.
func TestDashboard(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	alarms := stack.Resources("AWS::CloudWatch::Alarm")
	testDashboard(t, stack, true, alarms)
	testDashboard(t, stack, false, slices.DeleteFunc(alarms, func(name string) bool { return name == "WebhookUndelivered" }))
}

func testDashboard(t *testing.T, stack functiontest.Template, webhook bool, alarms []string) {
	t.Helper()
	var dashboard struct {
		Widgets []struct {
			Type       string
			Properties struct {
				Metrics [][]any
				Alarms  []string
			}
		}
	}
	if err := json.Unmarshal([]byte(dashboardBody(t, stack, webhook)), &dashboard); err != nil {
		t.Fatal(err)
	}
	known := ownMetrics(stack)
	shown := map[string]bool{}
	for _, w := range dashboard.Widgets {
		for _, m := range w.Properties.Metrics {
			if m[0] == ownNamespace && !known[m[1].(string)] {
				t.Errorf("the metric %v does not exist", m[1])
			}
			shown[m[1].(string)] = true
		}
		for i, arn := range w.Properties.Alarms {
			w.Properties.Alarms[i] = strings.TrimSuffix(strings.TrimPrefix(arn, "${"), ".Arn}")
		}
		if slices.Sort(w.Properties.Alarms); w.Type == "alarm" && !slices.Equal(w.Properties.Alarms, alarms) {
			t.Errorf("the alarms %v are shown, want %v", w.Properties.Alarms, alarms)
		}
	}
	for name := range known {
		if !shown[name] {
			t.Errorf("the dashboard lacks the metric %s", name)
		}
	}
}
