// Command local serves the SCIM API on this machine, from a table in a file or from a DynamoDB endpoint. It serves a
// tenant named default, with a new token in each run unless -token sets one. It listens without TLS, so do not expose
// it to a network.
//
// With fsck as its first argument, the command checks a table instead, and repairs it with -repair. With admin as its first
// argument, it executes an operator's command of package admin. With console as its first argument, it serves the console
// of a table, such as one in AWS, without the SCIM API. After each of these, and without them, -h lists the flags.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() {
	debug.SetGCPercent(1600) // the live heap is a few MB; with 400, writes take a tenth more processor time, and the process half of 100 MB
	debug.SetMemoryLimit(160 << 20)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	if len(os.Args) > 1 {
		runCommand := map[string]func(ctx context.Context, arguments []string, stdout, stderr io.Writer) (status int){
			"fsck": runFsck, "admin": runAdmin, "console": runConsole}[os.Args[1]]
		if runCommand != nil {
			os.Exit(runCommand(ctx, os.Args[2:], os.Stdout, os.Stderr))
		}
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
