package console

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"serverless-scim/internal/console/capture"
	"serverless-scim/internal/console/traffic"
)

// faultsPage is the content of the page of faults.
type faultsPage struct {
	Active  []capture.Fault
	Actions []capture.Action
	Clients []string // that a fault can select
	Error   string
}

func (c *Console) faultsPage(w http.ResponseWriter, problem string) {
	c.render(w, "faults.html", page{Title: "Faults", Section: "faults", Content: faultsPage{c.Traffic.Faults.Active(), capture.Actions(), c.clients(), problem}})
}

// clients returns the names of the clients in the list of exchanges, and then those of the others that are known.
func (c *Console) clients() []string {
	var names []string
	for _, e := range c.Traffic.Exchanges() {
		names = append(names, e.Client)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	known := slices.DeleteFunc(traffic.KnownClients(), func(name string) bool { return slices.Contains(names, name) })
	return append(names, known...)
}

// addFault adds the fault of a form.
func (c *Console) addFault(w http.ResponseWriter, r *http.Request) {
	f := capture.Fault{Method: r.PostFormValue("method"), Path: r.PostFormValue("path"), Client: r.PostFormValue("client")}
	i := slices.IndexFunc(capture.Actions(), func(a capture.Action) bool { return a.Name == r.PostFormValue("action") })
	n, countErr := strconv.Atoi(r.PostFormValue("count"))
	seconds, secondsErr := strconv.Atoi(r.PostFormValue("seconds"))
	switch {
	case i < 0:
		c.faultsPage(w, "Choose what happens.")
	case countErr != nil || n < 1 || n > capture.MaxFaultRequests:
		c.faultsPage(w, fmt.Sprintf("The number of requests must be from 1 to %d.", capture.MaxFaultRequests))
	case secondsErr != nil || seconds < 0 || seconds > capture.MaxFaultSeconds:
		c.faultsPage(w, fmt.Sprintf("The seconds must be from 0 to %d.", capture.MaxFaultSeconds))
	default:
		f.Action, f.Remaining, f.Seconds = capture.Actions()[i], n, seconds
		c.Traffic.Faults.Add(f)
		http.Redirect(w, r, Root+"faults", http.StatusSeeOther)
	}
}

func (c *Console) removeFault(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.PostFormValue("id"))
	c.Traffic.Faults.Remove(id)
	http.Redirect(w, r, Root+"faults", http.StatusSeeOther)
}
