// Package directory performs the operations of RFC 7644 on the users, groups and other resources of one tenant: Create,
// Retrieve, Replace, Modify, Delete and List. It decides what a request changes, calls package store to write it and
// package query to find resources, and renders resources as JSON. The package does not depend on HTTP: package server
// decodes requests and checks tokens. Begin with [New].
package directory

import (
	"context"
	"errors"
	"log/slog"

	"serverless-scim/internal/leniency"
	"serverless-scim/internal/query"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// Config holds what the directories of all tenants share.
type Config struct {
	Store store.Config
	Query query.Config

	// AllowDeprovisioning is called once by each request that would deactivate or delete a user, before it writes. If it
	// returns an error, the request writes nothing and returns that error. nil: always allowed.
	AllowDeprovisioning func(context.Context) error

	// Leniency is where requests record how they depart from the RFCs. nil: nowhere.
	Leniency *leniency.Set
}

// A Directory holds the resources of one tenant. It is safe for concurrent use. Its errors are *scim.Error where the client
// must change the request, and otherwise errors of the table.
type Directory struct {
	store               *store.Store
	query               *query.Engine
	allowDeprovisioning func(context.Context) error
	leniency            *leniency.Set
	baseURL             string
	reserved            *reservation // what Create creates; nil: a resource with a new ID
}

// A reservation is the ID of the next resource that a directory creates, and the marker of its CreateSet.
type reservation struct {
	id     string
	marker table.Key
}

// condition returns the write that makes a create depend on the marker of its set.
func (r *reservation) condition() table.ConditionCheck {
	return table.ConditionCheck{Key: r.marker, If: []table.Condition{table.Equals("state", table.S(store.StatePrepared))}}
}

// errUndone reports that a sweep undoes the creates of a set, because the request took too long.
var errUndone = &table.TransientError{Err: errors.New("directory: the creates are undone, because they took too long")}

// New returns the directory of a tenant, whose name may be any string. The base URL is the address of the service, without
// the endpoints. New makes no table call.
func New(c Config, tenant, baseURL string) *Directory {
	s := store.New(c.Store, tenant)
	return &Directory{
		store: s, query: query.New(c.Query, s, baseURL), allowDeprovisioning: c.AllowDeprovisioning,
		leniency: c.Leniency, baseURL: baseURL,
	}
}

// A Precondition reports whether a request may change a resource with this entity tag, as If-Match and If-None-Match say.
// nil: it always may.
type Precondition func(entityTag string) bool

// Count returns the number of resources of a type.
func (d *Directory) Count(ctx context.Context, rt *scim.ResourceType) (int, error) {
	return d.store.Count(ctx, rt)
}

// Owns reports whether the item with this key belongs to the tenant's resources.
func (d *Directory) Owns(k table.Key) bool { return d.store.Keys.Owns(k) }

// InitializeIndexes records that the indexes of a new tenant are complete. See store.Store.
func (d *Directory) InitializeIndexes(ctx context.Context) error {
	return d.store.InitializeIndexes(ctx)
}

// SyncIndexes starts backfills for attributes that have become indexed. See store.Store.
func (d *Directory) SyncIndexes(ctx context.Context) error { return d.store.SyncIndexes(ctx) }

// Location returns the address of a resource.
func (d *Directory) Location(rt *scim.ResourceType, id string) string {
	return rt.Location(d.baseURL, id)
}

// MeasureUsage starts to count the cost of table calls with the context that it returns. The function returns the cost, for
// a log.
func MeasureUsage(ctx context.Context) (context.Context, func() slog.Value) {
	ctx, usage := table.WithUsage(ctx)
	return ctx, func() slog.Value {
		u := usage()
		return slog.GroupValue(slog.Int("calls", u.Calls), slog.Int("waits", u.RoundTrips), slog.Int("retries", u.Retries),
			slog.Int("conflicts", u.TransactionConflicts), slog.Float64("readUnits", u.ReadUnits),
			slog.Float64("writeUnits", u.WriteUnits))
	}
}

// IsTransient reports whether the same request can succeed later: after throttling, conflicts, or its deadline.
func IsTransient(err error) bool { return table.IsTransient(err) }

func notFoundError(rt *scim.ResourceType, id string) error {
	return scim.NotFound("There is no %s with the id %q.", rt.Name, id)
}
