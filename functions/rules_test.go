package functions

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"serverless-scim/functions/internal/functiontest"
)

// isTrue evaluates a condition function of CloudFormation with values of parameters.
func isTrue(stack functiontest.Template, parameters map[string]string, condition any) bool {
	value := func(v any) string {
		if o, ok := v.(object); ok {
			return parameters[o["Ref"].(string)]
		}
		return v.(string)
	}
	is := func(c any) bool { return isTrue(stack, parameters, c) }
	for name, argument := range condition.(object) {
		switch name {
		case "Condition":
			return is(stack.Value("Conditions", argument.(string)))
		case "Fn::Equals":
			return value(argument.(list)[0]) == value(argument.(list)[1])
		case "Fn::Not":
			return !is(argument.(list)[0])
		case "Fn::And":
			return !slices.ContainsFunc(argument.(list), func(c any) bool { return !is(c) })
		case "Fn::Or":
			return slices.ContainsFunc(argument.(list), is)
		}
	}
	panic(fmt.Sprintf("unknown condition function: %v", condition))
}

// failedAssertions returns the sorted descriptions of the rules' assertions that values of parameters violate. Other
// parameters have their defaults.
func failedAssertions(stack functiontest.Template, values map[string]string) (failed []string) {
	parameters := map[string]string{}
	for name := range stack.Object("Parameters") {
		parameters[name], _ = stack.Value("Parameters", name, "Default").(string)
	}
	maps.Copy(parameters, values)
	for name := range stack.Object("Rules") {
		rule := stack.Object("Rules", name)
		if when := rule["RuleCondition"]; when != nil && !isTrue(stack, parameters, when) {
			continue
		}
		for _, a := range elements(rule["Assertions"]) {
			if !isTrue(stack, parameters, a.(object)["Assert"]) {
				failed = append(failed, a.(object)["AssertDescription"].(string))
			}
		}
	}
	slices.Sort(failed)
	return failed
}

// CloudFormation rejects parameters that do not fit together, before it changes anything.
func TestRulesRejectIncompleteParameters(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	const url, key, restored, stream = "https://example.com/hook", "0123456789abcdef", "scim-restored", "arn:…"
	for _, c := range []struct {
		values map[string]string
		want   []string // beginnings of the descriptions of the failed assertions
	}{
		{nil, nil},
		{map[string]string{"DomainName": "scim.example.com"}, []string{"DomainName is set without CertificateArn."}},
		{map[string]string{"EventBus": "create"}, nil},
		{map[string]string{"EventBus": "create", "WebhookUrl": url, "WebhookKey": key}, nil},
		{map[string]string{"WebhookUrl": url, "WebhookKey": key}, []string{"WebhookUrl is set without EventBus."}},
		{map[string]string{"EventBus": "create", "WebhookUrl": url}, []string{"WebhookUrl is set without WebhookKey."}},
		{map[string]string{"WebhookUrl": url}, []string{"WebhookUrl is set without EventBus.", "WebhookUrl is set without WebhookKey."}},
		{map[string]string{"WebhookKey": key}, nil},
		{map[string]string{"RestoredTable": restored, "RestoredTableStream": stream}, nil},
		{map[string]string{"RestoredTable": restored}, []string{"RestoredTable and RestoredTableStream are not set together."}},
		{map[string]string{"RestoredTableStream": stream}, []string{"RestoredTable and RestoredTableStream are not set together."}},
	} {
		got := failedAssertions(stack, c.values)
		if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
			t.Errorf("%v: %q, want %q", c.values, got, c.want)
		}
	}
}

func TestConditionsForEvents(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	const arn = "arn:aws:events:eu-central-1:123456789012:event-bus/company"
	for _, c := range []struct{ bus, url, want string }{
		{"none", "", ""},
		{"create", "", "CreatesEventBus HasEventBus"},
		{arn, "", "HasEventBus"},
		{"create", "https://example.com", "CreatesEventBus HasEventBus HasWebhook"},
		{arn, "https://example.com", "HasEventBus HasWebhook"},
	} {
		var got []string
		for _, name := range []string{"CreatesEventBus", "HasEventBus", "HasWebhook"} {
			if isTrue(stack, map[string]string{"EventBus": c.bus, "WebhookUrl": c.url}, stack.Value("Conditions", name)) {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("with the bus %s and the webhook %q: %v, want %s", c.bus, c.url, got, c.want)
		}
	}
}

func TestPatternsOfParameters(t *testing.T) {
	t.Parallel()
	stack := functiontest.OpenTemplate(t)
	for name, values := range map[string]struct{ valid, invalid []string }{
		"EventBus": {[]string{"none", "create", "arn:aws:events:eu-central-1:123456789012:event-bus/company"},
			[]string{"", "company", "arn:aws:events:eu-central-1:123456789012:rule/company"}},
		"WebhookUrl": {[]string{"", "https://example.com/hook?a=b"}, []string{"http://example.com", "https://", "https://a b"}},
		"WebhookKey": {[]string{"none", "0123456789abcdef"}, []string{"", "short", "0123456789:abcdef", "0123456789 abcdef"}},
		"RestoredTableStream": {[]string{"", "arn:aws:dynamodb:eu-central-1:123456789012:table/scim-restored/stream/2026-03-08T16:20:00.123"},
			[]string{"scim-restored", "arn:aws:dynamodb:eu-central-1:123456789012:table/scim-restored"}},
	} {
		pattern := regexp.MustCompile(stack.Value("Parameters", name, "AllowedPattern").(string))
		for _, v := range append(values.valid, fmt.Sprint(stack.Value("Parameters", name, "Default"))) {
			if !pattern.MatchString(v) {
				t.Errorf("%s rejects %q", name, v)
			}
		}
		for _, v := range values.invalid {
			if pattern.MatchString(v) {
				t.Errorf("%s accepts %q", name, v)
			}
		}
	}
	if stack.Value("Parameters", "WebhookKey", "NoEcho") != "true" {
		t.Error("WebhookKey is shown")
	}
	if details := stack.Value("Parameters", "EventDetail", "AllowedValues"); !reflect.DeepEqual(details, list{"notice", "full"}) {
		t.Errorf("EventDetail accepts %v", details)
	}
}
