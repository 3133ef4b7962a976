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
)

func main() {
	debug.SetGCPercent(400) // what lives is a few MB: to let five times as much come together costs little
	debug.SetMemoryLimit(160 << 20)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == "fsck" {
		os.Exit(runFsck(ctx, os.Args[2:], os.Stdout, os.Stderr))
	}
	if len(os.Args) > 1 && os.Args[1] == "admin" {
		os.Exit(runAdmin(ctx, os.Args[2:], os.Stdout, os.Stderr))
	}
	o, err := parseServeOptions(flag.NewFlagSet("local", flag.ExitOnError), os.Args[1:])
	if err == nil {
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}
