package main

import (
	"fmt"
	"strings"
	"testing"

	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/internal/directory/directorytest"
	"serverless-scim/internal/token"
)

// BenchmarkPeakMemory reports the most memory that an instance with 128 MB has used after a large request, and the
// processor time of the request. Each request is sent to a new instance, once. The directory has 100,000 users in one
// group.
func BenchmarkPeakMemory(b *testing.B) {
	binary := functiontest.BuildFunction(b, ".")
	env, tokens := newTokenStore(b)
	secret := token.New("default")
	if err := tokens.ReplaceToken(b.Context(), "default", "test", secret); err != nil {
		b.Fatal(err)
	}
	const people = 100_000
	company, err := directorytest.NewCompany(b.Context(), tokens.Table, "default", people, people)
	if err != nil {
		b.Fatal(err)
	}
	env = append(env, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128", "METRICS_NAMESPACE=Scim/test")
	for name, event := range largeRequests(secret, company.People, company.GroupOfSize[people]) {
		b.Run(name, func(b *testing.B) {
			i := functiontest.StartInstance(b, binary, env...)
			invoke(b, i, fullEvent("GET", "/Users/"+company.People[1], secret, ""))
			before := i.CPUTime(b)
			invoke(b, i, event)
			b.ReportMetric((i.CPUTime(b)-before).Seconds()*1e3, "cpu-ms")
			b.ReportMetric(float64(i.PeakMemory(b))/1e6, "peak-MB")
		})
	}
}

func largeRequests(secret string, users []string, group string) map[string]any {
	var bulk []string
	for n := range 1000 {
		bulk = append(bulk, fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":"%d","data":%s}`, n, userBody(fmt.Sprint("bulk", n))))
	}
	return map[string]any{
		"get":           fullEvent("GET", "/Users/"+users[0], secret, ""),
		"create":        fullEvent("POST", "/Users", secret, userBody("created")),
		"page of 100":   fullEvent("GET", "/Users?count=100", secret, ""),
		"page of 1,000": fullEvent("GET", "/Users?count=1000", secret, ""),
		"group":         fullEvent("GET", "/Groups/"+group, secret, ""),
		"bulk of 1,000": fullEvent("POST", "/Bulk", secret,
			`{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[`+strings.Join(bulk, ",")+`]}`),
		"push of 40,000": fullEvent("POST", "/Groups", secret,
			`{"displayName":"pushed","members":[{"value":"`+strings.Join(users[:40_000], `"},{"value":"`)+`"}]}`),
	}
}
