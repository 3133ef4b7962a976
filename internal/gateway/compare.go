package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// differences compares an answer with what is expected. Status, checked headers and body must be equal, but
//
//   - meta.created and meta.lastModified need only be times, meta.version and ETag be there, detail be a text;
//   - of meta.location, $ref and Location the last two segments count: the endpoint and the id;
//   - arrays have no order: RFC 7643 §2.4 gives the values of an attribute none;
//   - of a list without a filter, which shows what else the server holds, only the form counts: the paging numbers are
//     integers that fit each other and the page, and each resource has an id. Discovery lists must also have the ids
//     that were recorded.
func differences(step Step, got Answer) []string {
	var d diff
	if got.Status != step.Want.Status {
		d.add("status", "want %d, got %d: %s", step.Want.Status, got.Status, abridged(got.Body))
		return d.lines
	}
	for name, want := range step.Want.Headers {
		d.compare(name, strings.ToLower(name), any(want), any(got.Header.Get(name)))
	}
	slices.Sort(d.lines)
	switch want, err := decode(step.Want.Body); {
	case err != nil:
		d.add("body", "what is expected is not JSON: %v", err)
	case want == nil:
		if len(got.Body) > 0 {
			d.add("body", "want none, got %s", abridged(got.Body))
		}
	default:
		d.body(step, want, got.Body)
	}
	return d.lines
}

type diff struct{ lines []string }

func (d *diff) add(at, format string, args ...any) {
	d.lines = append(d.lines, at+": "+fmt.Sprintf(format, args...))
}

func (d *diff) body(step Step, want any, body []byte) {
	got, err := decode(body)
	if err != nil || got == nil {
		d.add("body", "want JSON, got %q", abridged(body))
		return
	}
	wantList, ok := want.(map[string]any)
	gotList, ok2 := got.(map[string]any)
	if ok && ok2 && unfiltered(step) && wantList["Resources"] != nil {
		d.list(step, wantList, gotList)
		for _, list := range []map[string]any{wantList, gotList} {
			for _, name := range []string{"Resources", "totalResults", "itemsPerPage"} {
				delete(list, name)
			}
		}
	}
	d.compare("body", "", want, got)
}

func unfiltered(step Step) bool {
	query := step.Event.MultiValueQueryStringParameters
	return step.Event.HTTPMethod == http.MethodGet && len(query["filter"]) == 0
}

// list checks the form of a list, and that a discovery list has what was recorded.
func (d *diff) list(step Step, want, got map[string]any) {
	resources, ok := got["Resources"].([]any)
	if !ok {
		d.add("body.Resources", "want an array, got %s", text(got["Resources"]))
	}
	total, ok1 := integer(got["totalResults"])
	page, ok2 := integer(got["itemsPerPage"])
	if !ok1 || !ok2 || page != len(resources) || total < page {
		d.add("body", "totalResults %s, itemsPerPage %s and %d resources do not fit",
			text(got["totalResults"]), text(got["itemsPerPage"]), len(resources))
	}
	ids := map[any]bool{}
	for i, r := range resources {
		o, _ := r.(map[string]any)
		if id, _ := o["id"].(string); id == "" {
			d.add(fmt.Sprintf("body.Resources[%d]", i), "has no id")
		} else {
			ids[id] = true
		}
	}
	if endpoint := path.Base(step.Event.Path); endpoint != "ResourceTypes" && endpoint != "Schemas" {
		return
	}
	recorded, _ := want["Resources"].([]any)
	for _, r := range recorded {
		if o, _ := r.(map[string]any); !ids[o["id"]] {
			d.add("body.Resources", "%s is missing", text(o["id"]))
		}
	}
}

func integer(v any) (int, bool) {
	n, _ := v.(json.Number)
	i, err := n.Int64()
	return int(i), err == nil && i >= 0
}

// compare adds the differences of two values that stand under a name.
func (d *diff) compare(at, name string, want, got any) {
	switch want := want.(type) {
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			d.objects(at, want, got)
			return
		}
	case []any:
		if got, ok := got.([]any); ok {
			d.arrays(at, want, got)
			return
		}
	case string:
		if got, ok := got.(string); ok && same(name, want, got) {
			return
		}
	default:
		if want == got {
			return
		}
	}
	d.add(at, "want %s, got %s", text(want), text(got))
}

// same compares texts, the volatile ones by their form.
func same(name, want, got string) bool {
	switch name {
	case "created", "lastModified":
		_, err := time.Parse(time.RFC3339, got)
		return err == nil
	case "version", "etag", "detail":
		return got != ""
	case "location", "$ref":
		return tail(want) == tail(got)
	}
	return want == got
}

func tail(address string) string { return path.Join(path.Base(path.Dir(address)), path.Base(address)) }

func (d *diff) objects(at string, want, got map[string]any) {
	for _, key := range keys(want, got) {
		w, wanted := want[key]
		g, there := got[key]
		switch {
		case !there:
			d.add(at+"."+key, "want %s, it is missing", text(w))
		case !wanted:
			d.add(at+"."+key, "not expected: %s", text(g))
		default:
			d.compare(at+"."+key, key, w, g)
		}
	}
}

// arrays pairs equal elements; what is left over is compared in order.
func (d *diff) arrays(at string, want, got []any) {
	left := slices.Clone(got)
	var missing []any
	for _, w := range want {
		i := slices.IndexFunc(left, func(g any) bool {
			var sub diff
			sub.compare("", "", w, g)
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
			d.add(at, "want %s, it is missing", text(missing[i]))
		case i >= len(missing):
			d.add(at, "not expected: %s", text(left[i]))
		default:
			d.compare(at, "", missing[i], left[i])
		}
	}
}

func keys(objects ...map[string]any) []string {
	var all []string
	for _, o := range objects {
		for key := range o {
			all = append(all, key)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func decode(body []byte) (any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

func text(v any) string {
	b, _ := json.Marshal(v)
	return abridged(b)
}

func abridged(b []byte) string {
	b = bytes.TrimSpace(b)
	if len(b) > 600 {
		return string(b[:600]) + " …"
	}
	return string(b)
}
