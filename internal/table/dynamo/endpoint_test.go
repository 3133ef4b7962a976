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

// answer is what the server does with a request; the last of a script is repeated.
type answer func(w http.ResponseWriter, r *http.Request)

func ok(body string) answer {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
}

func fail(status int, code, more string) answer {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"as scripted"%s}`, code, more)
	}
}

// reasons is a cancellation with these codes, by action.
func reasons(codes ...string) answer {
	var list []string
	for _, c := range codes {
		list = append(list, fmt.Sprintf(`{"Code":%q}`, c))
	}
	return fail(http.StatusBadRequest, "TransactionCanceledException", `,"CancellationReasons":[`+strings.Join(list, ",")+`]`)
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func breakOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	io.WriteString(w, `{"Resp`)
}

func silence(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// endpoint is a server with a script, and what it was sent.
type endpoint struct {
	*httptest.Server
	t      *testing.T
	mu     sync.Mutex
	script []answer
	got    []string
	asked  []string // for which operations
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, gone := io.ReadAll(r.Body) // its sender may be, at a deadline
	if want := signature(r, body); gone == nil && r.Header.Get("Authorization") != want {
		e.t.Errorf("the attempt is signed %s, want %s", r.Header.Get("Authorization"), want)
	}
	e.mu.Lock()
	e.got = append(e.got, string(body))
	e.asked = append(e.asked, strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810."))
	a := e.script[min(len(e.got), len(e.script))-1]
	e.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	a(w, r)
}

func (e *endpoint) sent() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.got)
}

// signature is what AWS, unlike any emulator, makes of a request to see whether it is as its sender signed it.
func signature(r *http.Request, body []byte) string {
	again, _ := http.NewRequest(r.Method, "http://"+r.Host+r.URL.Path, strings.NewReader(string(body)))
	_, list, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	for name := range strings.SplitSeq(list, ";") {
		if v := r.Header.Get(name); v != "" {
			again.Header.Set(name, v)
		}
	}
	at, _ := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	keys, hash := aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, sha256.Sum256(body)
	_ = v4.NewSigner().SignHTTP(r.Context(), keys, again, hex.EncodeToString(hash[:]), "dynamodb", "us-east-1", at)
	return again.Header.Get("Authorization")
}

// scripted is a table on such a server that does not wait between attempts, of which there are 4 at most.
func scripted(t *testing.T, script ...answer) (*Table, *endpoint) {
	e := &endpoint{t: t, script: script}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	client := dynamodb.New(NewClient(ClientConfig{Endpoint: e.URL}).Options(), func(o *dynamodb.Options) {
		o.RetryMaxAttempts = 7 // as somebody's configuration may have it
	})
	return New(client, "t", func(o *Options) {
		o.Attempts, o.Backoff.Rand = 4, func(int64) int64 { return 0 }
	}), e
}
