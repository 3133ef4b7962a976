package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"serverless-scim/internal/console/capture"
	"serverless-scim/internal/console/traffic"
)

// A repeatForm has the request of an exchange, which a user may change and send again.
type repeatForm struct {
	ID                                int // of the exchange
	Method, Target, ContentType, Body string
	Problem                           string // why the request cannot be sent again, or ""
}

// newRepeatForm returns the form of an exchange.
func newRepeatForm(e *traffic.Exchange) repeatForm {
	f := repeatForm{ID: e.ID, Method: e.Method, Target: (&url.URL{Path: e.Path, RawQuery: e.Query}).String(),
		ContentType: e.Header.Get("Content-Type"), Body: e.Body.Text}
	switch {
	case e.Path == traffic.TokenPath:
		f.Problem = "The console does not keep what authenticated the client."
	case e.Tenant == "":
		f.Problem = "The request had no valid token, so its tenant is not known."
	case e.Body.Size > capture.MaxBodyBytes:
		f.Problem = "The console has kept only the beginning of the body."
	}
	return f
}

// A repeatPage is the content of the page that compares an exchange with the one after its request was sent again.
type repeatPage struct {
	First, Again *traffic.Exchange
	Lines        []traffic.DiffLine // of the two response bodies
	Form         repeatForm
}

// repeat sends the request of a form with a token of the console to the tenant of an exchange, and compares the responses.
func (c *Console) repeat(r *http.Request) (page, error) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	first := c.Traffic.Find(id)
	if first == nil {
		return page{}, &problem{http.StatusNotFound, exchangeLost}
	}
	f := newRepeatForm(first)
	f.Method, f.Target, f.ContentType, f.Body = r.PostFormValue("method"), r.PostFormValue("target"), r.PostFormValue("type"), r.PostFormValue("body")
	if f.Problem != "" {
		return page{}, &problem{http.StatusBadRequest, f.Problem}
	}
	again, err := c.send(r.Context(), first.Tenant, f)
	if err != nil {
		return page{}, err
	}
	return page{Title: "Sent again", Content: repeatPage{first, again, traffic.Differences(first.Content.Text, again.Content.Text), f}}, nil
}

// send sends the request of a form to the SCIM server in this process, and returns the exchange.
func (c *Console) send(ctx context.Context, tenant string, f repeatForm) (*traffic.Exchange, error) {
	r, err := http.NewRequestWithContext(ctx, f.Method, "http://localhost"+c.BasePath+f.Target, strings.NewReader(f.Body))
	if err != nil || !strings.HasPrefix(f.Target, "/") {
		return nil, &problem{http.StatusBadRequest, "The method or the path is not valid. A path begins with /, as in /Users?count=1."}
	}
	r.Header.Set("Authorization", "Bearer "+c.Token(tenant))
	r.Header.Set("User-Agent", "SCIM console")
	if f.ContentType != "" {
		r.Header.Set("Content-Type", f.ContentType)
	}
	return c.Traffic.Send(c.SCIM, &memoryWriter{header: http.Header{}}, r), nil
}
