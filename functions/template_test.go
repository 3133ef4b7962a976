// Package functions contains the programs. It has no code, only tests of template.yaml and of the runbook in README.md.
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
	"serverless-scim/internal/server/servertest"
)

// splitPath splits a path of names such as Table.Properties.
func splitPath(path string) []string { return strings.Split(path, ".") }

func TestResourceProperties(t *testing.T) {
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
		"Api.Properties.BinaryMediaTypes":                                              nil, // so bodies arrive as text
		"Api.Properties.Auth":                                                          nil,
		"Domain.Properties.SecurityPolicy":                                             "TLS_1_2",
		"LogRole.DeletionPolicy":                                                       "Retain",
		"AuditLog.DeletionPolicy":                                                      "Retain",
		"AuditLog.UpdateReplacePolicy":                                                 "Retain",
		"LogAccount.DeletionPolicy":                                                    "Retain",
		"LogAccount.Condition":                                                         "SetsLogRole",
		"Function.Properties.Timeout":                                                  "29", // the code responds within 25 s
		"Function.Properties.AutoPublishAlias":                                         "live",
		"Function.Properties.DeploymentPreference.Type":                                ref("Deployment"),
		"Function.Properties.DeploymentPreference.Alarms":                              []any{ref("ServerErrors"), ref("FunctionErrors"), ref("GatewayFailures")},
		"Function.Properties.Events.Root.Properties":                                   map[string]any{"RestApiId": ref("Api"), "Path": "/v2", "Method": "ANY"},
		"Function.Properties.Events.Proxy.Properties":                                  map[string]any{"RestApiId": ref("Api"), "Path": "/v2/{proxy+}", "Method": "ANY"},
		"AdminFunction.Properties.Events":                                              nil, // no URL, no schedule
		"AdminFunction.Properties.FunctionUrlConfig":                                   nil,
	} {
		if got := stack.Value(append([]string{"Resources"}, splitPath(path)...)...); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	for _, name := range stack.Resources("AWS::Logs::LogGroup") {
		retention := ref("LogRetention")
		if name == "AuditLog" {
			retention = ref("AuditLogRetention")
		}
		if got := stack.Value("Resources", name, "Properties", "RetentionInDays"); !reflect.DeepEqual(got, retention) {
			t.Errorf("%s retains lines for %v days", name, got)
		}
	}
}

// A client finds the API at the same path in AWS, at a custom domain, and at functions/local. sam local has no stages.
func TestBasePathIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	stage, _ := stack.Value("Resources", "Api", "Properties", "StageName").(string)
	mapping := stack.Value("Resources", "DomainMapping", "Properties", "BasePath")
	if stage != "scim" || mapping != stage {
		t.Errorf("the stage is %v, and the base path of the domain is %v", stage, mapping)
	}
	addresses := 0
	for _, match := range regexp.MustCompile(`"?https://[^" \]]*`).FindAllString(fmt.Sprint(stack.Value("Outputs", "BaseUrl", "Value")), -1) {
		addresses++
		if !strings.HasSuffix(match, "/scim/v2") {
			t.Errorf("the output BaseUrl can be %s", match)
		}
	}
	if addresses != 2 {
		t.Errorf("the output BaseUrl has %d addresses", addresses)
	}
	for _, typ := range []string{"MISSING_AUTHENTICATION_TOKEN", "RESOURCE_NOT_FOUND"} {
		response := stack.Value("Resources", "Api", "Properties", "GatewayResponses", typ, "ResponseTemplates", "application/json")
		if detail, _ := response.(string); !strings.Contains(detail, "ends in /scim/v2") {
			t.Errorf("%s does not state the end of the base URL: %s", typ, detail)
		}
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"It ends in `/scim/v2`", "-url http://127.0.0.1:3000/v2 "} {
		if !strings.Contains(string(readme), want) {
			t.Errorf("README.md lacks %q", want)
		}
	}
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	if h, r := stack.Value("Globals", "Function", "Handler"), stack.Value("Globals", "Function", "Runtime"); h != "bootstrap" || r != "provided.al2023" {
		t.Errorf("the handler is %v on %v, but SAM builds a bootstrap", h, r)
	}
	functions := stack.Resources("AWS::Serverless::Function")
	run, err := os.ReadFile("../.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	built := strings.Fields(string(regexp.MustCompile(`for function in (.*); do`).FindSubmatch(run)[1]))
	if slices.Sort(built); len(functions) != 5 || !slices.Equal(built, functions) {
		t.Errorf("the template has the functions %v; .ci/run checks the builds of %v", functions, built)
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
			t.Errorf("%s: no main.go in %s (%v)", name, p["CodeUri"], err)
		}
		if p["Policies"] != nil || p["Role"] == nil {
			t.Errorf("%s does not have its own role", name)
		}
		for event := range stack.Object("Resources", name, "Properties", "Events") {
			p := stack.Object("Resources", name, "Properties", "Events", event, "Properties")
			if when, ok := p["Schedule"].(string); ok && !schedule.MatchString(when) {
				t.Errorf("%s: %q is not a rate", event, when)
			}
			if input, ok := p["Input"].(string); ok && !json.Valid([]byte(input)) {
				t.Errorf("%s: %q is not JSON", event, input)
			}
		}
	}
}

// Every function that writes audit lines has a subscription that copies them to the audit log, and only the function
// that copies them writes to the audit log. Otherwise a copied line would be copied again. Feed writes no audit lines.
func TestAuditLinesAreCopied(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	if days := stack.Value("Parameters", "AuditLogRetention", "Default"); days != "400" {
		t.Errorf("the audit log is kept for %v days", days)
	}
	subscribed := map[string]int{}
	for name := range stack.Object("Resources", "AuditFunction", "Properties", "Events") {
		event := stack.Object("Resources", "AuditFunction", "Properties", "Events", name)
		p := event["Properties"].(map[string]any)
		if event["Type"] != "CloudWatchLogs" || p["FilterPattern"] != `{ $.msg = "audit" }` {
			t.Errorf("%s is %v", name, event)
		}
		subscribed[fmt.Sprint(p["LogGroupName"])]++
	}
	for _, name := range stack.Resources("AWS::Serverless::Function") {
		group := fmt.Sprint(stack.Value("Resources", name, "Properties", "LoggingConfig", "LogGroup"))
		copied := name != "AuditFunction" && name != "Feed"
		if (name == "AuditFunction") != (group == "map[Ref:AuditLog]") || copied != (subscribed[group] == 1) {
			t.Errorf("%s writes to %s, which has %d subscriptions", name, group, subscribed[group])
		}
	}
}

// Roles allow single actions on single resources, except for X-Ray, which has no resources.
func TestRolesHaveNoWildcards(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	for _, name := range stack.Resources("AWS::IAM::Role") {
		for _, s := range stack.Statements(name) {
			for _, action := range s["Action"].([]any) {
				if action := action.(string); strings.Contains(action, "*") || strings.Contains(action, "PartiQL") ||
					s["Resource"] == "*" && !strings.HasPrefix(action, "xray:") {
					t.Errorf("%s allows %s on %v", name, action, s["Resource"])
				}
			}
		}
		if managed := elements(stack.Value("Resources", name, "Properties", "ManagedPolicyArns")); len(managed) > 0 && name != "LogRole" && name != "DeploymentRole" {
			t.Errorf("%s has %v", name, managed)
		}
	}
	for _, role := range []string{"FunctionRole", "AdminRole", "FeedRole"} {
		if slices.Contains(stack.AllowedActions(role), "Scan") {
			t.Errorf("%s allows Scan", role)
		}
	}
}

// elements returns the elements of a list, or none if it is not a list.
func elements(list any) []any { l, _ := list.([]any); return l }

// responseTypes are the types of API Gateway's own responses and the status that each must have.
var responseTypes = map[string]int{
	"ACCESS_DENIED": 403, "API_CONFIGURATION_ERROR": 500, "AUTHORIZER_CONFIGURATION_ERROR": 500, "AUTHORIZER_FAILURE": 500,
	"BAD_REQUEST_BODY": 400, "BAD_REQUEST_PARAMETERS": 400, "DEFAULT_4XX": 400, "DEFAULT_5XX": 429, "EXPIRED_TOKEN": 401,
	"INTEGRATION_FAILURE": 429, "INTEGRATION_TIMEOUT": 429, "INVALID_API_KEY": 401, "INVALID_SIGNATURE": 401,
	"MISSING_AUTHENTICATION_TOKEN": 404, "QUOTA_EXCEEDED": 429, "REQUEST_TOO_LARGE": 413, "RESOURCE_NOT_FOUND": 404,
	"THROTTLED": 429, "UNAUTHORIZED": 401, "UNSUPPORTED_MEDIA_TYPE": 415, "WAF_FILTERED": 403,
}

func TestGatewayResponsesAreSCIMErrors(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	responses := stack.Object("Resources", "Api", "Properties", "GatewayResponses")
	for name := range responses {
		if responseTypes[name] == 0 {
			t.Errorf("API Gateway has no response type %s", name)
		}
	}
	for typ, want := range responseTypes {
		r, _ := responses[typ].(map[string]any)
		status, _ := strconv.Atoi(fmt.Sprint(r["StatusCode"]))
		if status != want {
			t.Errorf("%s is %d, want %d", typ, status, want)
		}
		header := http.Header{}
		headers := stack.Object("Resources", "Api", "Properties", "GatewayResponses", typ, "ResponseParameters", "Headers")
		for name, v := range headers {
			inner, ok := strings.CutPrefix(v.(string), "'")
			inner, ok2 := strings.CutSuffix(inner, "'")
			if !ok || !ok2 || strings.Contains(inner, "'") {
				t.Errorf("%s: %s is %v, which API Gateway interprets as an expression", typ, name, v)
			}
			header.Set(name, inner)
		}
		templates, _ := r["ResponseTemplates"].(map[string]any)
		body, _ := templates["application/json"].(string)
		if err := servertest.CheckResponse(http.MethodGet, status, header, []byte(body)); err != nil || len(templates) != 1 {
			t.Errorf("%s: %v: %s", typ, err, body)
		}
		if strings.Contains(body, "$") {
			t.Errorf("%s contains a variable of the request: %s", typ, body)
		}
	}
}

func TestAccessLogHasNoPersonalData(t *testing.T) {
	t.Parallel()
	format := functiontest.OpenTemplate(t).Value("Resources", "Api", "Properties", "AccessLogSetting", "Format").(string)
	variable := regexp.MustCompile(`\$context\.[A-Za-z.]+`)
	if line := variable.ReplaceAllString(format, "1"); !json.Valid([]byte(line)) {
		t.Errorf("not JSON: %s", line)
	}
	for _, name := range variable.FindAllString(format, -1) {
		if strings.Contains(strings.ToLower(name), "authorizer") ||
			slices.Contains([]string{"$context.path", "$context.customDomain.basePathMatched"}, name) {
			t.Errorf("%s can contain a name or a token", name)
		}
	}
	for _, field := range []string{`"requestId"`, `"errorType"`, `"status"`} {
		if !strings.Contains(format, field) {
			t.Errorf("the format lacks %s", field)
		}
	}
}

// The template sets exactly the variables that the code reads, except those that Lambda sets (AWS_…).
func TestEnvironment(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	var declared, read []string
	for _, path := range []string{"Globals.Function", "Resources.Function.Properties", "Resources.Sweep.Properties", "Resources.Feed.Properties", "Resources.AdminFunction.Properties"} {
		for name := range stack.Object(append(splitPath(path), "Environment", "Variables")...) {
			declared = append(declared, name)
		}
	}
	variable := regexp.MustCompile(`\benv\("([A-Z_]+)"\)|\(env, "([A-Z_]+)"`)
	for _, pattern := range []string{"scim/*.go", "admin/*.go", "sweep/*.go", "feed/*.go", "internal/environment/*.go"} {
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
