package main

import (
	"context"
	"fmt"
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
	t := dynamo.New(dynamo.NewClient(dynamo.Account{Endpoint: o.endpoint}), o.table)
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := t.Create(ctx); err != nil {
		return nil, nil, fmt.Errorf("no table at %s: %w", o.endpoint, err)
	}
	return t, func() error { return nil }, nil
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
