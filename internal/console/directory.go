package console

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"serverless-scim/internal/feed"
)

// A resourceList is a page of a list of resources.
type resourceList struct {
	Resources    []resource
	TotalResults int
	Start        int `json:"startIndex"`
}

func (l resourceList) End() int { return l.Start + len(l.Resources) - 1 }

// Previous returns the start index of the page before, or 0.
func (l resourceList) Previous() int {
	if l.Start <= 1 {
		return 0
	}
	return max(l.Start-pageSize, 1)
}

// Next returns the start index of the page after, or 0.
func (l resourceList) Next() int {
	if len(l.Resources) == 0 || l.End() >= l.TotalResults {
		return 0
	}
	return l.End() + 1
}

// list returns a page of the resources that match a filter.
func (c *Console) list(ctx context.Context, tenant string, t resourceType, q url.Values) (l resourceList, err error) {
	q.Set("count", strconv.Itoa(pageSize))
	q.Set("excludedAttributes", "members,groups")
	_, err = c.ask(ctx, tenant, t.Endpoint, q, &l)
	return l, err
}

// operator matches what a filter has and a search for a name does not have.
var operator = regexp.MustCompile(`(?i)\s(eq|ne|co|sw|ew|gt|ge|lt|le)(\s|$)|\spr([\s)\]]|$)`)

// filterOf returns the filter for the text of the search box: the text itself if it has an operator.
func filterOf(text string, t resourceType) string {
	text = strings.TrimSpace(text)
	if text == "" || operator.MatchString(text) {
		return text
	}
	return t.nameAttribute() + " co " + quoted(text)
}

// quoted returns a string as a value of a filter.
func quoted(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(text)
	return strings.TrimSpace(b.String())
}

// A directoryPage is the content of the page that searches a directory.
type directoryPage struct {
	choice
	resourceList
	Types                     []resourceType
	Type                      resourceType
	Text, Filter, Sort, Order string
	Rejection                 string // detail of the server if it rejects the filter
}

// Values of the parameter sort that are no attributes.
const (
	sortByName = "name"
	sortByID   = "id" // the order of the server without sortBy
)

// Sorts returns what the resources can be sorted by.
func (directoryPage) Sorts() []string {
	return []string{sortByName, sortByID, "meta.created", "meta.lastModified"}
}

// sortBy returns the attribute to sort by, or "".
func (d directoryPage) sortBy() string {
	switch d.Sort {
	case sortByName:
		return d.Type.nameAttribute()
	case sortByID:
		return ""
	}
	return d.Sort
}

// directory reads the page with the resources of a tenant that match a filter.
func (c *Console) directory(r *http.Request) (page, error) {
	chosen, err := c.chooseTenant(r)
	if err != nil {
		return page{}, err
	}
	d := directoryPage{choice: chosen, Text: r.FormValue("q"), Sort: cmp.Or(r.FormValue("sort"), sortByName), Order: r.FormValue("order")}
	if d.Types, d.Type, err = c.resourceTypes(r.Context(), d.Tenant, r.FormValue("type")); err != nil {
		return page{}, err
	}
	d.Filter = filterOf(d.Text, d.Type)
	q := url.Values{"startIndex": {cmp.Or(r.FormValue("start"), "1")}}
	for name, value := range map[string]string{"filter": d.Filter, "sortBy": d.sortBy(), "sortOrder": d.Order} {
		if value != "" {
			q.Set(name, value)
		}
	}
	p := page{Title: "Directory"}
	d.resourceList, err = c.list(r.Context(), d.Tenant, d.Type, q)
	if rejected, ok := errors.AsType[*problem](err); ok {
		p.Status, d.Rejection, err = rejected.Status, rejected.Detail, nil
	}
	p.Content = &d
	return p, err
}

// A reference is a value of the attribute groups.
type reference struct {
	Value   string `json:"value"`
	Display string `json:"display"`
	Ref     string `json:"$ref"`
}

// endpoint returns the endpoint in the address of the resource, such as /Groups.
func (f reference) endpoint() string { return "/" + path.Base(path.Dir(f.Ref)) }

// A resourcePage is the content of the page of one resource.
type resourcePage struct {
	Tenant, ID, Label string
	Type              resourceType
	JSON              string // "": the resource does not exist any more
	Partition         string
	Groups            []resourceLink
	Members           resourceList // only users: no other type has the attribute groups
	Items             resourceItems
	History           logPage
}

// resource reads the page of one resource. The page of a deleted resource has its history.
func (c *Console) resource(r *http.Request) (page, error) {
	chosen, err := c.chooseTenant(r)
	if err != nil {
		return page{}, err
	}
	d := resourcePage{Tenant: chosen.Tenant, ID: r.FormValue("id"), Label: r.FormValue("id")}
	types, t, err := c.resourceTypes(r.Context(), d.Tenant, r.FormValue("type"))
	if err != nil {
		return page{}, err
	}
	d.Type, d.Partition = t, resourcePartition(d.Tenant, t.Name, d.ID)
	missing := c.readResource(r, &d, types)
	if missing == nil {
		d.Items = c.readItems(r.Context(), d.Tenant, t.Name, d.ID)
	}
	p, isProblem := errors.AsType[*problem](missing)
	if missing != nil && (!isProblem || p.Status != http.StatusNotFound) {
		return page{}, missing
	}
	d.History, err = c.readLog(r.Context(), d.Tenant, r.FormValue("before"), func(change *feed.Change) bool {
		return change.ResourceType == t.Name && change.ResourceID == d.ID
	})
	switch {
	case err != nil:
		return page{}, err
	case missing == nil:
		return page{Title: t.Name + " " + d.ID, Content: &d}, nil
	case len(d.History.Changes) == 0:
		return page{}, missing
	}
	return page{Title: t.Name + " " + d.ID, Status: p.Status, Content: &d}, nil
}

// readResource adds the JSON of the resource, its groups, and a page of its members.
func (c *Console) readResource(r *http.Request, d *resourcePage, types []resourceType) error {
	if d.ID == "" || strings.Contains(d.ID, "/") { // the path would lead to another endpoint
		return &problem{http.StatusNotFound, "The address of the page names no resource."}
	}
	var o resource
	target, query := d.Type.Endpoint+"/"+url.PathEscape(d.ID), url.Values{"excludedAttributes": {"members"}}
	body, err := c.ask(r.Context(), d.Tenant, target, query, &o)
	if err != nil {
		return err
	}
	var known struct{ Groups []reference }
	json.Unmarshal(body, &known) // an attribute groups of another form has no links
	d.JSON, d.Label = prettyJSON(string(body)), o.Label()
	for _, g := range known.Groups {
		i := slices.IndexFunc(types, func(t resourceType) bool { return t.Endpoint == g.endpoint() })
		if i >= 0 {
			d.Groups = append(d.Groups, resourceLink{types[i].Name, g.Value, cmp.Or(g.Display, g.Value)})
		}
	}
	user := slices.IndexFunc(types, func(t resourceType) bool { return t.Name == "User" })
	if !d.Type.IsGroup() || user < 0 {
		return nil
	}
	members := url.Values{"filter": {`groups.value eq "` + o.ID() + `"`}, "startIndex": {cmp.Or(r.FormValue("members"), "1")}}
	d.Members, err = c.list(r.Context(), d.Tenant, types[user], members)
	return err
}
