package server_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/server"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/token"
)

// The server is an http.Handler. The token of a request selects the tenant.
func ExampleNew() {
	t, err := bolt.Open(":memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Close()
	log := slog.New(slog.DiscardHandler)
	tokens := &token.Store{Table: t, Now: time.Now}
	if _, err := tokens.CreateTenant(context.Background(), "acme"); err != nil {
		fmt.Println(err)
		return
	}
	handler := server.New(server.Config{
		Directory: directory.Config{Store: store.Config{Table: t, Types: scim.StandardTypes(), Now: time.Now, Random: rand.Reader, Log: log}},
		Tokens:    tokens,
		Limiter:   &token.Limiter{Table: t, Now: time.Now, Log: log},
		RequestID: func(*http.Request) string { return "1" },
		BaseURL:   "https://scim.example.com/scim/v2",
		Timeout:   25 * time.Second,
		Log:       log,
	})

	secret := tokens.IssueInMemory("acme", "example", token.ScopeAll)
	for _, authorization := range []string{"Bearer " + secret, "Bearer wrong"} {
		r := httptest.NewRequest("POST", "/scim/v2/Users", strings.NewReader(`{"userName": "ada"}`))
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(w.Code, strings.Contains(w.Body.String(), `"userName":"ada"`))
	}
	// Output:
	// 201 true
	// 401 false
}
