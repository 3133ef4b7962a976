package directory

import (
	"context"
	"slices"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/query"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
)

// ListParams holds the parameters of List. Package query says what a page promises.
type ListParams struct {
	Types      []*scim.ResourceType
	Filter     filter.Expr // nil: all resources
	SortBy     filter.Attr // the zero Attr: an order that does not change
	Descending bool
	StartIndex int    // from 1; 0: the page is selected by Cursor
	Cursor     string // from an earlier page; "": the first page
	Count      int    // maximum number of resources; may be 0
	Projection scim.Projection
	Client     string // names the owner of the bookmarks, so that clients with the same query do not share them
}

// PageTimeout is how long a client can wait between two pages.
const PageTimeout = query.PageTimeout

// A ListResult is one page of the result of List.
type ListResult struct {
	TotalResults               int    // of all pages; -1: not known, which only happens by cursor
	StartIndex                 int    // 0: by cursor
	NextCursor, PreviousCursor string // "": no such page
	Resources                  []*Resource
}

// List returns one page of the resources that match (RFC 7644 §3.4.2, RFC 9865).
func (d *Directory) List(ctx context.Context, p ListParams) (*ListResult, error) {
	page, err := d.query.Run(ctx, query.Params{
		Types: p.Types, Filter: p.Filter, SortBy: p.SortBy, Descending: p.Descending,
		StartIndex: p.StartIndex, Cursor: p.Cursor, Count: p.Count, Client: p.Client, Leniency: d.leniency,
		NeedsMembers: func(rt *scim.ResourceType) bool { return readsForResponse(rt, p.Projection).members },
		Size:         func(r store.ResourceState, members int) int { return estimatedSize(r, members, p.Projection) },
	})
	if err != nil {
		return nil, err
	}
	showsNames := func(rt *scim.ResourceType) bool { return readsForResponse(rt, p.Projection).displayNames }
	resources, err := d.newResources(ctx, page.Resources, slices.ContainsFunc(p.Types, showsNames))
	if err != nil {
		return nil, err
	}
	return &ListResult{
		TotalResults: page.Total, StartIndex: page.StartIndex,
		NextCursor: page.NextCursor, PreviousCursor: page.PreviousCursor, Resources: resources,
	}, nil
}
