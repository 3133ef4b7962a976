package server

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"serverless-scim/internal/feed"
	"serverless-scim/internal/scim"
)

// pollSeconds is the Retry-After of a page that reaches the end of the changes.
const pollSeconds = 5

// changes serves GET on /Changes, which is not part of SCIM: it returns what has changed since the page that returned the
// cursor. Package feed says what a client can rely on.
func (s *server) changes(r *request, _ route) (*response, error) {
	p, err := r.queryParameters()
	if err != nil {
		return nil, err
	}
	types, err := r.changeTypes(p["resourcetypes"])
	if err != nil {
		return nil, err
	}
	projection, err := r.changesProjection(types, p)
	if err != nil {
		return nil, err
	}
	count, err := r.parseInteger(p, "count", defaultCount)
	if err != nil || count < 1 {
		return nil, scim.BadRequest(scim.InvalidCount, "The count is not valid. Send an integer from 1 to %d, or omit count.", maxCount)
	}
	reader := feed.NewReader(s.Directory.Store, r.identity.Tenant.Name, types)
	for count = min(count, maxCount); ; count = (count + 1) / 2 {
		page, err := reader.Read(r.Context(), p["cursor"], count)
		if err != nil {
			return nil, err
		}
		resp, err := s.changesResponse(r, page, projection)
		if err != nil || count == 1 || len(page.Changes) < 2 {
			return resp, err
		}
		if body, err := resp.encode(); err != nil || fitsLambdaResponse(body) {
			resp.body = rawJSON(body)
			return resp, err
		}
		count = min(count, len(page.Changes)) // a shorter page, because the client cannot continue without one
	}
}

// changeTypes returns the resource types with these names, separated by commas, or all types if there are no names.
func (r *request) changeTypes(names string) (types []*scim.ResourceType, err error) {
	if names == "" && len(r.types.ResourceTypes) > 0 {
		return r.types.ResourceTypes, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		rt := r.types.ByName(strings.TrimSpace(name))
		if rt == nil {
			return nil, scim.BadRequest(scim.InvalidValue,
				"The value of resourceTypes is not valid. Send names of /ResourceTypes, separated by commas, or omit resourceTypes.")
		}
		if !slices.Contains(types, rt) {
			types = append(types, rt)
		}
	}
	return types, nil
}

// changesProjection returns the attributes of each resource. They contain members only if the client names members,
// because a group may have many, and each member tells its groups.
func (r *request) changesProjection(types []*scim.ResourceType, p map[string]string) (scim.Projection, error) {
	excluded := p["excludedattributes"]
	if p["attributes"] == "" && slices.ContainsFunc(types, func(rt *scim.ResourceType) bool { return rt.Attribute("members") != nil }) {
		excluded = strings.TrimPrefix(excluded+",members", ",")
	}
	return scim.NewProjection(types, p["attributes"], excluded, r.leniency)
}

// A changeList is the body of a response with changes.
type changeList struct {
	Schemas    []string       `json:"schemas"`
	Changes    []feed.Message `json:"changes"`
	NextCursor string         `json:"nextCursor"`
	More       bool           `json:"more"`
	Listing    bool           `json:"listing,omitempty"`
}

func (s *server) changesResponse(r *request, page feed.Page, p scim.Projection) (*response, error) {
	list := changeList{Schemas: []string{"urn:serverless-scim:api:messages:1.0:ChangeList"}, Changes: []feed.Message{},
		NextCursor: page.Cursor, More: page.More, Listing: page.Listing}
	resources, err := r.directory.Render(r.Context(), page.States(), p)
	if err != nil {
		return nil, err
	}
	for i, c := range page.Changes {
		var body []byte
		if resources[i] == nil {
			c = c.AsDeleted()
		} else if body, err = resources[i].AppendJSON(nil, p); err != nil { // it is corrupt, and must not stop the reader
			s.Log.ErrorContext(r.Context(), "resource left out of changes", "resourceType", c.ResourceType, "id", c.ResourceID, "error", err)
			continue
		}
		list.Changes = append(list.Changes, feed.NewMessage(c, body))
	}
	resp := &response{status: http.StatusOK, body: list, readOnly: true}
	if !page.More {
		resp.header = map[string]string{"Retry-After": strconv.Itoa(pollSeconds)}
	}
	return resp, nil
}
