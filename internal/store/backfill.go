package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// resumeBackfill writes the index items that a marker asks for, a batch of resources at a time, until the deadline is near. The
// marker keeps the position for the next sweep. Sweeps that run at the same time do the same work, which is harmless.
func (s *Store) resumeBackfill(ctx context.Context, it table.Item) error {
	var m backfillMarker
	if err := UnmarshalItem(it, &m); err != nil {
		return err
	}
	keys, rt, err := s.parseBackfillKey(m.Key)
	if err != nil {
		return err
	}
	s = s.ForTenant(keys)
	if !s.mayBackfill(m) {
		return nil
	}
	if len(subtract(m.Attributes, rt.Storage.IndexedAttributes)) > 0 { // the configuration has changed: SyncIndexes starts again
		return s.Table.Write(ctx, table.Delete{Key: m.Key})
	}
	for !s.DeadlineNear(ctx) {
		if done, err := s.backfillBatch(ctx, rt, &m); err != nil || done {
			return err
		}
	}
	return nil
}

func (s *Store) mayBackfill(m backfillMarker) bool {
	return s.Embedded || s.Now().Sub(time.Unix(m.StartedAt, 0)) >= backfillAfter
}

// EndBackfill ends the backfill of a type, if there is one, without writing index items. All index items of the type must
// exist, as after a repair by fsck.
func (s *Store) EndBackfill(ctx context.Context, rt *scim.ResourceType) error {
	items, err := s.Table.Get(ctx, nil, s.Keys.backfillMarker(rt))
	if err != nil || len(items) == 0 {
		return err
	}
	var m backfillMarker
	if err := UnmarshalItem(items[0], &m); err != nil || !s.mayBackfill(m) {
		return err
	}
	return s.completeBackfill(ctx, rt, &m)
}

// parseBackfillKey returns the tenant's keys and the type that the key of a backfill marker names.
func (c Config) parseBackfillKey(k table.Key) (Keys, *scim.ResourceType, error) {
	parts := append(strings.Split(k.SK, "#"), "")
	keys, rt := KeysForEscaped(parts[0]), c.Types.ByName(parts[1])
	if rt == nil || keys.backfillMarker(rt) != k {
		return keys, nil, fmt.Errorf("store: the backfill marker %q names an unknown resource type", k.SK)
	}
	return keys, rt, nil
}

func (s *Store) backfillBatch(ctx context.Context, rt *scim.ResourceType, m *backfillMarker) (done bool, err error) {
	page, err := s.Table.Query(ctx, table.Range{PK: s.Keys.AllPartition(rt), ExclusiveStart: m.Position, Limit: backfillBatch})
	if err != nil {
		return false, err
	}
	var calls []func() error
	for _, it := range page.Items {
		calls = append(calls, func() error { return s.backfillResource(ctx, rt, it.Key().SK, m.Attributes) })
	}
	if err := s.RunConcurrently(calls...); err != nil {
		return false, err
	}
	if m.Position = page.LastEvaluatedKey.SK; m.Position == "" {
		return true, s.completeBackfill(ctx, rt, m)
	}
	t := &Transaction{}
	t.Add(table.Update{Key: m.Key, Set: table.Item{"position": table.S(m.Position)}, If: []table.Condition{table.Exists()}},
		func(table.Item) error { return nil }) // another sweep has completed the backfill
	return false, s.WriteTransaction(ctx, t)
}

// backfillResource writes the index items of some attributes of one resource. The transaction depends on the version that
// the values were read from, so a concurrent update cannot leave an outdated index item behind.
func (s *Store) backfillResource(ctx context.Context, rt *scim.ResourceType, id string, attributes []string) error {
	return s.Backoff.RetryConflicts(ctx, func() error {
		h, err := s.ReadHead(ctx, rt, id)
		if err != nil || h == nil {
			return err
		}
		o, err := DecodeDocument(h.Document)
		if err != nil {
			return err
		}
		t := &Transaction{}
		for _, attribute := range attributes {
			values := indexedValues(rt, attribute, o)
			if len(values) > maxIndexedValues {
				return fmt.Errorf("store: cannot index %s: %s %s has more than %d values", attribute, rt.Name, id, maxIndexedValues)
			}
			for _, v := range values {
				k := table.Key{PK: s.Keys.IndexPartition(rt, attribute, v), SK: id}
				t.Add(table.Put{Item: MarshalItem(k)}, ConflictHandler)
			}
		}
		if len(t.Writes) == 0 {
			return nil
		}
		t.Add(table.ConditionCheck{Key: h.Key, If: h.VersionConditions()}, ConflictHandler)
		return s.WriteTransaction(ctx, t)
	})
}

// completeBackfill records that the index items of the attributes are complete, and deletes the marker.
func (s *Store) completeBackfill(ctx context.Context, rt *scim.ResourceType, m *backfillMarker) error {
	t := &Transaction{}
	t.Add(table.Update{Key: s.Keys.indexState(rt), Add: table.Item{"complete": table.SS(m.Attributes...)},
		If: []table.Condition{table.Exists()}}, ConflictHandler)
	t.Add(table.Delete{Key: m.Key}, ConflictHandler)
	err := s.WriteTransaction(ctx, t)
	if err == nil {
		s.Log.InfoContext(ctx, "index backfill completed", "resourceType", rt.Name, "attributes", m.Attributes)
	}
	return err
}
