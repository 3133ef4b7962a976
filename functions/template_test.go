// Package functions holds the programs. Of its own it has tests of what template.yaml promises to whoever deploys it.
package functions

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/functions/internal/metrics"
	"serverless-scim/internal/server/servertest"
)

func names(path string) []string { return strings.Split(path, ".") }

func TestPromises(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	ref := func(name string) any { return map[string]any{"Ref": name} }
	for path, want := range map[string]any{
		"Table.DeletionPolicy":                       "Retain",
		"Table.UpdateReplacePolicy":                  "Retain",
		"Table.Properties.DeletionProtectionEnabled": "true",
		"Table.Properties.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled": "true",
		"Table.Properties.TimeToLiveSpecification":                                     map[string]any{"AttributeName": "expires", "Enabled": "true"},
		"Table.Properties.StreamSpecification.StreamViewType":                          "NEW_AND_OLD_IMAGES",
		"Table.Properties.BillingMode":                                                 "PAY_PER_REQUEST",
		"Api.Properties.Name":                                                          ref("AWS::StackName"),
		"Api.Properties.EndpointConfiguration.Type":                                    "REGIONAL",
		"Api.Properties.SecurityPolicy":                                                "SecurityPolicy_TLS13_1_2_2021_06",
		"Api.Properties.TracingEnabled":                                                "true",
		"Api.Properties.MinimumCompressionSize":                                        "4096",
		"Api.Properties.BinaryMediaTypes":                                              nil, // bodies come as text
		"Api.Properties.Auth":                                                          nil,
		"Domain.Properties.SecurityPolicy":                                             "TLS_1_2",
		"LogRole.DeletionPolicy":                                                       "Retain",
		"LogAccount.DeletionPolicy":                                                    "Retain",
		"LogAccount.Condition":                                                         "SetsLogRole",
		"Function.Properties.Timeout":                                                  "29", // the code answers after 25 s
		"Function.Properties.AutoPublishAlias":                                         "live",
		"Function.Properties.DeploymentPreference.Type":                                ref("Deployment"),
		"Function.Properties.DeploymentPreference.Alarms":                              []any{ref("ServerErrors"), ref("FunctionErrors"), ref("GatewayFailures")},
		"Function.Properties.Events.Root.Properties":                                   map[string]any{"RestApiId": ref("Api"), "Path": "/", "Method": "ANY"},
		"Function.Properties.Events.Proxy.Properties":                                  map[string]any{"RestApiId": ref("Api"), "Path": "/{proxy+}", "Method": "ANY"},
		"AdminFunction.Properties.Events":                                              nil, // no URL, no schedule
		"AdminFunction.Properties.FunctionUrlConfig":                                   nil,
	} {
		if got := stack.Value(append([]string{"Resources"}, names(path)...)...); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	for _, name := range stack.Resources("AWS::Logs::LogGroup") {
		if got := stack.Value("Resources", name, "Properties", "RetentionInDays"); !reflect.DeepEqual(got, ref("LogRetention")) {
			t.Errorf("%s keeps lines for %v days", name, got)
		}
	}
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	if h, r := stack.Value("Globals", "Function", "Handler"), stack.Value("Globals", "Function", "Runtime"); h != "bootstrap" || r != "provided.al2023" {
		t.Errorf("the handler is %v on %v: the builder makes a bootstrap", h, r)
	}
	functions := stack.Resources("AWS::Serverless::Function")
	if len(functions) != 3 {
		t.Errorf("functions: %v", functions)
	}
	schedule := regexp.MustCompile(`^rate\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\)$`)
	for _, name := range functions {
		r := stack.Object("Resources", name)
		p := r["Properties"].(map[string]any)
		if method := stack.Value("Resources", name, "Metadata", "BuildMethod"); method != "go1.x" {
			t.Errorf("%s is built by %v", name, method)
		}
		code, err := os.ReadDir(filepath.Join("..", p["CodeUri"].(string)))
		if !slices.ContainsFunc(code, func(f os.DirEntry) bool { return f.Name() == "main.go" }) {
			t.Errorf("%s: there is no main.go in %s (%v)", name, p["CodeUri"], err)
		}
		if p["Policies"] != nil || p["Role"] == nil {
			t.Errorf("%s has no role of its own", name)
		}
		for event := range stack.Object("Resources", name, "Properties", "Events") {
			p := stack.Object("Resources", name, "Properties", "Events", event, "Properties")
			if when, ok := p["Schedule"].(string); ok && !schedule.MatchString(when) {
				t.Errorf("%s: %q is no rate", event, when)
			}
			if input, ok := p["Input"].(string); ok && !json.Valid([]byte(input)) {
				t.Errorf("%s: %q is not JSON", event, input)
			}
		}
	}
}

// X-Ray alone has no resources to name.
func TestRolesAllowNothingInGeneral(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	for _, name := range stack.Resources("AWS::IAM::Role") {
		for _, p := range all(stack.Value("Resources", name, "Properties", "Policies")) {
			for _, s := range all(p.(map[string]any)["PolicyDocument"].(map[string]any)["Statement"]) {
				s := s.(map[string]any)
				for _, action := range all(s["Action"]) {
					if action := action.(string); strings.Contains(action, "*") || strings.Contains(action, "PartiQL") ||
						s["Resource"] == "*" && !strings.HasPrefix(action, "xray:") {
						t.Errorf("%s may %s on %v", name, action, s["Resource"])
					}
				}
			}
		}
		if managed := all(stack.Value("Resources", name, "Properties", "ManagedPolicyArns")); len(managed) > 0 && name != "LogRole" {
			t.Errorf("%s has %v", name, managed)
		}
	}
	for _, role := range []string{"FunctionRole", "AdminRole"} {
		if slices.Contains(stack.AllowedActions(role), "Scan") {
			t.Errorf("%s may Scan", role)
		}
	}
}

func all(list any) []any { l, _ := list.([]any); return l }

// kinds is what API Gateway answers by itself, and with which status it is to.
var kinds = map[string]int{
	"ACCESS_DENIED": 403, "API_CONFIGURATION_ERROR": 500, "AUTHORIZER_CONFIGURATION_ERROR": 500, "AUTHORIZER_FAILURE": 500,
	"BAD_REQUEST_BODY": 400, "BAD_REQUEST_PARAMETERS": 400, "DEFAULT_4XX": 400, "DEFAULT_5XX": 429, "EXPIRED_TOKEN": 401,
	"INTEGRATION_FAILURE": 429, "INTEGRATION_TIMEOUT": 429, "INVALID_API_KEY": 401, "INVALID_SIGNATURE": 401,
	"MISSING_AUTHENTICATION_TOKEN": 404, "QUOTA_EXCEEDED": 429, "REQUEST_TOO_LARGE": 413, "RESOURCE_NOT_FOUND": 404,
	"THROTTLED": 429, "UNAUTHORIZED": 401, "UNSUPPORTED_MEDIA_TYPE": 415, "WAF_FILTERED": 403,
}

func TestGatewayAnswersAsWeDo(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	responses := stack.Object("Resources", "Api", "Properties", "GatewayResponses")
	for kind := range responses {
		if kinds[kind] == 0 {
			t.Errorf("API Gateway knows no %s", kind)
		}
	}
	for kind, want := range kinds {
		r, _ := responses[kind].(map[string]any)
		status, _ := strconv.Atoi(fmt.Sprint(r["StatusCode"]))
		if status != want {
			t.Errorf("%s is %d, want %d", kind, status, want)
		}
		header := http.Header{}
		headers := stack.Object("Resources", "Api", "Properties", "GatewayResponses", kind, "ResponseParameters", "Headers")
		for name, v := range headers {
			inner, ok := strings.CutPrefix(v.(string), "'")
			inner, ok2 := strings.CutSuffix(inner, "'")
			if !ok || !ok2 || strings.Contains(inner, "'") {
				t.Errorf("%s: %s is %v, which API Gateway takes for an expression", kind, name, v)
			}
			header.Set(name, inner)
		}
		templates, _ := r["ResponseTemplates"].(map[string]any)
		body, _ := templates["application/json"].(string)
		if err := servertest.Shape(http.MethodGet, status, header, []byte(body)); err != nil || len(templates) != 1 {
			t.Errorf("%s: %v: %s", kind, err, body)
		}
		if strings.Contains(body, "$") {
			t.Errorf("%s tells what API Gateway knows of the request: %s", kind, body)
		}
	}
}

func TestAccessLogTellsNobodysNameOrToken(t *testing.T) {
	t.Parallel()
	format := functiontest.OpenTemplate(t).Value("Resources", "Api", "Properties", "AccessLogSetting", "Format").(string)
	variable := regexp.MustCompile(`\$context\.[A-Za-z.]+`)
	if line := variable.ReplaceAllString(format, "1"); !json.Valid([]byte(line)) {
		t.Errorf("not JSON: %s", line)
	}
	for _, name := range variable.FindAllString(format, -1) {
		if strings.Contains(strings.ToLower(name), "authorizer") || slices.Contains([]string{"$context.path", "$context.customDomain.basePathMatched"}, name) {
			t.Errorf("%s may tell a name or a token", name)
		}
	}
	for _, field := range []string{`"requestId"`, `"errorType"`, `"status"`} {
		if !strings.Contains(format, field) {
			t.Errorf("no %s, by which alarms and people find a request", field)
		}
	}
}

// told is the metrics of our namespace: those of lines of the functions, and those of filters over other lines.
func told(stack functiontest.Template) map[string]bool {
	known := map[string]bool{}
	for _, list := range metrics.All() {
		for _, m := range list {
			known[m.Name] = true
		}
	}
	for _, name := range stack.Resources("AWS::Logs::MetricFilter") {
		for _, m := range all(stack.Value("Resources", name, "Properties", "MetricTransformations")) {
			known[m.(map[string]any)["MetricName"].(string)] = true
		}
	}
	return known
}

// metricsOf is the metrics that an alarm looks at, each as namespace and name.
func metricsOf(alarm map[string]any) (list [][2]string) {
	one := func(o map[string]any) {
		namespace, ours := o["Namespace"].(string)
		if !ours {
			namespace = fmt.Sprint(o["Namespace"].(map[string]any)["Fn::Sub"])
		}
		list = append(list, [2]string{namespace, o["MetricName"].(string)})
	}
	if alarm["MetricName"] != nil {
		one(alarm)
	}
	for _, m := range all(alarm["Metrics"]) {
		if stat, ok := m.(map[string]any)["MetricStat"].(map[string]any); ok {
			one(stat["Metric"].(map[string]any))
		}
	}
	return list
}

// theirs is the metrics of AWS that alarms may look at.
var theirs = []string{"AWS/Lambda Errors", "AWS/Lambda Throttles", "AWS/Lambda Duration", "AWS/Lambda Invocations",
	"AWS/DynamoDB ReadThrottleEvents", "AWS/DynamoDB WriteThrottleEvents"}

const ours = "Scim/${AWS::StackName}"

func TestAlarmsSayWhatToDo(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	if where := stack.Value("Globals", "Function", "Environment", "Variables", "METRICS_NAMESPACE", "Fn::Sub"); where != ours {
		t.Errorf("the functions' metrics are in %v", where)
	}
	known := told(stack)
	runbook, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	alarms := stack.Resources("AWS::CloudWatch::Alarm")
	for _, name := range alarms {
		p := stack.Object("Resources", name, "Properties")
		for _, m := range metricsOf(p) {
			if m[0] == ours && !known[m[1]] || m[0] != ours && !slices.Contains(theirs, m[0]+" "+m[1]) {
				t.Errorf("%s looks at %s, which nobody tells", name, m)
			}
		}
		if len(metricsOf(p)) == 0 || p["AlarmDescription"] == "" || p["TreatMissingData"] == nil || p["AlarmActions"] == nil {
			t.Errorf("%s is incomplete: %v", name, p)
		}
		if !strings.Contains(string(runbook), "\n| `"+name+"` |") {
			t.Errorf("the runbook does not tell of %s", name)
		}
	}
	parameters := stack.Object("Parameters")
	for name := range parameters {
		if !strings.Contains(string(runbook), name) {
			t.Errorf("the runbook does not tell of the parameter %s", name)
		}
	}
	for _, row := range regexp.MustCompile("\n\\| `([A-Z][A-Za-z]+)`").FindAllStringSubmatch(string(runbook), -1) {
		if !slices.Contains(alarms, row[1]) && parameters[row[1]] == nil {
			t.Errorf("the runbook tells of %s, which is no alarm and no parameter", row[1])
		}
	}
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	sub := all(stack.Value("Resources", "Dashboard", "Properties", "DashboardBody", "Fn::Sub"))
	body, own := sub[0].(string), sub[1].(map[string]any)
	for _, name := range regexp.MustCompile(`\$\{([A-Za-z]+)(\.Arn)?\}`).FindAllStringSubmatch(body, -1) {
		if stack.Value("Resources", name[1]) == nil && own[name[1]] == nil {
			t.Errorf("there is no %s", name[1])
		}
	}
	var dashboard struct {
		Widgets []struct {
			Type       string
			Properties struct {
				Metrics [][]any
				Alarms  []string
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &dashboard); err != nil {
		t.Fatal(err)
	}
	known := told(stack)
	shown := map[string]bool{}
	for _, w := range dashboard.Widgets {
		for _, m := range w.Properties.Metrics {
			if m[0] == ours && !known[m[1].(string)] {
				t.Errorf("nobody tells %v", m[1])
			}
			shown[m[1].(string)] = true
		}
		if alarms := stack.Resources("AWS::CloudWatch::Alarm"); w.Type == "alarm" && len(w.Properties.Alarms) != len(alarms) {
			t.Errorf("%d of %d alarms are shown", len(w.Properties.Alarms), len(alarms))
		}
	}
	for name := range known {
		if !shown[name] {
			t.Errorf("%s is told, and not shown", name)
		}
	}
}

// What the code reads is declared, and what is declared is read; Lambda itself sets AWS_….
func TestEnvironment(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	var declared, read []string
	for _, path := range []string{"Globals.Function", "Resources.Function.Properties", "Resources.Sweep.Properties", "Resources.AdminFunction.Properties"} {
		for name := range stack.Object(append(names(path), "Environment", "Variables")...) {
			declared = append(declared, name)
		}
	}
	variable := regexp.MustCompile(`\benv\("([A-Z_]+)"\)|\(env, "([A-Z_]+)"`)
	for _, pattern := range []string{"scim/*.go", "admin/*.go", "sweep/*.go", "internal/environment/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil || strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, m := range variable.FindAllStringSubmatch(string(source), -1) {
				if name := m[1] + m[2]; !strings.HasPrefix(name, "AWS_") {
					read = append(read, name)
				}
			}
		}
	}
	slices.Sort(declared)
	slices.Sort(read)
	if declared, read = slices.Compact(declared), slices.Compact(read); !slices.Equal(declared, read) {
		t.Errorf("declared: %v\nread: %v", declared, read)
	}
}
