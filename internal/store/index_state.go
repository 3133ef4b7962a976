package store

import (
	"context"
	"slices"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// An indexStateItem records which indexed attributes of a resource type have complete index items in a tenant. An
// attribute that becomes indexed while resources exist is not complete until a backfill has ended.
type indexStateItem struct {
	table.Key
	Complete []string `dynamodbav:"complete,stringset,omitempty"`
}

// A backfillMarker is the intent marker of a backfill.
type backfillMarker struct {
	table.Key
	State      string   `dynamodbav:"state"`
	Attributes []string `dynamodbav:"attributes,stringset"`
	Position   string   `dynamodbav:"position,omitempty"` // all resources up to this ID are indexed
	StartedAt  int64    `dynamodbav:"at"`                 // Unix time in seconds
}

const (
	stateBackfill = "backfill"
	backfillBatch = 100 // resources of one step

	// A backfill begins when no process of an earlier deployment, which does not write the new index items, serves
	// requests any more.
	backfillAfter = 10 * time.Minute
)

// completeByDefault returns the attributes that are complete without an indexStateItem: those that every version has
// indexed.
func completeByDefault(rt *scim.ResourceType) []string {
	return intersect(rt.Storage.IndexedAttributes, []string{"externalId", "emails"})
}

func intersect(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}

func subtract(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// readIndexStates returns the complete attributes of those types that have an indexStateItem.
func (s *Store) readIndexStates(ctx context.Context, types []*scim.ResourceType) (map[*scim.ResourceType][]string, error) {
	var keys []table.Key
	for _, rt := range types {
		keys = append(keys, s.Keys.indexState(rt))
	}
	items, err := s.Table.Get(ctx, nil, keys...)
	states := map[*scim.ResourceType][]string{}
	for _, it := range items {
		i := slices.Index(keys, it.Key())
		states[types[i]] = table.StringSetValue(it["complete"])
	}
	return states, err
}

// IncompleteIndexes returns the indexed attributes of each type that have no complete index items. A reader must not use
// the index items of such an attribute. A complete attribute stays complete while the process runs.
func (s *Store) IncompleteIndexes(ctx context.Context, types ...*scim.ResourceType) (map[*scim.ResourceType][]string, error) {
	states, err := s.readIndexStates(ctx, types)
	incomplete := map[*scim.ResourceType][]string{}
	for _, rt := range types {
		complete, recorded := states[rt]
		if !recorded {
			complete = completeByDefault(rt)
		}
		incomplete[rt] = subtract(rt.Storage.IndexedAttributes, complete)
	}
	return incomplete, err
}

// InitializeIndexes records that the indexes of a new tenant are complete. The tenant must have no resources, and must not
// serve requests yet.
func (s *Store) InitializeIndexes(ctx context.Context) error {
	for _, rt := range s.Types.ResourceTypes {
		if err := s.putIfAbsent(ctx, indexStateItem{s.Keys.indexState(rt), rt.Storage.IndexedAttributes}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) putIfAbsent(ctx context.Context, item any) error {
	t := &Transaction{}
	t.Add(table.Put{Item: MarshalItem(item), If: []table.Condition{table.NotExists()}}, func(table.Item) error { return nil })
	return s.WriteTransaction(ctx, t)
}

// SyncIndexes compares the recorded state of the indexes with the configured types. It starts a backfill, which the sweep
// runs, for attributes that have become indexed. It removes attributes that are no longer indexed, because requests do
// not write their index items any more. It must be called periodically, at least once between two deployments that
// change the indexed attributes.
func (s *Store) SyncIndexes(ctx context.Context) error {
	states, err := s.readIndexStates(ctx, s.Types.ResourceTypes)
	if err != nil {
		return err
	}
	for _, rt := range s.Types.ResourceTypes {
		complete, recorded := states[rt]
		if !recorded {
			complete = completeByDefault(rt)
			err = s.putIfAbsent(ctx, indexStateItem{s.Keys.indexState(rt), complete})
		}
		if stale := subtract(complete, rt.Storage.IndexedAttributes); err == nil && len(stale) > 0 {
			err = s.Table.Write(ctx, table.Update{Key: s.Keys.indexState(rt), Delete: table.Item{"complete": table.SS(stale...)},
				If: []table.Condition{table.Exists()}})
		}
		if added := subtract(rt.Storage.IndexedAttributes, complete); err == nil && len(added) > 0 {
			err = s.putIfAbsent(ctx, backfillMarker{s.Keys.backfillMarker(rt), stateBackfill, added, "", s.Now().Unix()})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
