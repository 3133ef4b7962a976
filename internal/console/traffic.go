package console

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"serverless-scim/internal/console/traffic"
)

// A trafficPage is the content of the page of exchanges.
type trafficPage struct {
	Exchanges []*traffic.Exchange
	Counts    counts
}

// traffic serves the list of exchanges.
func (c *Console) traffic(w http.ResponseWriter, _ *http.Request) {
	list := c.Traffic.Exchanges()
	c.render(w, "traffic.html", page{Title: "Traffic", Section: "traffic", Content: trafficPage{list, countClients(list)}})
}

// counts are the numbers of exchanges of each client, the largest first.
type counts struct {
	Clients []clientCount
	More    int // exchanges of other clients
}

// A clientCount is the number of exchanges of a client, in total and by the first digit of the status.
type clientCount struct {
	Name    string
	Total   int
	Classes []classCount
}

type classCount struct{ Digit, Total int }

const maxCountedClients = 10

// countClients counts exchanges.
func countClients(list []*traffic.Exchange) (c counts) {
	totals := map[string]map[int]int{}
	for _, e := range list {
		if totals[e.Client] == nil {
			totals[e.Client] = map[int]int{}
		}
		totals[e.Client][e.Status/100]++
	}
	for name, classes := range totals {
		n := clientCount{Name: name}
		for _, digit := range slices.Sorted(maps.Keys(classes)) {
			n.Total, n.Classes = n.Total+classes[digit], append(n.Classes, classCount{digit, classes[digit]})
		}
		c.Clients = append(c.Clients, n)
	}
	slices.SortFunc(c.Clients, func(a, b clientCount) int { return cmp.Or(b.Total-a.Total, strings.Compare(a.Name, b.Name)) })
	for _, n := range c.Clients[min(len(c.Clients), maxCountedClients):] {
		c.More += n.Total
	}
	c.Clients = c.Clients[:min(len(c.Clients), maxCountedClients)]
	return c
}

// live sends each new exchange as a row of the list, and then the counts, as long as the browser listens.
func (c *Console) live(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Time{}) // the connection stays open until the browser closes it
	w.Header().Set("Content-Type", "text/event-stream")
	events, end := c.Traffic.Listen()
	defer end()
	alive := time.NewTicker(5 * time.Second)
	defer alive.Stop()
	fmt.Fprint(w, ": open\n\n")
	for control.Flush() == nil {
		select {
		case exchange := <-events:
			c.sendEvent(w, "row.html", exchange())
			if len(events) == 0 {
				fmt.Fprint(w, "event: counts\n")
				c.sendEvent(w, "counts.html", countClients(c.Traffic.Exchanges()))
			}
		case <-alive.C:
			fmt.Fprint(w, ": alive\n\n")
		case <-r.Context().Done():
			return
		}
	}
}

// sendEvent sends what a template makes of a value.
func (c *Console) sendEvent(w io.Writer, template string, value any) {
	var b bytes.Buffer
	if c.templates[template].ExecuteTemplate(&b, template, value) == nil {
		fmt.Fprintf(w, "data: %s\n\n", strings.ReplaceAll(strings.TrimSpace(b.String()), "\n", "\ndata: "))
	}
}

func (c *Console) clear(w http.ResponseWriter, r *http.Request) {
	c.Traffic.Clear()
	http.Redirect(w, r, Root, http.StatusSeeOther)
}
