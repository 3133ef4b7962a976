package functions

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"serverless-scim/functions/internal/functiontest"
)

func TestParametersAreGroupedAndDescribed(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	grouped := map[string]int{}
	form := []string{"Metadata", "AWS::CloudFormation::Interface"}
	for _, g := range elements(stack.Value(append(form, "ParameterGroups")...)) {
		for _, name := range elements(g.(map[string]any)["Parameters"]) {
			grouped[name.(string)]++
		}
	}
	labels := stack.Object(append(form, "ParameterLabels")...)
	for name := range stack.Object("Parameters") {
		if grouped[name] != 1 || labels[name] == nil {
			t.Errorf("%s is in %d groups and has the label %v", name, grouped[name], labels[name])
		}
		if d, _ := stack.Value("Parameters", name, "Description").(string); !strings.HasSuffix(d, ".") || len(d) > 400 {
			t.Errorf("%s is not described in sentences: %q", name, d)
		}
	}
	if parameters := stack.Object("Parameters"); len(grouped) != len(parameters) || len(labels) != len(parameters) {
		t.Errorf("%d parameters, %d in groups, %d labels", len(parameters), len(grouped), len(labels))
	}
}

// Texts for operators and clients are plain: no metaphors and no words that need the code to be understood.
func TestTextsAreInPlainLanguage(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	texts := map[string]any{}
	for _, kind := range []string{"Parameters", "Outputs"} {
		for name := range stack.Object(kind) {
			texts[name] = stack.Value(kind, name, "Description")
		}
	}
	for _, name := range stack.Resources("AWS::CloudWatch::Alarm") {
		texts[name] = stack.Value("Resources", name, "Properties", "AlarmDescription")
	}
	for name := range responseTypes {
		texts[name] = stack.Value("Resources", "Api", "Properties", "GatewayResponses", name, "ResponseTemplates", "application/json")
	}
	plain := regexp.MustCompile(`(?i)\b(nobody|somebody|meanwhile|whose|told|tells|heals?|mends?|meant|beside|behind|whatever|answers?|goes|there are|there is)\b`)
	for name, text := range texts {
		if word := plain.FindString(fmt.Sprint(text)); text == nil || word != "" {
			t.Errorf("%s has the word %q: %v", name, word, text)
		}
	}
}

// A key encrypts the table and all logs, a boundary limits all roles, and a domain closes API Gateway's own address.
func TestKeyBoundaryAndClosedAddress(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	ref := func(name string) any { return map[string]any{"Ref": name} }
	check := func(resource, property string, want ...any) {
		t.Helper()
		if got := stack.Value("Resources", resource, "Properties", property); !reflect.DeepEqual(got, map[string]any{"Fn::If": want}) {
			t.Errorf("%s of %s is %v", property, resource, got)
		}
	}
	for _, name := range stack.Resources("AWS::Logs::LogGroup") {
		check(name, "KmsKeyId", "HasKmsKey", ref("KmsKeyArn"), ref("AWS::NoValue"))
	}
	for _, name := range stack.Resources("AWS::IAM::Role") {
		check(name, "PermissionsBoundary", "HasPermissionsBoundary", ref("PermissionsBoundary"), ref("AWS::NoValue"))
	}
	check("Table", "SSESpecification", "HasKmsKey",
		map[string]any{"SSEEnabled": "true", "SSEType": "KMS", "KMSMasterKeyId": ref("KmsKeyArn")}, ref("AWS::NoValue"))
	check("Api", "DisableExecuteApiEndpoint", "HasDomain", "true", "false")
	users := []any{ref("FunctionRole"), ref("SweepRole"), ref("FeedRole"), ref("AdminRole")}
	if got := stack.Value("Resources", "KeyPolicy", "Properties", "Roles"); !reflect.DeepEqual(got, users) {
		t.Errorf("the key can be used by %v", got)
	}
	for _, s := range elements(stack.Value("Resources", "KeyPolicy", "Properties", "PolicyDocument", "Statement")) {
		s := s.(map[string]any)
		if !reflect.DeepEqual(s["Resource"], ref("KmsKeyArn")) || strings.Contains(fmt.Sprint(s["Action"]), "*") {
			t.Errorf("the key's policy allows %v on %v", s["Action"], s["Resource"])
		}
	}
}

// guidedPrompt matches a prompt of sam deploy --guided for a parameter. The prompt for a hidden parameter has no default.
var guidedPrompt = regexp.MustCompile(`(?m)^ *Parameter ([A-Za-z]+)(?: \[(.*)\])?:(.*)`)

// README.md quotes the questions of sam deploy --guided: one for each parameter, and one for each event without
// authorization.
func TestGuideQuotesQuestionsOfDeployment(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	guide, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := guidedPrompt.FindAllStringSubmatch(string(guide), -1)
	for _, m := range quoted {
		want := stack.Value("Parameters", m[1], "Default")
		if hidden := stack.Value("Parameters", m[1], "NoEcho") != nil; !hidden && want != m[2] || hidden && " "+fmt.Sprint(want) != m[3] {
			t.Errorf("README.md quotes %q; the default is %v", m[0], want)
		}
	}
	if len(quoted) != len(stack.Object("Parameters")) {
		t.Errorf("README.md quotes %d of %d parameters", len(quoted), len(stack.Object("Parameters")))
	}
	questions := strings.Count(string(guide), "Function has no authentication. Is this okay? [y/N]: y\n")
	if events := stack.Object("Resources", "Function", "Properties", "Events"); questions != len(events) {
		t.Errorf("README.md quotes the question for authorization %d times; there are %d events", questions, len(events))
	}
}
