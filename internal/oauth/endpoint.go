package oauth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"serverless-scim/internal/token"
)

// tokensPerSecond is the number of access tokens that a client may request per second, counted in windows of ten seconds.
// A client needs one token an hour. Many processes of an application can start at once.
const tokensPerSecond = 5

// An Endpoint issues access tokens. It is safe for concurrent use.
type Endpoint struct {
	Tokens   *token.Store
	Limiter  *token.Limiter // of each client
	Verifier *Verifier      // of assertions
	Now      func() time.Time

	sources failureLimiter
}

// New returns an Endpoint on the table of tokens. client fetches key sets; it is the result of NewClient.
func New(tokens *token.Store, limiter *token.Limiter, client *http.Client) *Endpoint {
	return &Endpoint{Tokens: tokens, Limiter: limiter, Now: tokens.Now,
		Verifier: &Verifier{Keys: &KeySets{Client: client, Now: tokens.Now}, Now: tokens.Now}}
}

// A tokenBody is the body of a response with an access token (RFC 6749 §5.1).
type tokenBody struct {
	AccessToken string      `json:"access_token"`
	TokenType   string      `json:"token_type"`
	ExpiresIn   int64       `json:"expires_in"` // seconds
	Scope       token.Scope `json:"scope"`
}

// ServeToken serves POST on TokenPath. baseURL is the URL of the service. With an error, only the Tenant and the Client of
// the response are set, and ErrorResponse returns the rest.
func (e *Endpoint) ServeToken(r *http.Request, baseURL string) (resp Response, err error) {
	if r.Method != http.MethodPost {
		return resp, &methodError{http.MethodPost}
	}
	source := sourceOf(r)
	if seconds := e.sources.begin(source, e.Now()); seconds > 0 {
		return resp, &limitError{seconds, "Too many requests from this address have failed. Correct the request, and wait."}
	}
	c, body, err := e.serve(r, baseURL)
	if !isClientsFault(err) {
		e.sources.succeed(source)
	}
	resp.Tenant, resp.Client = c.Tenant, c.ID
	if err == nil {
		resp.Status, resp.Header, resp.Body = http.StatusOK, uncachedHeader(), body
	}
	return resp, err
}

// isClientsFault reports whether a request failed because it is not valid or did not authenticate a client.
func isClientsFault(err error) bool {
	var request *requestError
	var client *clientError
	return errors.As(err, &request) || errors.As(err, &client)
}

// serve authenticates the client of a request and issues an access token. The client is zero unless it exists.
func (e *Endpoint) serve(r *http.Request, baseURL string) (c token.Client, body tokenBody, err error) {
	f, err := parseForm(r)
	if err == nil {
		err = f.checkGrantType()
	}
	if err != nil {
		return c, body, err
	}
	sent, err := f.credentials(r.Header.Values("Authorization"))
	if err != nil {
		return c, body, err
	}
	c, used, err := e.authenticate(r.Context(), sent, baseURL)
	if err != nil {
		return c, body, err
	}
	if seconds := e.Limiter.Allow(r.Context(), c.Tenant, c.ID+"#tokens", tokensPerSecond); seconds > 0 {
		return c, body, &limitError{seconds, "The client has requested too many tokens. Use a token until it expires."}
	}
	scope, err := f.scope(c.Scope)
	if err == nil {
		body, err = e.issue(r.Context(), c, scope, used)
	}
	return c, body, err
}

// authenticate returns the client with an ID, if the credentials are valid. used is its assertion, or nil. The client is zero
// if it does not exist, and is then checked like any other.
func (e *Endpoint) authenticate(ctx context.Context, sent credentials, baseURL string) (c token.Client, used *token.UsedAssertion, err error) {
	c, _, err = e.Tokens.Client(ctx, sent.clientID)
	if errors.Is(err, token.ErrNoClient) {
		c = token.Client{}
	} else if err != nil {
		return token.Client{}, nil, err
	}
	if sent.assertion == "" {
		if !c.HasSecret(sent.secret, e.Now()) {
			return c, nil, &clientError{"the client does not exist, or the secret is not valid"}
		}
		return c, nil, nil
	}
	used, err = e.Verifier.Verify(ctx, c, []string{baseURL + TokenPath, baseURL}, sent.assertion)
	if errors.Is(err, ErrAssertion) && !errors.Is(err, errFetch) {
		err = &clientError{strings.TrimPrefix(err.Error(), "oauth: ")}
	}
	return c, used, err
}

// issue issues an access token. The client may have been revoked, and the assertion used, since they were read.
func (e *Endpoint) issue(ctx context.Context, c token.Client, scope token.Scope, used *token.UsedAssertion) (body tokenBody, err error) {
	secret := token.New(c.Tenant)
	_, err = e.Tokens.IssueAccessToken(ctx, c, secret, scope, used)
	switch {
	case errors.Is(err, token.ErrNoClient):
		err = &clientError{"the client has been revoked"}
	case errors.Is(err, token.ErrAssertionUsed):
		err = &clientError{"the assertion was used before"}
	}
	return tokenBody{secret, "Bearer", int64(c.TokenLifetime / time.Second), scope}, err
}
