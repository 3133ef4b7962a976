package bolt

import (
	"cmp"
	"context"
	"slices"

	"serverless-scim/internal/table"
)

// WriteImages is described at table.ImageWriter.
func (t *Table) WriteImages(ctx context.Context, writes ...table.Write) (table.Images, error) {
	r := &writeRequest{writes: writes, keepsImages: true}
	if err := t.submit(ctx, r); err != nil {
		return table.Images{}, err
	}
	size := 0
	for _, c := range r.images {
		size += len(c.old) + len(c.item)
	}
	return table.Images{Decode: r.decodeImages, Bytes: size}, nil
}

// decodeImages returns the records of a request that has been executed.
func (r *writeRequest) decodeImages() (records []table.Record) {
	changes := slices.SortedFunc(slices.Values(r.images), func(a, b itemChange) int { return cmp.Compare(a.index, b.index) })
	for _, c := range changes {
		record := table.Record{Key: r.writes[c.index].Target()}
		for _, part := range []struct {
			encoding []byte
			to       *table.Item
		}{{c.old, &record.Old}, {c.item, &record.New}} {
			var it encodedItem
			if part.encoding != nil && it.read(part.encoding) == nil {
				*part.to = it.item(nil)
			}
		}
		records = append(records, record)
	}
	return records
}
