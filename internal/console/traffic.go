package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/console/traffic"
	"serverless-scim/internal/feed"
	"serverless-scim/internal/table"
)

// traffic serves the list of exchanges.
func (c *Console) traffic(w http.ResponseWriter, _ *http.Request) {
	c.render(w, "traffic.html", page{Title: "Traffic", Section: "traffic", Content: c.exchanges.snapshot()})
}

// live sends each new exchange as a row of the list, as long as the browser listens.
func (c *Console) live(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Time{}) // the connection stays open until the browser closes it
	w.Header().Set("Content-Type", "text/event-stream")
	events, end := c.exchanges.listen()
	defer end()
	alive := time.NewTicker(5 * time.Second)
	defer alive.Stop()
	fmt.Fprint(w, ": open\n\n")
	for control.Flush() == nil {
		select {
		case e := <-events:
			var b bytes.Buffer
			if c.templates["row.html"].ExecuteTemplate(&b, "row.html", e) == nil {
				writeEvent(w, b.String())
			}
		case <-alive.C:
			fmt.Fprint(w, ": alive\n\n")
		case <-r.Context().Done():
			return
		}
	}
}

// writeEvent writes the data of a server-sent event.
func writeEvent(w io.Writer, data string) {
	fmt.Fprintf(w, "data: %s\n\n", strings.ReplaceAll(strings.TrimSpace(data), "\n", "\ndata: "))
}

const exchangeLost = "The exchange is not kept any more. The console keeps the last 500."

// An exchangePage is the content of the page of an exchange.
type exchangePage struct {
	*traffic.Exchange
	Told logPage // the changes in the change feed to which the exchange led
	Form repeatForm
}

// exchange returns the page of an exchange.
func (c *Console) exchange(r *http.Request) (p page, err error) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	e := c.exchanges.find(id)
	if e == nil {
		return page{}, &problem{http.StatusNotFound, exchangeLost}
	}
	content := exchangePage{Exchange: e, Form: newRepeatForm(e)}
	if e.Tenant != "" && len(e.Items) > 0 {
		content.Told, err = c.readLog(r.Context(), e.Tenant, "", func(change *feed.Change) bool { return change.Request == e.RequestID })
	}
	return page{Title: e.Sentence, Content: content}, err
}

func (c *Console) clear(w http.ResponseWriter, r *http.Request) {
	c.exchanges.clear()
	http.Redirect(w, r, Root, http.StatusSeeOther)
}

// functions returns the functions of the templates.
func functions() template.FuncMap {
	return template.FuncMap{
		"clock":     func(t time.Time) string { return t.Format("15:04:05.000") },
		"day":       func(t any) string { return dayOf(t) },
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
		"isChanged": func(i traffic.ItemChange) string { return changeKind(i) },
		"before":    func(i traffic.ItemChange) string { return itemText(i.Old) },
	}
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
			text = masked
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

// A resourceDifference is what an exchange changed in the document of one resource.
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
	s := `curl -X ` + quote(e.Method) + ` "$BASE"` + quote(target) + ` -H "Authorization: Bearer $TOKEN"`
	if t := e.Header.Get("Content-Type"); t != "" {
		s += " -H " + quote("Content-Type: "+t)
	}
	if e.Body.Text != "" {
		s += " --data-binary " + quote(e.Body.Text)
	}
	return s
}

// costOf returns the cost in the line "request" of the log.
func costOf(request map[string]string) (c traffic.Cost) {
	c.Calls, _ = strconv.Atoi(request["table.calls"])
	c.RoundTrips, _ = strconv.Atoi(request["table.waits"])
	c.ReadUnits, _ = strconv.ParseFloat(cmp.Or(request["table.readUnits"], "0"), 64)
	c.WriteUnits, _ = strconv.ParseFloat(cmp.Or(request["table.writeUnits"], "0"), 64)
	return c
}
