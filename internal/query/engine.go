package query

import (
	"cmp"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/leniency"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
)

// Config holds what the engines of all tenants share.
type Config struct {
	// ScanBudget is the number of candidates that a request may test if its plan is not exact. 0: DefaultScanBudget.
	ScanBudget int

	// EvaluationBudget is the number of bytes that the filters of a request may compare. 0: scim.DefaultEvaluationBudget.
	EvaluationBudget int

	// Cache keeps cursor keys and, for an embedded table, bookmarks between requests. nil: each engine has its own.
	Cache *Cache
}

// DefaultScanBudget is the default of Config.ScanBudget.
const DefaultScanBudget = 100_000

// An Engine answers the queries of one tenant. It is safe for concurrent use.
type Engine struct {
	store                        *store.Store
	cache                        *Cache
	scanBudget, evaluationBudget int
	baseURL                      string
}

// New returns the engine for the resources of s. The base URL is part of the resources that filters see.
func New(c Config, s *store.Store, baseURL string) *Engine {
	if c.Cache == nil {
		c.Cache = &Cache{}
	}
	return &Engine{store: s, cache: c.Cache, scanBudget: cmp.Or(c.ScanBudget, DefaultScanBudget),
		evaluationBudget: cmp.Or(c.EvaluationBudget, scim.DefaultEvaluationBudget), baseURL: baseURL}
}

// Params holds the parameters of a query (RFC 7644 §3.4.2, RFC 9865).
type Params struct {
	Types      []*scim.ResourceType
	Filter     filter.Expr // nil: all resources
	SortBy     filter.Attr // the zero Attr: an order that does not change
	Descending bool
	StartIndex int    // from 1; 0: the page is selected by Cursor
	Cursor     string // from an earlier page; "": the first page
	Count      int    // maximum number of resources; may be 0
	Client     string // names the owner of the bookmarks, so that clients with the same query do not share them
	Leniency   *leniency.Set

	// NeedsMembers reports whether the page contains the members of groups of a type.
	NeedsMembers func(*scim.ResourceType) bool

	// Size estimates the bytes of a resource with a number of members. The page ends before it exceeds maxPageBytes.
	Size func(r store.ResourceState, members int) int
}

// A Page is one page of the result of a query.
type Page struct {
	Total                      int    // of all pages; -1: not known, which only happens by cursor
	StartIndex                 int    // 0: by cursor
	NextCursor, PreviousCursor string // "": no such page
	Resources                  []store.ResourceState
}

// tooManyError returns the error of a request that would have to test too many resources, or too much of them.
func (e *Engine) tooManyError() error {
	return scim.BadRequest(scim.TooMany, "The request would have to test more than %d resources, compare too much text, or last "+
		"too long, because no index leads to what it asks for. Filter with eq, by id, userName (a group's displayName), "+
		"externalId, emails.value, groups.value or members.value, and leave sortBy out; or page with cursor=, or send fewer "+
		"comparisons.", e.scanBudget)
}
