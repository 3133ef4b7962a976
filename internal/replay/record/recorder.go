// Package record collects the exchanges of a SCIM server and saves them as a conversation of package replay. The
// conversation can be played without editing, and given to others. The package does not play it: package replay does. Begin
// with [NewRecorder], [Recorder.Add], and [Recorder.Save].
//
// # What is saved
//
// Each exchange becomes a step, in the order of the responses. IDs, times, entity tags, cursors, and addresses remain those
// of the recorded server: package replay replaces or ignores them. The steps before the first exchange create the resources
// that existed before the recording. A response shows or refers to such a resource, or a request to its path finds it, or
// its name conflicts with a request. Each is created as the first response shows it. The conversation does not compare the
// responses to these steps.
//
// An exchange is left out if another server cannot answer it in the same way, and the Report says why. Examples are bulk
// requests, lists of changes, filters that compare times, responses that depend on the load, and single pages of filtered
// lists.
//
// # What is replaced
//
// Tokens and passwords are replaced in any case, and a body that is not JSON keeps only its punctuation. Unless
// Options.KeepPersonal is true, these values are replaced or removed too:
//
//   - Values of attributes that identify a person, a group, or a company.
//   - Everywhere else, words and numbers that occur in such values, e-mail addresses, GUIDs, IP addresses, hosts, phone
//     numbers, and long IDs, and all of a text of more than 16 characters.
//   - Headers and parameters that the player does not need.
//
// Words are replaced by names of a list, and the characters of numbers and IDs by others. Equal values remain equal, and
// parts of values remain parts, without regard to case. These texts stay:
//
//   - Names of attributes and schemas, and the responses of the discovery endpoints.
//   - Choices such as type, locale, country, and active, dates, and IDs of resources.
//   - Short texts of other attributes, and the header User-Agent.
//
// So read a recording with schemas of your own before you give it to others.
package record

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"serverless-scim/internal/replay"
)

// ErrEmpty is returned by Save if the recording has no exchange that can be played.
var ErrEmpty = errors.New("record: nothing to save: no exchange was recorded that can be played")

// maxRecordedBytes limits the size of all bodies of a recording.
const maxRecordedBytes = 64 << 20

// An Exchange is a request to a SCIM server and its response. The bodies have no content coding except gzip in the
// request.
type Exchange struct {
	Request     *http.Request // its Body is not read
	RequestBody []byte
	Response    replay.Response
	Time        time.Time     // when the request arrived
	Duration    time.Duration // until the response was sent
}

// A Recorder collects exchanges and saves them as a conversation. It is safe for concurrent use. It holds everything
// that clients send, also passwords, until it is no longer referenced. Only Save and Preview replace values.
type Recorder struct {
	basePath  string
	mu        sync.Mutex
	exchanges []*exchange
	size      int
	dropped   int
}

// Options say how a recording is saved.
type Options struct {
	KeepPersonal bool // keep personal data; tokens and passwords are replaced in any case
}

// A Report says what a saved recording contains. It has no recorded value, so it can be given to others.
type Report struct {
	Steps    int // requests, including those of Setup
	Setup    int // requests that create what existed before the recording
	Replaced []ReplacedKind
	LeftOut  []LeftOut
}

// A ReplacedKind counts the replacements of one kind of value.
type ReplacedKind struct {
	Kind    string
	Values  int    // how many different values
	Count   int    // how many places
	Example string // a made-up value
}

// A LeftOut is a number of exchanges that a conversation cannot contain.
type LeftOut struct {
	Reason string
	Count  int
}

// NewRecorder returns a Recorder of a server whose endpoints follow a base path, such as /scim/v2.
func NewRecorder(basePath string) *Recorder { return &Recorder{basePath: basePath} }

// exchange is an Exchange with the parts of its request.
type exchange struct {
	Exchange
	method       string
	endpoint, id string // the segments after the base path, as they were sent
	query        url.Values
	setup        bool   // the exchange was not recorded: it creates what existed before
	leftOut      string // why the exchange is left out, or ""
}

// Add adds an exchange. The order of calls does not matter. Add keeps the bodies and headers, which the caller must not
// change. After 64 MiB of bodies, it drops exchanges, and the report counts them.
func (r *Recorder) Add(e Exchange) {
	x := &exchange{Exchange: e, method: e.Request.Method}
	x.splitRequest(r.basePath)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size += len(x.RequestBody) + len(x.Response.Body); r.size > maxRecordedBytes {
		r.dropped++
		return
	}
	r.exchanges = append(r.exchanges, x)
}

// Len returns the number of recorded exchanges.
func (r *Recorder) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.exchanges)
}

// splitRequest sets the parts of a request.
func (x *exchange) splitRequest(basePath string) {
	var ok bool
	var err error
	if x.query, err = url.ParseQuery(x.Request.URL.RawQuery); err != nil {
		x.leftOut = "The query string is malformed."
	}
	if x.endpoint, x.id, ok = splitTarget(basePath, x.Request.URL.EscapedPath()); !ok {
		x.leftOut = "The path is not that of a SCIM endpoint."
	}
	if x.method == http.MethodHead || x.Response.Status == http.StatusNoContent || x.Response.Status == http.StatusNotModified {
		x.Response.Body = nil
	}
	switch coding := x.Request.Header.Get("Content-Encoding"); coding {
	case "", "identity":
	case "gzip":
		if x.RequestBody, err = gunzip(x.RequestBody); err == nil {
			return
		}
		fallthrough
	default:
		x.leftOut = "The request body has a content coding."
	}
}

func gunzip(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, maxRecordedBytes))
}

// Preview returns the report of a recording that is saved now, and each replacement with its original.
func (r *Recorder) Preview(o Options) (Report, []Replacement, error) {
	_, report, replaced, err := r.build(o)
	return report, replaced, err
}

// Save writes the recording to a folder, which must not exist, and returns the report. The folder also contains the
// report as README.md. Save can be called again, also while exchanges are added.
func (r *Recorder) Save(dir string, o Options) (Report, error) {
	files, report, _, err := r.build(o)
	if err != nil {
		return report, err
	}
	if _, err := os.Lstat(dir); err == nil {
		return report, fmt.Errorf("record: %s exists; choose another folder", dir)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return report, err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".recording-")
	if err != nil {
		return report, err
	}
	defer os.RemoveAll(temporary)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(temporary, name), text, 0o600); err != nil {
			return report, err
		}
	}
	return report, os.Rename(temporary, dir)
}

// build returns the files of the conversation by name.
func (r *Recorder) build(o Options) (map[string][]byte, Report, []Replacement, error) {
	r.mu.Lock()
	all, dropped := make([]*exchange, len(r.exchanges)), r.dropped
	for i, x := range r.exchanges {
		clone := *x
		all[i] = &clone
	}
	r.mu.Unlock()
	sortExchanges(all)
	b := &recordingBuilder{options: o}
	b.leaveOut("The recording is full.", dropped)
	all = b.addSetup(all)
	if len(all) > 0 {
		b.start = all[0].Time
	}
	s := newScrubber(!o.KeepPersonal, b.ids)
	b.learn(s, all)
	for _, x := range all {
		if x.leftOut == "" {
			b.scrub(s, x)
		}
		if x.leftOut != "" {
			b.leaveOut(x.leftOut, 1)
		}
	}
	if b.report.Steps == b.report.Setup {
		return nil, b.report, nil, ErrEmpty
	}
	replaced := s.replacements()
	b.report.Replaced = countKinds(replaced)
	files, err := b.encode()
	return files, b.report, replaced, err
}

// sortExchanges sorts exchanges by the end of their responses, because a client can only use the IDs of responses that it
// has received. Of creates with the same name at the same time, the one that succeeded comes first.
func sortExchanges(all []*exchange) {
	end := func(x *exchange) time.Time { return x.Time.Add(x.Duration) }
	slices.SortStableFunc(all, func(a, b *exchange) int { return end(a).Compare(end(b)) })
	for i, x := range slices.Backward(all) {
		if x.Response.Status != http.StatusConflict || x.method != http.MethodPost {
			continue
		}
		created := func(y *exchange) bool {
			return y.Response.Status == http.StatusCreated && !y.Time.After(end(x)) && y.postedName() == x.postedName()
		}
		if j := slices.IndexFunc(all[i:], created); j > 0 {
			copy(all[i:], all[i+1:i+j+1])
			all[i+j] = x
		}
	}
}

// postedName returns the unique name in the body of a request, with the endpoint.
func (x *exchange) postedName() string {
	var body map[string]any
	_ = json.Unmarshal(x.RequestBody, &body) // another body has no name
	return nameKey(x.endpoint, body)
}
