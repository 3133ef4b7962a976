// Command scim is the SCIM API as a Lambda function behind API Gateway, a REST API or an HTTP API. It is configured by
// what package environment tells of, by BASE_URL, the address that answers give where it is not the one that API Gateway
// tells, and by RATE_LIMIT, how many requests a second a token may send unless its tenant says otherwise (0: any number).
package main

import (
	"strings"
	"time"

	"serverless-scim/functions/internal/environment"
	"serverless-scim/internal/directory"
	"serverless-scim/internal/gateway"
	"serverless-scim/internal/server"
	"serverless-scim/internal/token"
)

func main() { environment.Start(wire) }

func wire(env func(string) string, c directory.Config) (any, error) {
	rate, err := environment.NonNegativeInt(env, "RATE_LIMIT", 100)
	if err != nil {
		return nil, err
	}
	return gateway.New(server.New(server.Config{
		Directory: c,
		Tokens:    &token.Store{Table: c.Table, Now: c.Now},
		Limiter:   &token.Limiter{Table: c.Table, Now: c.Now, Log: c.Log},
		RateLimit: rate,
		RequestID: gateway.RequestID,
		BaseURL:   strings.TrimRight(env("BASE_URL"), "/"),
		Timeout:   25 * time.Second, // API Gateway itself gives up after 29
		Log:       c.Log,
	})), nil
}
