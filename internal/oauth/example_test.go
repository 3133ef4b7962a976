package oauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"time"

	"serverless-scim/internal/oauth"
	"serverless-scim/internal/table/bolt"
	"serverless-scim/internal/token"
)

// A client of a tenant gets an access token for its secret.
func ExampleEndpoint_ServeToken() {
	t, err := bolt.Open(":memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Close()
	tokens := &token.Store{Table: t, Now: time.Now}
	limiter := &token.Limiter{Table: t, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	endpoint := oauth.New(tokens, limiter, oauth.NewClient(oauth.ClientOptions{}))

	id, secret, err := createClient(tokens)
	if err != nil {
		fmt.Println(err)
		return
	}
	const baseURL = "https://scim.example.com"
	request := func(secret string) oauth.Response {
		r := httptest.NewRequest("POST", baseURL+oauth.TokenPath, strings.NewReader("grant_type=client_credentials"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(id, secret)
		response, err := endpoint.ServeToken(r, baseURL)
		if err != nil {
			return oauth.ErrorResponse(err)
		}
		return response
	}

	response := request(secret)
	body, err := json.Marshal(response.Body)
	if err != nil {
		fmt.Println(err)
		return
	}
	var issued struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	fmt.Println(response.Status, json.Unmarshal(body, &issued), issued.ExpiresIn)
	identity, err := tokens.Authenticate(context.Background(), []string{"Bearer " + issued.AccessToken})
	fmt.Println(identity.Tenant.Name, identity.Scope, err)

	fmt.Println(request("wrong").Status)
	// Output:
	// 200 <nil> 3600
	// acme scim.read <nil>
	// 401
}

// createClient creates a tenant with a client that can only read, and returns the ID and the secret of the client.
func createClient(tokens *token.Store) (id, secret string, err error) {
	ctx := context.Background()
	if _, err := tokens.CreateTenant(ctx, "acme"); err != nil {
		return "", "", err
	}
	c, secret := token.Client{Tenant: "acme", Label: "app", Scope: token.ScopeRead, TokenLifetime: time.Hour}, token.NewClientSecret()
	if err := c.AddSecret(secret, time.Now(), token.DefaultSecretLifetime, 0); err != nil {
		return "", "", err
	}
	c, err = tokens.CreateClient(ctx, c)
	return c.ID, secret, err
}
