package console

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"serverless-scim/internal/table"
)

// A problem is an error that a page shows, with the status of the page.
type problem struct {
	Status int    `json:"-"`
	Detail string `json:"detail"`
}

func (p *problem) Error() string { return p.Detail }

// problemOf returns the problem that a page shows for an error.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if invalid, ok := errors.AsType[*table.InvalidError](err); ok {
		return &problem{http.StatusBadRequest, "The table rejects the key: " + invalid.Reason + "."}
	}
	return &problem{http.StatusInternalServerError, "The page cannot be read: " + err.Error() + "."}
}

// A choice is the tenant that a page shows, and those that it can show.
type choice struct {
	Tenant  string
	Tenants []string
}

// chooseTenant returns the tenant that a request names, or the first one.
func (c *Console) chooseTenant(r *http.Request) (choice, error) {
	all, err := c.Tenants(r.Context())
	if err != nil {
		return choice{}, err
	}
	if len(all) == 0 {
		return choice{}, &problem{http.StatusNotFound, "There is no tenant. Create one with the command admin create-tenant."}
	}
	name := cmp.Or(r.FormValue("tenant"), all[0])
	if !slices.Contains(all, name) {
		return choice{}, &problem{http.StatusNotFound, "The tenant does not exist. Choose another on the page of the directory."}
	}
	return choice{name, all}, nil
}

// A memoryWriter is a response in memory.
type memoryWriter struct {
	bytes.Buffer
	header http.Header
	status int
}

func (w *memoryWriter) Header() http.Header { return w.header }

func (w *memoryWriter) WriteHeader(status int) { w.status = cmp.Or(w.status, status) }

// ask sends GET to the SCIM server in this process, and decodes the response into value. It returns the body, or a
// *problem with the detail of an error response.
func (c *Console) ask(ctx context.Context, tenant, path string, query url.Values, value any) ([]byte, error) {
	target := "http://localhost" + c.BasePath + path + "?" + query.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return nil, &problem{http.StatusBadRequest, "The path of the request is not valid: " + path + "."}
	}
	r.Header.Set("Authorization", "Bearer "+c.Token(tenant))
	w := &memoryWriter{header: http.Header{}}
	c.SCIM.ServeHTTP(w, r)
	if status := cmp.Or(w.status, http.StatusOK); status != http.StatusOK {
		p := &problem{Status: status, Detail: "The SCIM server returned the status " + strconv.Itoa(status) + "."}
		json.Unmarshal(w.Bytes(), p) // without a detail, the status says enough
		return nil, p
	}
	return w.Bytes(), json.Unmarshal(w.Bytes(), value)
}

// A resourceType has the attributes of a resource type that the console reads.
type resourceType struct {
	Name     string `json:"name"`
	Endpoint string `json:"endpoint"`
}

// nameAttribute returns the attribute that people know a resource by.
func (t resourceType) nameAttribute() string {
	if t.Name == "User" {
		return "userName"
	}
	return "displayName"
}

// IsGroup reports whether the resources have members.
func (t resourceType) IsGroup() bool { return t.Name == groupType }

// resourceTypes returns the resource types of a tenant, and the one with a name; "" names the first.
func (c *Console) resourceTypes(ctx context.Context, tenant, name string) ([]resourceType, resourceType, error) {
	var list struct{ Resources []resourceType }
	if _, err := c.ask(ctx, tenant, "/ResourceTypes", nil, &list); err != nil {
		return nil, resourceType{}, err
	}
	for _, t := range list.Resources {
		if name == "" || t.Name == name {
			return list.Resources, t, nil
		}
	}
	return nil, resourceType{}, &problem{http.StatusNotFound, "The tenant has no such resource type. Choose one on the page of the directory."}
}

// A resource is the JSON of a SCIM resource.
type resource map[string]any

func (r resource) text(path string) string {
	var v any = map[string]any(r)
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	s, _ := v.(string)
	return s
}

func (r resource) ID() string { return r.text("id") }

func (r resource) Label() string { return cmp.Or(r.text("userName"), r.text("displayName"), r.ID()) }

func (r resource) Modified() string { return r.text("meta.lastModified") }

// Person returns the name of a person.
func (r resource) Person() string {
	given := strings.TrimSpace(r.text("name.givenName") + " " + r.text("name.familyName"))
	return cmp.Or(r.text("displayName"), r.text("name.formatted"), given)
}

// State returns active, inactive, or "" for a resource without the attribute.
func (r resource) State() string {
	switch r["active"] {
	case true:
		return "active"
	case false:
		return "inactive"
	}
	return ""
}

// pageSize is the number of resources on a page.
const pageSize = 50

// A resourceLink names a resource on a page.
type resourceLink struct{ Type, ID, Label string }

// exchangeLost is the detail of the problem that an exchange is not kept.
const exchangeLost = "The exchange is not kept any more. The console keeps the last 500."
