package functions

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/internal/admin"
	"serverless-scim/internal/server"
	"serverless-scim/internal/token"
)

// Links from one guide to another, or to a section, lead to something that exists.
func TestLinksOfGuidesLeadSomewhere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, file := range []string{"../README.md", "README.md", "../events/README.md", "../internal/README.md", "../internal/feed/consumer/README.md"} {
		for _, m := range link.FindAllStringSubmatch(readText(t, file), -1) {
			path, anchor, _ := strings.Cut(m[1], "#")
			if strings.HasPrefix(path, "https://") {
				continue
			}
			target := file
			if path != "" {
				target = filepath.Join(filepath.Dir(file), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", file, err)
			} else if anchor != "" && !slices.Contains(anchors(readText(t, target)), anchor) {
				t.Errorf("%s: %s has no section %s", file, target, anchor)
			}
		}
	}
}

// anchors returns the anchors that GitHub gives the headings of a text.
func anchors(text string) (list []string) {
	code := regexp.MustCompile("(?ms)^```.*?^```")
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
		anchor := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		list = append(list, strings.ReplaceAll(anchor, " ", "-"))
	}
	return list
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Commands of sam and aws, and sentences about outputs, name what the template and samconfig.toml have.
func TestGuideNamesWhatTheStackHas(t *testing.T) {
	t.Parallel()
	stack, guide, config := functiontest.OpenTemplate(t), functiontest.OpenGuide(t), readText(t, "../samconfig.toml")
	names := func(text, pattern string) (list []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			list = append(list, m[1])
		}
		return list
	}
	commands := strings.Join(guide.Commands(), "\n")
	for _, overrides := range names(commands, `--parameter-overrides (.*)`) {
		for _, name := range names(overrides, `([A-Z]\w+)=`) {
			if stack.Value("Parameters", name) == nil {
				t.Errorf("the template has no parameter %s", name)
			}
		}
	}
	resources := append(names(commands, `--logical-resource-id (\w+)`), names(commands, `(?:remote|local) invoke (\w+)`)...)
	for _, name := range resources {
		schedule := stack.Value("Resources", "Sweep", "Properties", "Events", strings.TrimPrefix(name, "Sweep")) // SAM makes a rule of it
		if stack.Value("Resources", name) == nil && schedule == nil {
			t.Errorf("the template has no resource %s", name)
		}
	}
	for _, name := range names(string(guide), `(?:[Oo]utputs?|log groups?) `+"`"+`(\w+)`) {
		if stack.Value("Outputs", name) == nil {
			t.Errorf("the template has no output %s", name)
		}
	}
	for _, name := range names(commands, `--config-env (\w+)`) {
		if !strings.Contains(config, "["+name+".") {
			t.Errorf("samconfig.toml has no environment %s", name)
		}
	}
	if len(resources) < 10 || strings.Contains(commands, "--stack-name scim") {
		t.Errorf("%d commands name a resource, or some name the stack instead of $STACK:\n%s", len(resources), commands)
	}
}

// Queries of the guide name fields that log lines have. functions/sweep tests those of its own lines.
func TestQueriesOfGuideNameFields(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := functiontest.EmbeddedConfig(t, &log)
	for _, command := range []string{`{"command":"create-tenant","tenant":"acme"}`, `{"command":"create-token","tenant":"acme","label":"okta"}`} {
		if _, err := admin.New(c).Execute(t.Context(), []byte(command)); err != nil {
			t.Fatal(err)
		}
	}
	tokens := &token.Store{Table: c.Store.Table, Now: c.Store.Now}
	handler := server.New(server.Config{Directory: c, Tokens: tokens, BaseURL: "https://example.com/scim/v2",
		Timeout: time.Minute, Log: c.Store.Log, RequestID: func(*http.Request) string { return "id" }})
	r := httptest.NewRequest("POST", "/scim/v2/users", strings.NewReader(`{"userName":"ada"}`)) // a lenient request
	r.Header.Set("Authorization", "Bearer "+tokens.IssueInMemory("acme", "okta", token.ScopeAll))
	handler.ServeHTTP(httptest.NewRecorder(), r)
	fields := functiontest.LogFields(t, log.String())
	for _, m := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(fmt.Sprint(
		functiontest.OpenTemplate(t).Value("Resources", "Api", "Properties", "AccessLogSetting", "Format")), -1) {
		fields[m[1]] = true
	}
	queries := functiontest.OpenGuide(t).Queries()
	for _, query := range queries {
		for _, name := range functiontest.QueryFields(query) {
			if !fields[name] && !strings.Contains(query, "fsck") {
				t.Errorf("no line has the field %s of %s", name, query)
			}
		}
	}
	if len(queries) < 10 {
		t.Errorf("the guide has only the queries %q", queries)
	}
}

// program matches the program of a command with its subcommands: aws sqs purge-queue, sam local invoke, or curl.
var program = regexp.MustCompile(`\b(aws [a-z0-9]+ [a-z-]+|sam (?:remote |local )?[a-z-]+|go run \./functions/[a-z]+|curl|dynoxide)\b`)

// The table of tested commands has each command of the guide, and no others.
func TestGuideSaysHowEachCommandIsTested(t *testing.T) {
	t.Parallel()
	guide := functiontest.OpenGuide(t)
	_, table, _ := strings.Cut(string(guide), functiontest.TestedCommands)
	table, _, _ = strings.Cut(table, "\n\n")
	var listed []string
	for row := range strings.Lines(table) {
		for _, code := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(strings.Split(row+"||", "|")[1], -1) {
			listed = append(listed, code[1])
		}
	}
	var used []string
	for _, command := range guide.Commands() {
		if command != "sam local" {
			used = append(used, program.FindAllString(command, -1)...)
		}
	}
	slices.Sort(listed)
	slices.Sort(used)
	if used = slices.Compact(used); !slices.Equal(listed, used) {
		t.Errorf("the table has\n%q\nthe guide has\n%q", listed, used)
	}
}

// awsStack is a stack with the resources and outputs that commands of the guide use.
const awsStack = `{"Resources": {
	"Table": {"Type": "AWS::DynamoDB::Table", "Properties": {"BillingMode": "PAY_PER_REQUEST", "DeletionProtectionEnabled": true,
		"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": true},
		"AttributeDefinitions": [{"AttributeName": "PK", "AttributeType": "S"}], "KeySchema": [{"AttributeName": "PK", "KeyType": "HASH"}]}},
	"Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": {"Ref": "AWS::StackName"}}},
	"WebhookQueue": {"Type": "AWS::SQS::Queue"}, "Sweep": {"Type": "AWS::SQS::Queue"},
	"SweepEveryWeek": {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": "rate(7 days)"}},
	"LogRole": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}},
	"AuditLog": {"Type": "AWS::Logs::LogGroup"}},
"Outputs": {"TableName": {"Value": {"Ref": "Table"}}, "EventBusArn": {"Value": {"Fn::GetAtt": ["Bus", "Arn"]}},
	"WebhookQueueUrl": {"Value": {"Ref": "WebhookQueue"}}, "AuditLogGroup": {"Value": {"Ref": "AuditLog"}}}}`

// The commands of aws run against an emulator, in the order of the guide, except those that need Lambda, AWS CLI 2, an
// export, or a managed policy, which the emulator lacks.
func TestAWSCommandsOfGuide(t *testing.T) {
	t.Parallel()
	url := os.Getenv("SCIM_TEST_MOTO")
	if _, err := exec.LookPath("aws"); err != nil || url == "" {
		t.Skip("set SCIM_TEST_MOTO to the URL of a moto server, and install the AWS CLI")
	}
	stack := fmt.Sprintf("guide-%d", time.Now().UnixNano())
	script := "set -e\naws() { command aws --endpoint-url " + url + " \"$@\"; }\nSTACK=" + stack +
		"\naws cloudformation create-stack --stack-name $STACK --template-body '" + awsStack + "'\n"
	commands := 0
	for _, command := range functiontest.OpenGuide(t).Commands() {
		if !strings.Contains(command, "aws ") && !strings.Contains(command, "=$(output ") ||
			regexp.MustCompile(`^sam|aws (lambda|configure)|export-table|detach-role|console`).MatchString(command) {
			continue
		}
		commands++
		script += "echo '+' " + fmt.Sprintf("%q", program.FindString(command)) + "\n" + command + "\n"
	}
	script = strings.NewReplacer("scim-restored", stack+"-restored", "OTHER_QUEUE_ARN", "arn:aws:sqs:us-east-1:1:other",
		"QUEUE_ARN", "arn:aws:sqs:us-east-1:1:queue").Replace(script)
	shell := exec.CommandContext(t.Context(), "bash", "--norc")
	shell.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "AWS_DEFAULT_REGION=us-east-1", "AWS_PAGER=")
	shell.Stdin = strings.NewReader(script)
	if out, err := shell.CombinedOutput(); err != nil || commands < 15 {
		t.Errorf("%d commands: %v\n%s", commands, err, out)
	}
}
