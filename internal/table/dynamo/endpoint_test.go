package dynamo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// A response handles one request to an endpoint.
type response func(w http.ResponseWriter, r *http.Request)

func ok(body string) response {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
}

// fail returns an error response of DynamoDB; members are additional members of its body, each after a comma.
func fail(status int, code, members string) response {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"as scripted"%s}`, code, members)
	}
}

// cancel returns the response for a canceled transaction, with the code of each action.
func cancel(codes ...string) response {
	var list []string
	for _, c := range codes {
		list = append(list, fmt.Sprintf(`{"Code":%q}`, c))
	}
	members := `,"CancellationReasons":[` + strings.Join(list, ",") + `]`
	return fail(http.StatusBadRequest, "TransactionCanceledException", members)
}

// closeConnection sends nothing and closes the connection.
func closeConnection(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// sendPart sends the beginning of a response.
func sendPart(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	io.WriteString(w, `{"Resp`)
}

// neverRespond waits until the client ends the request.
func neverRespond(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// An endpoint is a server that plays a script of responses and repeats the last one. It records the requests and checks
// their signatures.
type endpoint struct {
	*httptest.Server
	t          *testing.T
	mu         sync.Mutex
	script     []response
	bodies     []string // of the requests
	operations []string // of the requests
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, readErr := io.ReadAll(r.Body) // fails if the deadline of the client ends the request
	if want := signature(r, body); readErr == nil && r.Header.Get("Authorization") != want {
		e.t.Errorf("the signature is %s, want %s", r.Header.Get("Authorization"), want)
	}
	e.mu.Lock()
	e.bodies = append(e.bodies, string(body))
	e.operations = append(e.operations, strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810."))
	respond := e.script[min(len(e.bodies), len(e.script))-1]
	e.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	respond(w, r)
}

// sent returns the bodies of the requests so far.
func (e *endpoint) sent() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.bodies)
}

// signature returns the value of the Authorization header that AWS computes to verify a request. Emulators do not.
func signature(r *http.Request, body []byte) string {
	copied, _ := http.NewRequest(r.Method, "http://"+r.Host+r.URL.Path, strings.NewReader(string(body)))
	_, list, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	for name := range strings.SplitSeq(list, ";") {
		if v := r.Header.Get(name); v != "" {
			copied.Header.Set(name, v)
		}
	}
	at, _ := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	keys, hash := aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, sha256.Sum256(body)
	_ = v4.NewSigner().SignHTTP(r.Context(), keys, copied, hex.EncodeToString(hash[:]), "dynamodb", "us-east-1", at)
	return copied.Header.Get("Authorization")
}

// scripted returns a table on a new endpoint. It makes at most 4 attempts and does not wait between them.
func scripted(t *testing.T, script ...response) (*Table, *endpoint) {
	e := &endpoint{t: t, script: script}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	client := dynamodb.New(NewClient(ClientConfig{Endpoint: e.URL}).Options(), func(o *dynamodb.Options) {
		o.RetryMaxAttempts = 7 // must be ignored
	})
	return New(client, "t", func(o *Options) {
		o.Attempts, o.Backoff.Rand = 4, func(int64) int64 { return 0 }
	}), e
}
