// Command local serves the SCIM API on this machine, from a table in a file or from a DynamoDB endpoint. It serves a
// tenant named default, with a new token in each run unless -token sets one. It listens without TLS, so do not expose
// it to a network.
//
// With fsck as its first argument, the command checks a table instead, and repairs it with -repair. With admin as its
// first argument, it executes an operator's command.
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
	debug.SetGCPercent(400) // the live heap is a few MB, so a heap of five times that costs little memory
	debug.SetMemoryLimit(160 << 20)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
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
