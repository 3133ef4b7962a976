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

// A server whose file is cut off under load fails by itself: what hangs in the file would hang until somebody looked.
func TestItEndsWithADamagedFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "scim.db")
	p := start(t, build(t), options{db: file})
	send := func(method, path, body string) error {
		r, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer killed")
		answer, err := p.client.Do(r)
		if err != nil {
			return err
		}
		return answer.Body.Close()
	}
	for i := range 16 {
		go func() {
			for n, err := 0, error(nil); err == nil; n++ { // a server that has ended does not answer
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
		t.Fatal("it goes on")
	}
	told := "local: " + file + " is damaged: "
	if status := p.cmd.ProcessState.ExitCode(); status != 1 || !strings.Contains(p.log.String(), told) {
		t.Errorf("status %d, without %q in %s", status, told, &p.log)
	}
}

// Once a file is damaged, nobody waits for what was begun on it.
func TestWhatHangsInADamagedFileIsLeft(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "scim.db")
	tab, err := bolt.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	left := make(chan error, 1)
	go func() {
		left <- runUntilCorrupt(t.Context(), tab, func(ctx context.Context) error {
			if err := os.Truncate(file, 0); err != nil {
				return err
			}
			_, _ = tab.Scan(ctx, table.Key{})
			select {}
		})
	}()
	select {
	case err := <-left:
		if err == nil || !strings.Contains(err.Error(), file+" is damaged: ") {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it is waited for")
	}
}
