// Command local serves SCIM on this machine, on a table in a file or on any DynamoDB endpoint. It makes a tenant named
// default, and a new token of it for each run unless it is given one. It listens without TLS, and is not meant for a
// network. With fsck as its first argument it checks such a table instead, and repairs it if told to; with admin it does
// an operator's command on it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"serverless-scim/internal/directory"
)

func main() {
	debug.SetGCPercent(400) // what lives is a few MB: to let five times as much come together costs little
	debug.SetMemoryLimit(160 << 20)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == "fsck" {
		os.Exit(fsck(ctx, os.Args[2:], os.Stdout, os.Stderr))
	}
	if len(os.Args) > 1 && os.Args[1] == "admin" {
		os.Exit(administer(ctx, os.Args[2:], os.Stdout, os.Stderr))
	}
	o := options{}
	f := flag.NewFlagSet("local", flag.ExitOnError)
	f.StringVar(&o.addr, "addr", "127.0.0.1:8080", "address to listen on")
	f.StringVar(&o.token, "token", "", "bearer token (default: a new one for each run)")
	f.IntVar(&o.budget, "budget", directory.Budget, "`resources` that a request tests at most where no key leads to what it asks for")
	f.IntVar(&o.rate, "rate", 0, "`requests` a second that a token may send unless its tenant says otherwise; 0: any number")
	o.store(f)
	f.Parse(os.Args[1:])
	err := unexpected(f.Args())
	if err == nil {
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}
