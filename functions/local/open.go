package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/table/dynamo"
	"serverless-scim/internal/token"
)

// tenant is the one that this program serves.
const tenant = "default"

// open opens the table that the options name.
func open(ctx context.Context, o options) (table.Table, func() error, error) {
	if o.endpoint == "" {
		t, err := bolt.Open(o.db)
		if err != nil {
			return nil, nil, err
		}
		return t, t.Close, nil
	}
	if err := reach(o.endpoint); err != nil {
		return nil, nil, err
	}
	t := dynamo.New(dynamo.NewClient(o.account()), o.table)
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := t.Create(ctx); err != nil {
		return nil, nil, fmt.Errorf("no table at %s: %w", o.endpoint, err)
	}
	return t, func() error { return nil }, nil
}

// account is the caller's on AWS, from the environment; an emulator takes any, and shall not see that one.
func (o options) account() dynamo.Account {
	if !strings.HasPrefix(o.endpoint, "https:") {
		return dynamo.Account{Endpoint: o.endpoint}
	}
	return dynamo.Account{Endpoint: o.endpoint, Region: os.Getenv("AWS_REGION"), AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: os.Getenv("AWS_SESSION_TOKEN")}
}

// reach tells at once that nobody listens at an address, rather than trying again as calls to the table do.
func reach(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return fmt.Errorf("%q is no address such as http://127.0.0.1:8000", endpoint)
	}
	host := u.Host
	if u.Port() == "" {
		host += map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	}
	c, err := net.DialTimeout("tcp", host, 5*time.Second)
	if err != nil {
		return fmt.Errorf("cannot reach %s: %w", endpoint, err)
	}
	return c.Close()
}

// address is what clients use; who listens on every interface is reached as localhost, too.
func address(a net.Addr) string {
	host, port, _ := net.SplitHostPort(a.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port) + "/scim/v2"
}

// issue makes a token valid: the one that is given, or a new one in place of the last that was made here.
func issue(ctx context.Context, tokens *token.Store, given string) (string, error) {
	if given != "" {
		return given, tokens.Replace(ctx, tenant, "given", given)
	}
	secret := token.New()
	return secret, tokens.Replace(ctx, tenant, "automatic", secret)
}

func announce(base, secret string) {
	fmt.Printf("SCIM base URL: %s\nBearer token:  %s\n\ncurl -H 'Authorization: Bearer %s' '%s/Users?count=2'\n\n",
		base, secret, secret, base)
}
