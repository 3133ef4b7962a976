package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"serverless-scim/internal/feed"
	"serverless-scim/internal/format"
	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/table/dynamo"
)

// openTimeout limits the time of the first calls to a table.
const openTimeout = 20 * time.Second

// openOrCreate opens the table of the options for writing, and creates it if it does not exist. It also returns the function
// that closes the table.
func openOrCreate(ctx context.Context, o options) (table.Table, func() error, error) {
	if o.endpoint == "" {
		t, closeTable, err := openFile(o.db)
		return withFormat(ctx, t, closeTable, true, err)
	}
	t, err := o.connect()
	if err != nil {
		return nil, nil, err
	}
	createCtx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := t.Create(createCtx); err != nil {
		return nil, nil, fmt.Errorf("cannot create the table at %s: %w", o.endpoint, err)
	}
	return withFormat(ctx, t, noClose, true, nil)
}

// openExisting opens the table of the options, and returns an error if it does not exist. If write is false, it writes
// nothing.
func openExisting(ctx context.Context, o options, write bool) (table.Table, func() error, error) {
	if o.endpoint == "" {
		if _, err := os.Stat(o.db); err != nil {
			return nil, nil, err
		}
		t, closeTable, err := openFile(o.db)
		return withFormat(ctx, t, closeTable, write, err)
	}
	t, err := o.connect()
	return withFormat(ctx, t, noClose, write, err)
}

// withFormat returns its arguments if this version of the program can use the table. Otherwise it closes the table and
// returns an error. If write is true, it writes the format item of a table that has none. It does nothing after an error.
func withFormat(ctx context.Context, t table.Table, closeTable func() error, write bool, err error) (table.Table, func() error, error) {
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	err = runUntilCorrupt(ctx, t, func(ctx context.Context) error {
		if err := format.Check(ctx, t); err != nil || !write {
			return err
		}
		return format.Mark(ctx, t)
	})
	if err != nil {
		closeTable()
		return nil, nil, err
	}
	return t, closeTable, nil
}

func openFile(path string) (table.Table, func() error, error) {
	t, err := bolt.Open(path, bolt.Watch(feed.IsWatched))
	if err != nil {
		return nil, nil, err
	}
	return t, t.Close, nil
}

// runUntilCorrupt runs do and returns its error. If the database file turns out to be corrupt, runUntilCorrupt returns
// without waiting for do, because calls on a corrupt file may never return.
func runUntilCorrupt(ctx context.Context, t table.Table, do func(context.Context) error) error {
	file, ok := t.(*bolt.Table)
	if !ok {
		return do(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- do(ctx) }()
	select {
	case err := <-result:
		return err
	case <-file.Corrupted():
		return file.CorruptionError()
	}
}

// noClose closes a table at an endpoint, which has nothing to close.
func noClose() error { return nil }

func (o options) connect() (*dynamo.Table, error) {
	if err := checkReachable(o.endpoint); err != nil {
		return nil, err
	}
	if err := o.checkCredentials(); err != nil {
		return nil, err
	}
	return dynamo.New(dynamo.NewClient(o.clientConfig()), o.table, func(o *dynamo.Options) { o.Stream = true }), nil
}

// clientConfig returns the endpoint and, if it uses https, the AWS credentials of the environment. An emulator accepts
// any credentials and does not get those of AWS.
func (o options) clientConfig() dynamo.ClientConfig {
	if !strings.HasPrefix(o.endpoint, "https:") {
		return dynamo.ClientConfig{Endpoint: o.endpoint}
	}
	return dynamo.ClientConfig{Endpoint: o.endpoint, Region: os.Getenv("AWS_REGION"),
		AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"), SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken: os.Getenv("AWS_SESSION_TOKEN")}
}

// checkCredentials returns an error if the endpoint uses https and the environment has no credentials.
func (o options) checkCredentials() error {
	if c := o.clientConfig(); strings.HasPrefix(o.endpoint, "https:") && (c.AccessKey == "" || c.SecretKey == "" || c.Region == "") {
		return fmt.Errorf("the environment has no credentials for %s: set AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "+
			"and AWS_SESSION_TOKEN if they are temporary", o.endpoint)
	}
	return nil
}

// reachTimeout limits the time for a connection to an endpoint.
const reachTimeout = 5 * time.Second

// checkReachable returns an error if no server listens at the endpoint, or if the endpoint has https and the server does
// not speak TLS. A call to the table would retry instead.
func checkReachable(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return fmt.Errorf("-endpoint %q is not a URL; use one such as http://127.0.0.1:8000", endpoint)
	}
	host := u.Host
	if u.Port() == "" {
		host += map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	}
	conn, err := net.DialTimeout("tcp", host, reachTimeout)
	if err != nil {
		return fmt.Errorf("cannot reach %s: %w", endpoint, err)
	}
	defer conn.Close()
	if u.Scheme == "https" {
		err = checkTLS(conn, u.Hostname())
	}
	if err != nil {
		return fmt.Errorf("cannot reach %s: %w", endpoint, err)
	}
	return nil
}

// checkTLS returns an error if the server of a connection does not speak TLS or has no valid certificate for the host.
func checkTLS(conn net.Conn, host string) error {
	ctx, cancel := context.WithTimeout(context.Background(), reachTimeout)
	defer cancel()
	err := tls.Client(conn, &tls.Config{ServerName: host}).HandshakeContext(ctx)
	if err == nil || errors.As(err, new(*tls.CertificateVerificationError)) {
		return err
	}
	return fmt.Errorf("the server does not speak TLS: %w; an emulator's endpoint begins with http://", err)
}
