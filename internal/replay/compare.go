package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// compareResponse compares an answer with what is expected. Status, checked headers and body must be equal, but
//
//   - meta.created and meta.lastModified need only be times, meta.version and ETag entity-tags, detail a text;
//   - of meta.location, $ref and Location the last two segments count, the endpoint and the id, and that what is
//     expected to be absolute is;
//   - arrays have no order: RFC 7643 §2.4 gives the values of an attribute none;
//   - a list without a filter shows what else the server holds: see list.
//
// The ids in mine are those of this conversation; seen are those of the list's pages before, to which this one's are
// added.
func compareResponse(step Step, got Response, mine, seen map[string]bool) []string {
	var d diff
	if got.Status != step.Want.Status {
		d.add("status", "want %d, got %d: %s", step.Want.Status, got.Status, truncate(got.Body))
		return d.lines
	}
	for name, want := range step.Want.Headers {
		d.compareValues(name, strings.ToLower(name), any(want), any(got.Header.Get(name)))
	}
	slices.Sort(d.lines)
	switch want, err := decodeJSON(step.Want.Body); {
	case err != nil:
		d.add("body", "what is expected is not JSON: %v", err)
	case want == nil:
		if len(got.Body) > 0 {
			d.add("body", "want none, got %s", truncate(got.Body))
		}
	default:
		d.body(step, want, got.Body, mine, seen)
	}
	return d.lines
}

type diff struct{ lines []string }

func (d *diff) add(at, format string, args ...any) {
	d.lines = append(d.lines, at+": "+fmt.Sprintf(format, args...))
}

func (d *diff) body(step Step, want any, body []byte, mine, seen map[string]bool) {
	got, err := decodeJSON(body)
	if err != nil || got == nil {
		d.add("body", "want JSON, got %q (%v)", truncate(body), err)
		return
	}
	wantList, ok := want.(map[string]any)
	gotList, ok2 := got.(map[string]any)
	if ok && ok2 && unfiltered(step) && wantList["Resources"] != nil {
		d.checkPaging(step, gotList)
		d.compareList(step, wantList, gotList, mine, seen)
		for _, list := range []map[string]any{wantList, gotList} {
			for _, name := range []string{"Resources", "totalResults", "itemsPerPage"} {
				delete(list, name)
			}
		}
	}
	d.compareValues("body", "", want, got)
}

func unfiltered(step Step) bool {
	query := step.Event.MultiValueQueryStringParameters
	return step.Event.HTTPMethod == http.MethodGet && len(query["filter"]) == 0
}

// checkPaging checks that the paging numbers of a list are integers that fit each other, the page and the request.
func (d *diff) checkPaging(step Step, got map[string]any) {
	resources, ok := got["Resources"].([]any)
	if !ok {
		d.add("body.Resources", "want an array, got %s", jsonText(got["Resources"]))
	}
	n := len(resources)
	total, ok1 := integer(got["totalResults"])
	page, ok2 := integer(got["itemsPerPage"])
	if !ok1 || !ok2 || page != n || total < page {
		d.add("body", "totalResults %s, itemsPerPage %s and %d resources do not fit",
			jsonText(got["totalResults"]), jsonText(got["itemsPerPage"]), n)
	}
	start, count := parameter(step, "startIndex", 1), parameter(step, "count", math.MaxInt)
	if n > max(count, 0) {
		d.add("body.Resources", "%d resources, but count is %d", n, count)
	}
	if n == 0 && count > 0 && total >= max(start, 1) {
		d.add("body.Resources", "want more at startIndex %d, totalResults is %d", start, total)
	}
}

// parameter is an integer in the query of a step.
func parameter(step Step, name string, otherwise int) int {
	i, err := strconv.Atoi(url.Values(step.Event.MultiValueQueryStringParameters).Get(name))
	if err != nil {
		return otherwise
	}
	return i
}

// compareList checks that each resource of a list has an id that was not seen before, and no password; that those of this
// conversation are as expected, if they are expected here; and that a discovery list has what was recorded.
func (d *diff) compareList(step Step, want, got map[string]any, mine, seen map[string]bool) {
	wanted := map[string]any{}
	recorded, _ := want["Resources"].([]any)
	for _, r := range recorded {
		o, _ := r.(map[string]any)
		id, _ := o["id"].(string)
		wanted[id] = o
	}
	resources, _ := got["Resources"].([]any)
	for i, r := range resources {
		at := fmt.Sprintf("body.Resources[%d]", i)
		o, _ := r.(map[string]any)
		id, _ := o["id"].(string)
		switch {
		case id == "":
			d.add(at, "has no id")
		case seen[id]:
			d.add(at, "%s is in the list a second time", id)
		case mine[id] && wanted[id] != nil:
			d.compareValues(at, "", wanted[id], o)
		}
		if o["password"] != nil {
			d.add(at, "has a password")
		}
		seen[id] = true
	}
	if endpoint := path.Base(step.Event.Path); endpoint == "ResourceTypes" || endpoint == "Schemas" {
		for _, id := range slices.Sorted(maps.Keys(wanted)) {
			if !seen[id] {
				d.add("body.Resources", "%q is missing", id)
			}
		}
	}
}

func integer(v any) (int, bool) {
	n, _ := v.(json.Number)
	i, err := n.Int64()
	return int(i), err == nil && i >= 0
}

// compareValues adds the differences of two values that stand under a name.
func (d *diff) compareValues(at, name string, want, got any) {
	switch want := want.(type) {
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			d.compareObjects(at, want, got)
			return
		}
	case []any:
		if got, ok := got.([]any); ok {
			d.compareArrays(at, want, got)
			return
		}
	case string:
		if got, ok := got.(string); ok && equalText(name, want, got) {
			return
		}
	default:
		if want == got {
			return
		}
	}
	d.add(at, "want %s, got %s", jsonText(want), jsonText(got))
}

// equalText compares texts, the volatile ones by their form.
func equalText(name, want, got string) bool {
	switch name {
	case "created", "lastModified":
		_, err := time.Parse(time.RFC3339, got)
		return err == nil
	case "version", "etag":
		return entityTag().MatchString(got)
	case "detail":
		return got != ""
	case "location", "$ref":
		return lastTwoSegments(want) == lastTwoSegments(got) && (isAbsoluteURL(got) || !isAbsoluteURL(want))
	}
	return want == got
}

// entityTag is RFC 9110 §8.8.3.
var entityTag = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(W/)?"[!#-~\x{80}-\x{10ffff}]*"$`) })

func isAbsoluteURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.IsAbs() && u.Host != ""
}

func lastTwoSegments(address string) string {
	return path.Join(path.Base(path.Dir(address)), path.Base(address))
}

func (d *diff) compareObjects(at string, want, got map[string]any) {
	for _, key := range unionKeys(want, got) {
		w, wanted := want[key]
		g, there := got[key]
		switch {
		case !there:
			d.add(at+"."+key, "want %s, it is missing", jsonText(w))
		case !wanted:
			d.add(at+"."+key, "not expected: %s", jsonText(g))
		default:
			d.compareValues(at+"."+key, key, w, g)
		}
	}
}

// compareArrays pairs equal elements; what is left over is compared in order.
func (d *diff) compareArrays(at string, want, got []any) {
	left := slices.Clone(got)
	var missing []any
	for _, w := range want {
		i := slices.IndexFunc(left, func(g any) bool {
			var sub diff
			sub.compareValues("", "", w, g)
			return sub.lines == nil
		})
		if i < 0 {
			missing = append(missing, w)
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	for i := range max(len(missing), len(left)) {
		at := fmt.Sprintf("%s[%d]", at, i)
		switch {
		case i >= len(left):
			d.add(at, "want %s, it is missing", jsonText(missing[i]))
		case i >= len(missing):
			d.add(at, "not expected: %s", jsonText(left[i]))
		default:
			d.compareValues(at, "", missing[i], left[i])
		}
	}
}

func unionKeys(objects ...map[string]any) []string {
	var all []string
	for _, o := range objects {
		for key := range o {
			all = append(all, key)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// decodeJSON reads one JSON text, in which no member may stand twice and behind which nothing may stand.
func decodeJSON(body []byte) (any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	strict := jsontext.Value(bytes.Clone(body))
	if err := strict.Format(); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

func jsonText(v any) string {
	b, _ := json.Marshal(v)
	return truncate(b)
}

func truncate(b []byte) string {
	b = bytes.TrimSpace(b)
	if len(b) > 600 {
		return string(b[:600]) + " …"
	}
	return string(b)
}
