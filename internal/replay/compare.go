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
)

// compareResponse returns the differences between a response and the expected one, a line each. It returns nil if there
// are none. Status, checked headers, and body must be equal, with these exceptions:
//
//   - The values of meta.created, meta.lastModified, meta.version, ETag, detail, nextCursor, and previousCursor do not
//     matter. But the first two must be times, the next two entity tags, and the last three nonempty strings.
//   - Of meta.location, $ref, and Location, only the last two segments are compared: the endpoint and the ID. The value
//     must be an absolute URL if the expected one is.
//   - The order of arrays does not matter, because by RFC 7643 §2.4 the values of an attribute have none.
//   - Of a setup step, only the status is compared.
//   - A list without a filter may contain resources that the conversation did not create: see compareList.
//
// ownIDs holds the IDs that the server assigned in this conversation. listedIDs holds the IDs on the earlier pages of
// the list; compareResponse adds those on this page.
func compareResponse(step Step, got Response, ownIDs, listedIDs map[string]bool) []string {
	var d diff
	if got.Status != step.Want.Status {
		d.add("status", "want %d, got %d: %s", step.Want.Status, got.Status, truncate(got.Body))
		return d.lines
	}
	if step.Want.Setup {
		return nil
	}
	for name, want := range step.Want.Headers {
		d.compareValues(name, strings.ToLower(name), any(want), any(got.Header.Get(name)))
	}
	slices.Sort(d.lines)
	switch want, err := decodeJSON(step.Want.Body); {
	case err != nil:
		d.add("body", "the expected body is not JSON: %v", err)
	case want == nil:
		if len(got.Body) > 0 {
			d.add("body", "want none, got %s", truncate(got.Body))
		}
	default:
		d.compareBody(step, want, got.Body, ownIDs, listedIDs)
	}
	return d.lines
}

// A diff collects differences.
type diff struct{ lines []string }

// add records a difference at a path such as body.name.familyName.
func (d *diff) add(path, format string, args ...any) {
	d.lines = append(d.lines, path+": "+fmt.Sprintf(format, args...))
}

func (d *diff) compareBody(step Step, want any, body []byte, ownIDs, listedIDs map[string]bool) {
	got, err := decodeJSON(body)
	if err != nil || got == nil {
		d.add("body", "want JSON, got %q (%v)", truncate(body), err)
		return
	}
	wantList, ok := want.(map[string]any)
	gotList, ok2 := got.(map[string]any)
	if ok && ok2 && isUnfiltered(step) && wantList["Resources"] != nil {
		d.checkPaging(step, gotList)
		d.compareList(step, wantList, gotList, ownIDs, listedIDs)
		for _, list := range []map[string]any{wantList, gotList} {
			for _, name := range []string{"Resources", "totalResults", "itemsPerPage", "nextCursor", "previousCursor"} {
				delete(list, name)
			}
		}
	}
	d.compareValues("body", "", want, got)
}

func isUnfiltered(step Step) bool {
	query := step.Event.MultiValueQueryStringParameters
	return step.Event.HTTPMethod == http.MethodGet && len(query["filter"]) == 0
}

// checkPaging checks that the paging numbers of a list are integers and consistent with each other, with the number of
// resources, and with the request.
func (d *diff) checkPaging(step Step, got map[string]any) {
	resources, ok := got["Resources"].([]any)
	if !ok {
		d.add("body.Resources", "want an array, got %s", jsonText(got["Resources"]))
	}
	n := len(resources)
	total, ok1 := nonNegativeInt(got["totalResults"])
	itemsPerPage, ok2 := nonNegativeInt(got["itemsPerPage"])
	if !ok1 || !ok2 || itemsPerPage != n || total < itemsPerPage {
		d.add("body", "totalResults %s, itemsPerPage %s, and %d resources are inconsistent",
			jsonText(got["totalResults"]), jsonText(got["itemsPerPage"]), n)
	}
	startIndex, count := intParameter(step, "startIndex", 1), intParameter(step, "count", math.MaxInt)
	if n > max(count, 0) {
		d.add("body.Resources", "%d resources, but count is %d", n, count)
	}
	if n == 0 && count > 0 && total >= max(startIndex, 1) {
		d.add("body.Resources", "empty at startIndex %d, but totalResults is %d", startIndex, total)
	}
}

// intParameter returns an integer of the query of a step, or defaultValue if the query does not have it.
func intParameter(step Step, name string, defaultValue int) int {
	i, err := strconv.Atoi(url.Values(step.Event.MultiValueQueryStringParameters).Get(name))
	if err != nil {
		return defaultValue
	}
	return i
}

// compareList compares the resources of a list without a filter. Every resource must have an ID that no earlier
// resource of the list has, and no password. A resource that this conversation created must be equal to the expected
// one with its ID, if there is one. A discovery list must contain every expected resource.
func (d *diff) compareList(step Step, want, got map[string]any, ownIDs, listedIDs map[string]bool) {
	wantByID := map[string]any{}
	wantResources, _ := want["Resources"].([]any)
	for _, r := range wantResources {
		o, _ := r.(map[string]any)
		id, _ := o["id"].(string)
		wantByID[id] = o
	}
	resources, _ := got["Resources"].([]any)
	for i, r := range resources {
		at := fmt.Sprintf("body.Resources[%d]", i)
		o, _ := r.(map[string]any)
		id, _ := o["id"].(string)
		switch {
		case id == "":
			d.add(at, "has no id")
		case listedIDs[id]:
			d.add(at, "%s is in the list a second time", id)
		case ownIDs[id] && wantByID[id] != nil:
			d.compareValues(at, "", wantByID[id], o)
		}
		if o["password"] != nil {
			d.add(at, "has a password")
		}
		listedIDs[id] = true
	}
	if endpoint := path.Base(step.Event.Path); endpoint == "ResourceTypes" || endpoint == "Schemas" {
		for _, id := range slices.Sorted(maps.Keys(wantByID)) {
			if !listedIDs[id] {
				d.add("body.Resources", "%q is missing", id)
			}
		}
	}
}

func nonNegativeInt(v any) (int, bool) {
	n, _ := v.(json.Number)
	i, err := n.Int64()
	return int(i), err == nil && i >= 0
}

// compareValues compares two JSON values. name is the member or header that holds them, or "" for an array element and
// the body itself. A header's name is in lower case.
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

// equalText reports whether two strings are equal. Strings that vary from run to run are compared by their form.
func equalText(name, want, got string) bool {
	switch name {
	case "created", "lastModified":
		_, err := time.Parse(time.RFC3339, got)
		return err == nil
	case "version", "etag":
		return entityTagPattern().MatchString(got)
	case "detail", "nextCursor", "previousCursor":
		return got != ""
	case "location", "$ref":
		return lastTwoSegments(want) == lastTwoSegments(got) && (isAbsoluteURL(got) || !isAbsoluteURL(want))
	}
	return want == got
}

// entityTagPattern matches an entity tag (RFC 9110 §8.8.3).
var entityTagPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(W/)?"[!#-~\x{80}-\x{10ffff}]*"$`)
})

func isAbsoluteURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.IsAbs() && u.Host != ""
}

// lastTwoSegments returns the endpoint and the ID at the end of an address. The resource at /ServiceProviderConfig has
// no ID, so the segment before it belongs to the server.
func lastTwoSegments(address string) string {
	if last := path.Base(address); last == "ServiceProviderConfig" {
		return last
	}
	return path.Join(path.Base(path.Dir(address)), path.Base(address))
}

func (d *diff) compareObjects(at string, want, got map[string]any) {
	for _, key := range unionKeys(want, got) {
		w, wanted := want[key]
		g, found := got[key]
		switch {
		case !found:
			d.add(at+"."+key, "want %s, it is missing", jsonText(w))
		case !wanted:
			d.add(at+"."+key, "not expected: %s", jsonText(g))
		default:
			d.compareValues(at+"."+key, key, w, g)
		}
	}
}

// compareArrays removes pairs of equal elements, and then compares the remaining elements by position.
func (d *diff) compareArrays(at string, want, got []any) {
	extra := slices.Clone(got)
	var missing []any
	for _, w := range want {
		i := slices.IndexFunc(extra, func(g any) bool {
			var sub diff
			sub.compareValues("", "", w, g)
			return sub.lines == nil
		})
		if i < 0 {
			missing = append(missing, w)
			continue
		}
		extra = slices.Delete(extra, i, i+1)
	}
	for i := range max(len(missing), len(extra)) {
		at := fmt.Sprintf("%s[%d]", at, i)
		switch {
		case i >= len(extra):
			d.add(at, "want %s, it is missing", jsonText(missing[i]))
		case i >= len(missing):
			d.add(at, "not expected: %s", jsonText(extra[i]))
		default:
			d.compareValues(at, "", missing[i], extra[i])
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
