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
)

// openOrCreate opens the table that the options name, and makes one where there is none.
func openOrCreate(ctx context.Context, o options) (table.Table, func() error, error) {
	if o.endpoint == "" {
		return openFile(o.db)
	}
	t, err := o.connect()
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := t.Create(ctx); err != nil {
		return nil, nil, fmt.Errorf("no table at %s: %w", o.endpoint, err)
	}
	return t, noClose, nil
}

// openExisting opens the table that the options name if there is one. At an endpoint the first call tells.
func openExisting(o options) (table.Table, func() error, error) {
	if o.endpoint == "" {
		if _, err := os.Stat(o.db); err != nil {
			return nil, nil, err
		}
		return openFile(o.db)
	}
	t, err := o.connect()
	return t, noClose, err
}

func openFile(path string) (table.Table, func() error, error) {
	t, err := bolt.Open(path)
	if err != nil {
		return nil, nil, err
	}
	return t, t.Close, nil
}

// runUntilCorrupt does something on a table, and waits for its end no longer than until the table turns out to be a damaged
// file: in that, requests and sweeps may hang for ever.
func runUntilCorrupt(ctx context.Context, t table.Table, do func(context.Context) error) error {
	file, ok := t.(*bolt.Table)
	if !ok {
		return do(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- do(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-file.Corrupted():
		return file.CorruptionError()
	}
}

// noClose is how a table at an endpoint is closed.
func noClose() error { return nil }

func (o options) connect() (*dynamo.Table, error) {
	if err := checkReachable(o.endpoint); err != nil {
		return nil, err
	}
	return dynamo.New(dynamo.NewClient(o.clientConfig()), o.table), nil
}

// clientConfig is the caller's on AWS, from the environment; an emulator takes any, and shall not see that one.
func (o options) clientConfig() dynamo.ClientConfig {
	if !strings.HasPrefix(o.endpoint, "https:") {
		return dynamo.ClientConfig{Endpoint: o.endpoint}
	}
	return dynamo.ClientConfig{Endpoint: o.endpoint, Region: os.Getenv("AWS_REGION"), AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: os.Getenv("AWS_SESSION_TOKEN")}
}

// checkReachable tells at once that nobody listens at an address, rather than trying again as calls to the table do.
func checkReachable(endpoint string) error {
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
