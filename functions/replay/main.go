// Command replay plays recorded conversations against a SCIM server and tells where its answers differ.
//
//	go run ./functions/replay -url http://127.0.0.1:8080/scim/v2 -token TOKEN [events/okta …]
//
// Names get a suffix for each run and what a conversation creates is deleted again, so it may be run at any time and
// against a server in use. It exits with 1 if an answer differs and with 2 if it could not do its work.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"

	"serverless-scim/internal/replay"
)

func main() {
	url := flag.String("url", "", "base `URL` of the server, what /Users follows")
	token := flag.String("token", "", "bearer `token`")
	flag.Parse()
	dirs := flag.Args()
	if len(dirs) == 0 {
		dirs = []string{"events"}
	}
	differ, err := run(*url, *token, dirs)
	if err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
		os.Exit(2)
	}
	if differ > 0 {
		os.Exit(1)
	}
}

func run(url, token string, dirs []string) (differ int, err error) {
	if url == "" {
		return 0, errors.New("no server given: -url http://127.0.0.1:8080/scim/v2")
	}
	if token == "" {
		return 0, errors.New("no token given: -token, with one that the server takes")
	}
	conversations, err := replay.LoadConversations(dirs...)
	if err != nil {
		return 0, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait for the cleaning
	r := replay.Player{Target: replay.HTTPTarget(http.DefaultClient, url), Token: token, RunSuffix: strings.ToLower(rand.Text()[:8])}
	return r.PlayAll(ctx, os.Stdout, conversations)
}
