package console

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// faultsPage is the content of the page of faults.
type faultsPage struct {
	Active  []fault
	Actions []faultAction
	Error   string
}

func (c *Console) faultsPage(w http.ResponseWriter, problem string) {
	c.render(w, "faults.html", page{Title: "Faults", Section: "faults", Content: faultsPage{c.faults.active(), actions(), problem}})
}

// addFault adds the fault of a form.
func (c *Console) addFault(w http.ResponseWriter, r *http.Request) {
	f := fault{Method: r.PostFormValue("method"), Path: r.PostFormValue("path"), Client: r.PostFormValue("client")}
	i := slices.IndexFunc(actions(), func(a faultAction) bool { return a.Name == r.PostFormValue("action") })
	n, countErr := strconv.Atoi(r.PostFormValue("count"))
	seconds, secondsErr := strconv.Atoi(r.PostFormValue("seconds"))
	switch {
	case i < 0:
		c.faultsPage(w, "Choose what happens.")
	case countErr != nil || n < 1 || n > maxFaultRequests:
		c.faultsPage(w, fmt.Sprintf("The number of requests must be from 1 to %d.", maxFaultRequests))
	case secondsErr != nil || seconds < 0 || seconds > maxFaultSeconds:
		c.faultsPage(w, fmt.Sprintf("The seconds must be from 0 to %d.", maxFaultSeconds))
	default:
		f.Action, f.Remaining, f.Seconds = actions()[i], n, seconds
		c.faults.add(f)
		http.Redirect(w, r, Root+"faults", http.StatusSeeOther)
	}
}

func (c *Console) removeFault(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.PostFormValue("id"))
	c.faults.remove(id)
	http.Redirect(w, r, Root+"faults", http.StatusSeeOther)
}
