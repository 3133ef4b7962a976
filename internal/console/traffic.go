package console

import (
	"bytes"
	"fmt"
	"net/http"
	"time"
)

// traffic serves the list of exchanges.
func (c *Console) traffic(w http.ResponseWriter, _ *http.Request) {
	c.render(w, "traffic.html", page{Title: "Traffic", Section: "traffic", Content: c.Traffic.Exchanges()})
}

// live sends each new exchange as a row of the list, as long as the browser listens.
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
			var b bytes.Buffer
			if c.templates["row.html"].ExecuteTemplate(&b, "row.html", exchange()) == nil {
				writeEvent(w, b.String())
			}
		case <-alive.C:
			fmt.Fprint(w, ": alive\n\n")
		case <-r.Context().Done():
			return
		}
	}
}

func (c *Console) clear(w http.ResponseWriter, r *http.Request) {
	c.Traffic.Clear()
	http.Redirect(w, r, Root, http.StatusSeeOther)
}
