// Command replay plays recorded conversations against a SCIM server and prints how the responses differ from the
// expected ones. Without folders it plays all of events.
//
//	go run ./functions/replay -url http://127.0.0.1:8080/scim/v2 -token TOKEN [events/okta …]
//
// The server may be in use: names get a suffix that differs in each run, and the resources that a conversation creates are
// deleted at its end. If standard error is a terminal, it shows the progress. The exit status is 1 if a response differs.
// It is 2 if the conversations could not be played, for example because the server rejects the token. Package replay
// describes conversations.
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
	url := flag.String("url", "", "base `URL` of the server, without /Users")
	token := flag.String("token", "", "bearer `token` of the server")
	flag.Parse()
	dirs := flag.Args()
	if len(dirs) == 0 {
		dirs = []string{"events"}
	}
	differing, err := run(*url, *token, dirs)
	if err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
		os.Exit(2)
	}
	if differing > 0 {
		os.Exit(1)
	}
}

func run(url, token string, dirs []string) (differing int, err error) {
	if url == "" {
		return 0, errors.New("no server; use -url, such as -url http://127.0.0.1:8080/scim/v2")
	}
	if token == "" {
		return 0, errors.New("no token; use -token with a valid token of the server")
	}
	conversations, err := replay.LoadConversations(dirs...)
	if err != nil {
		return 0, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process without deleting the created resources
	player := replay.Player{
		Target:    replay.HTTPTarget(http.DefaultClient, url),
		Token:     token,
		RunSuffix: strings.ToLower(rand.Text()[:8]),
	}
	if isTerminal(os.Stderr) {
		player.Progress = os.Stderr
	}
	return player.PlayAll(ctx, os.Stdout, conversations)
}

// isTerminal reports whether f is a terminal, or another character device, such as /dev/null.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
