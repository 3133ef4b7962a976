package console

import (
	"net/http"
	"strconv"

	"serverless-scim/internal/console/traffic"
	"serverless-scim/internal/feed"
)

// An exchangePage is the content of the page of an exchange.
type exchangePage struct {
	*traffic.Exchange
	Told logPage // the changes in the change feed to which the exchange led
	Form repeatForm
}

// exchange returns the page of an exchange.
func (c *Console) exchange(r *http.Request) (p page, err error) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	e := c.Traffic.Find(id)
	if e == nil {
		return page{}, &problem{http.StatusNotFound, exchangeLost}
	}
	content := exchangePage{Exchange: e, Form: newRepeatForm(e)}
	if e.Tenant != "" && len(e.Items) > 0 {
		content.Told, err = c.readLog(r.Context(), e.Tenant, "", func(change *feed.Change) bool {
			return change.Request == e.RequestID || deletes(e, e.Tenant, change)
		})
	}
	return page{Title: e.Sentence(), Content: content}, err
}
