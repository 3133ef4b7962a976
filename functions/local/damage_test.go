package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/bolt"
)

// The server ends with an error if its file is truncated under load, although calls on the file may never return.
func TestServerEndsIfItsFileIsCorrupt(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "scim.db")
	p := start(t, build(t), options{db: file})
	send := func(method, path, body string) error {
		r, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer killed")
		response, err := p.client.Do(r)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	for i := range 16 {
		go func() {
			for n, err := 0, error(nil); err == nil; n++ { // until the server ends
				if err = send("POST", "/Users", fmt.Sprintf(`{"userName":"%d %d"}`, i, n)); err == nil {
					err = send("GET", "/Users?count=10", "")
				}
			}
		}()
	}
	time.Sleep(100 * time.Millisecond)
	if err := os.Truncate(file, 0); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		p.kill(t)
		t.Fatal("the server does not end")
	}
	want := "local: " + file + " is damaged: "
	if status := p.cmd.ProcessState.ExitCode(); status != 1 || !strings.Contains(p.log.String(), want) {
		t.Errorf("status %d, without %q in %s", status, want, &p.log)
	}
}

// runUntilCorrupt does not wait for a call on a corrupt file.
func TestRunUntilCorruptDoesNotWait(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "scim.db")
	tab, err := bolt.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	result := make(chan error, 1)
	go func() {
		result <- runUntilCorrupt(t.Context(), tab, func(ctx context.Context) error {
			if err := os.Truncate(file, 0); err != nil {
				return err
			}
			_, _ = tab.Scan(ctx, table.Key{})
			select {}
		})
	}()
	select {
	case err := <-result:
		if err == nil || !strings.Contains(err.Error(), file+" is damaged: ") {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("runUntilCorrupt does not return")
	}
}
