package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/console/capture"
	"serverless-scim/internal/console/traffic"
	"serverless-scim/internal/table"
)

// functions returns the functions of the templates. Times are in the zone of now.
func functions(now func() time.Time) template.FuncMap {
	return template.FuncMap{
		"moment":    func(t time.Time) moment { return newMoment(t, now()) },
		"zone":      func() string { return now().Format("UTC-07:00") },
		"day":       dayOf,
		"ms":        func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) },
		"class":     func(status int) string { return fmt.Sprintf("s%d", status/100) },
		"decoded":   decodeQuery,
		"pretty":    prettyJSON,
		"lines":     headerLines,
		"item":      itemText,
		"diffs":     resourceDifferences,
		"key":       maskedKey,
		"curl":      curlCommand,
		"statusOf":  http.StatusText,
		"isChanged": changeKind,
	}
}

// A moment is a point in time as pages show it. The clock alone is enough today.
type moment struct {
	Stamp, Full, Day, Clock string
	IsToday                 bool
}

func newMoment(t, now time.Time) moment {
	t = t.In(now.Location())
	return moment{t.Format("2006-01-02T15:04:05.000Z07:00"), t.Format("2006-01-02 15:04:05.000 UTC-07:00"),
		t.Format(time.DateOnly), t.Format("15:04:05.000"), t.Format(time.DateOnly) == now.Format(time.DateOnly)}
}

// dayOf returns the day of a time.Time or *time.Time.
func dayOf(t any) string {
	switch t := t.(type) {
	case time.Time:
		return t.Format(time.DateOnly)
	case *time.Time:
		return t.Format(time.DateOnly)
	}
	return ""
}

// decodeQuery returns a query string as people read it.
func decodeQuery(raw string) string {
	if raw == "" {
		return ""
	}
	s, err := url.QueryUnescape(raw)
	if err != nil {
		s = raw
	}
	return "?" + s
}

// prettyJSON returns JSON with indentation, or the text itself if it is not JSON.
func prettyJSON(text string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") != nil {
		return text
	}
	return b.String()
}

// headerLines returns a header as lines, sorted by name.
func headerLines(h http.Header) (lines []traffic.Attribute) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, v := range h[name] {
			lines = append(lines, traffic.Attribute{Name: name, Value: v})
		}
	}
	return lines
}

// itemText returns the attributes of an item, a line each, and the documents in it with indentation.
func itemText(it table.Item) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(it)) {
		if name == "PK" || name == "SK" {
			continue
		}
		text := valueText(it[name])
		if isSecret(name) {
			text = capture.Masked
		}
		if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[{") {
			text = prettyJSON(text)
		}
		fmt.Fprintf(&b, "%s: %s\n", name, text)
	}
	return b.String()
}

func valueText(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	case *types.AttributeValueMemberSS:
		return strings.Join(v.Value, ", ")
	case *types.AttributeValueMemberBOOL:
		return strconv.FormatBool(v.Value)
	default:
		return ""
	}
}

// A resourceDifference has the differences between the documents of one resource before and after an exchange.
type resourceDifference struct {
	Name  string // resource type and ID
	Lines []traffic.DiffLine
}

// resourceDifferences returns what an exchange changed in the documents of resources.
func resourceDifferences(e *traffic.Exchange) (list []resourceDifference) {
	for _, i := range e.Items {
		parts := strings.Split(i.Key.PK, "#")
		before, after := valueText(i.Old["doc"]), valueText(i.New["doc"])
		if i.Key.SK == "@" && len(parts) == 3 && before != after {
			list = append(list, resourceDifference{parts[1] + " " + parts[2], traffic.Differences(before, after)})
		}
	}
	return list
}

func changeKind(i traffic.ItemChange) string {
	switch {
	case i.Old == nil && i.New == nil:
		return "absent"
	case i.Old == nil:
		return "created"
	case i.New == nil:
		return "deleted"
	default:
		return "changed"
	}
}

// curlCommand returns a command that sends the request of an exchange again, with the variables BASE and TOKEN.
func curlCommand(e *traffic.Exchange) string {
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	target := e.Path
	if e.Query != "" {
		target += "?" + e.Query
	}
	authorization := ` -H "Authorization: Bearer $TOKEN"`
	if e.Path == traffic.TokenPath { // a body can have other credentials, which are masked
		authorization = ` -u "$CLIENT_ID:$CLIENT_SECRET"`
	}
	s := `curl -X ` + quote(e.Method) + ` "$BASE"` + quote(target) + authorization
	if t := e.Header.Get("Content-Type"); t != "" {
		s += " -H " + quote("Content-Type: "+t)
	}
	if e.Body.Text != "" {
		s += " --data-binary " + quote(e.Body.Text)
	}
	return s
}
