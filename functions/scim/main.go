// Command scim is a Lambda function that serves the SCIM API through API Gateway. template.yaml creates a REST API. The
// function also accepts events of HTTP APIs and function URLs, for deployments with their own template. Package gateway
// converts the events, and package server serves the requests. In addition to the environment variables of package
// environment, it reads:
//
//   - BASE_URL, the base URL in responses. By default, it is the address that the client used.
//   - RATE_LIMIT, the requests that a token may send per second unless its tenant has its own limit. The default is
//     100, and 0 means no limit.
package main

import (
	"strings"
	"time"

	"serverless-scim/functions/internal/environment"
	"serverless-scim/internal/directory"
	"serverless-scim/internal/gateway"
	"serverless-scim/internal/oauth"
	"serverless-scim/internal/server"
	"serverless-scim/internal/token"
)

func main() { environment.Start(newHandler) }

func newHandler(env func(string) string, c directory.Config) (any, error) {
	rate, err := environment.NonNegativeInt(env, "RATE_LIMIT", 100)
	if err != nil {
		return nil, err
	}
	tokens := &token.Store{Table: c.Store.Table, Now: c.Store.Now}
	limiter := &token.Limiter{Table: c.Store.Table, Now: c.Store.Now, Log: c.Store.Log}
	return gateway.New(server.New(server.Config{
		Directory: c,
		Tokens:    tokens,
		Limiter:   limiter,
		OAuth:     oauth.New(tokens, limiter, oauth.NewClient(oauth.ClientOptions{})),
		RateLimit: rate,
		RequestID: gateway.RequestID,
		BaseURL:   strings.TrimRight(env("BASE_URL"), "/"),
		Timeout:   25 * time.Second, // less than the 29 s that API Gateway waits
		Log:       c.Store.Log,
	})), nil
}
