package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"serverless-scim/internal/console/traffic"
	"serverless-scim/internal/feed"
)

// An exchangePage is the content of the page of an exchange.
type exchangePage struct {
	*traffic.Exchange
	Told  logPage // the changes in the change feed to which the exchange led
	Form  repeatForm
	Owner *nameOwner // nil: the exchange was not refused because of a name
}

// A nameOwner is the resource that has the name now that a request was refused.
type nameOwner struct {
	resourceLink
	Attribute, Problem string // Problem says why the resource is not known, or is ""
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
	content.Owner = c.nameOwner(r.Context(), e)
	return page{Title: e.Sentence(), Content: content}, err
}

// nameOwner asks the SCIM server which resource has the name that a request was refused.
func (c *Console) nameOwner(ctx context.Context, e *traffic.Exchange) *nameOwner {
	endpoint, attribute, value := traffic.RefusedName(e)
	if attribute == "" || e.Tenant == "" {
		return nil
	}
	owner := &nameOwner{Attribute: attribute}
	types, _, err := c.resourceTypes(ctx, e.Tenant, "")
	i := slices.IndexFunc(types, func(t resourceType) bool { return strings.EqualFold(t.Endpoint, "/"+endpoint) })
	if err == nil && i >= 0 && value != "" {
		var l resourceList
		l, err = c.list(ctx, e.Tenant, types[i], url.Values{"filter": {attribute + " eq " + quoted(value)}})
		if len(l.Resources) > 0 {
			owner.resourceLink = resourceLink{types[i].Name, l.Resources[0].ID(), l.Resources[0].Label()}
			return owner
		}
	}
	switch {
	case err != nil:
		owner.Problem = problemOf(err).Detail
	case value == "":
		owner.Problem = "The console has not kept the part of the request with the " + attribute + "."
	default:
		owner.Problem = "Now, no resource has this " + attribute + "."
	}
	return owner
}
