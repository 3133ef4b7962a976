package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"serverless-scim/functions/internal/environment"
	"serverless-scim/functions/internal/functiontest"
	"serverless-scim/internal/directory"
)

// profileVariable makes the test binary run the function, with a functiontest.Profiler, instead of the tests.
const profileVariable = "SCIM_TEST_PROFILE"

func TestMain(m *testing.M) {
	if os.Getenv(profileVariable) == "" {
		os.Exit(m.Run())
	}
	environment.Start(func(env func(string) string, c directory.Config) (any, error) {
		h, err := newHandler(env, c)
		if err != nil {
			return nil, err
		}
		return &functiontest.Profiler{Handler: h.(lambda.Handler)}, nil
	})
}

// operations returns the requests that BenchmarkInvocation measures, by name. The function of an operation returns the
// event number n. The directory has 100 users with these IDs, and a group.
func operations(secret string, users []string, group string) map[string]func(n int) any {
	event := func(method, path, body string) any { return fullEvent(method, path, secret, body) }
	const patch = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[%s]}`
	members := `{"op":"%s","path":"members","value":[{"value":"` + strings.Join(users, `"},{"value":"`) + `"}]}`
	return map[string]func(n int) any{
		"get": func(n int) any { return event("GET", "/Users/"+users[n%100], "") },
		"probe": func(n int) any {
			return event("GET", fmt.Sprintf(`/Users?filter=userName eq "user%d@example.com"`, n%100), "")
		},
		"create": func(n int) any { return event("POST", "/Users", userBody(fmt.Sprint("created", n))) },
		"patch": func(n int) any {
			return event("PATCH", "/Users/"+users[n%100], fmt.Sprintf(patch, fmt.Sprintf(`{"op":"replace","value":{"title":"%d"}}`, n)))
		},
		"page": func(int) any { return event("GET", "/Users?startIndex=1&count=100", "") },
		"push": func(n int) any { // adds 100 members, or removes them
			return event("PATCH", "/Groups/"+group, fmt.Sprintf(patch, fmt.Sprintf(members, [2]string{"add", "remove"}[n%2])))
		},
	}
}

// userBody returns a user as Okta creates it.
func userBody(name string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"%s@example.com",`+
		`"name":{"givenName":"Ada","familyName":"Lovelace"},"emails":[{"primary":true,"value":"%[1]s@example.com","type":"work"}],`+
		`"displayName":"Ada Lovelace","locale":"en-US","externalId":"00u%[1]s","groups":[],"password":"dropped","active":true}`, name)
}

// fullEvent returns an event with the headers and the context that API Gateway adds.
func fullEvent(method, path, secret, body string) any {
	path, query, _ := strings.Cut(path, "?")
	e := restEvent(method, path, secret, body).(events.APIGatewayProxyRequest)
	for pair := range strings.SplitSeq(query, "&") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			e.MultiValueQueryStringParameters = map[string][]string{name: {value}}
			e.QueryStringParameters = map[string]string{name: value}
		}
	}
	for name, value := range map[string]string{"Accept": "application/scim+json", "Accept-Charset": "utf-8", "Host": host,
		"Accept-Encoding": "gzip,deflate", "User-Agent": "Okta SCIM Client 1.0.0", "X-Forwarded-For": "192.0.2.1",
		"X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678", "X-Forwarded-Port": "443", "X-Forwarded-Proto": "https"} {
		e.MultiValueHeaders[name] = []string{value}
	}
	e.Headers = map[string]string{}
	for name, values := range e.MultiValueHeaders {
		e.Headers[name] = values[0]
	}
	e.PathParameters = map[string]string{"proxy": strings.TrimPrefix(path, "/")}
	e.RequestContext.RequestID, e.RequestContext.AccountID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", "123456789012"
	e.RequestContext.ResourcePath, e.RequestContext.HTTPMethod = e.Resource, method
	e.RequestContext.RequestTimeEpoch, e.RequestContext.Identity.SourceIP = 1583349317135, "192.0.2.1"
	return e
}

// BenchmarkInvocation measures what an invocation costs. The processor time and the peak memory are those of the function
// as it is deployed. The allocations, and the shares of the processor time, are those of the same code in the test binary.
// The table is an emulator, without TLS. The shares need thousands of invocations, because the profile has 100 samples per
// second of processor time.
func BenchmarkInvocation(b *testing.B) {
	binary := functiontest.BuildFunction(b, ".")
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"get", "probe", "create", "patch", "page", "push"} {
		b.Run(name, func(b *testing.B) {
			i, operation := startOperation(b, binary, name)
			before := i.CPUTime(b)
			for n := 0; b.Loop(); n++ {
				invoke(b, i, operation(n))
			}
			cpu := i.CPUTime(b) - before
			b.ReportMetric(float64(cpu.Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(i.PeakMemory(b))/1e6, "peak-MB")
			i.Stop()
			reportUsage(b, self, name)
		})
	}
}

// startOperation starts an instance on a new table and runs an operation until it has no first-time costs.
func startOperation(b *testing.B, binary, name string) (*functiontest.Instance, func(n int) any) {
	env, secret := newStore(b)
	i := functiontest.StartInstance(b, binary, append(env, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512", "METRICS_NAMESPACE=Scim/test",
		"RATE_LIMIT=1000000", profileVariable+"="+name)...)
	create := func(path, body string) string {
		id, _ := request(b, i, 201, fullEvent("POST", path, secret, body)).json["id"].(string)
		return id
	}
	var users []string
	for n := range 100 {
		users = append(users, create("/Users", userBody(fmt.Sprint("user", n))))
	}
	operation := operations(secret, users, create("/Groups", `{"displayName":"Engineers"}`))[name]
	const warmup = 100
	for n := range warmup {
		invoke(b, i, operation(n))
	}
	return i, func(n int) any { return operation(warmup + n) }
}

func invoke(b *testing.B, i *functiontest.Instance, event any) []byte {
	payload, err := json.Marshal(event)
	if err != nil {
		b.Fatal(err)
	}
	out := i.Invoke(b, payload)
	if out.Failed || strings.Contains(string(out.Payload), `"statusCode":4`) || strings.Contains(string(out.Payload), `"statusCode":5`) {
		b.Fatal(out)
	}
	return out.Payload
}

// reportUsage runs b.N invocations in the test binary and reports their allocations and the shares of the processor time.
func reportUsage(b *testing.B, self, name string) {
	i, operation := startOperation(b, self, name)
	invoke(b, i, "start")
	for n := range b.N {
		invoke(b, i, operation(n))
	}
	var usage functiontest.Usage
	err := json.Unmarshal(invoke(b, i, "stop"), &usage)
	split, err2 := usage.Split()
	if err != nil || err2 != nil {
		b.Fatal(err, err2)
	}
	b.ReportMetric(float64(usage.Mallocs)/float64(b.N), "mallocs/op")
	b.ReportMetric(float64(usage.Bytes)/1e3/float64(b.N), "KB/op")
	for name, percent := range split {
		b.ReportMetric(percent, name+"-%")
	}
	if err := os.WriteFile(filepath.Join(b.ArtifactDir(), "cpu.pprof"), usage.Profile, 0o600); err != nil {
		b.Fatal(err)
	}
}
