package bolt

import (
	"cmp"
	"context"
	"slices"

	"serverless-scim/internal/table"
)

// An image is the encoding of an item before and after a write. It has no references to decoded items, because these would
// have to be visited by the garbage collector as long as the image is kept.
type image struct {
	index     int // of the write in the request
	old, item []byte
}

// WriteImages is described at table.ImageWriter.
func (t *Table) WriteImages(ctx context.Context, writes ...table.Write) (table.Images, error) {
	r := &writeRequest{writes: writes, keepsImages: true}
	if err := t.submit(ctx, r); err != nil {
		return table.Images{}, err
	}
	images, size := r.images, 0
	for _, i := range images {
		size += len(i.old) + len(i.item)
	}
	return table.Images{Decode: func() []table.Record { return decodeImages(images) }, Bytes: size}, nil
}

// decodeImages returns the records of images, in the order of the writes.
func decodeImages(images []image) (records []table.Record) {
	for _, i := range slices.SortedFunc(slices.Values(images), func(a, b image) int { return cmp.Compare(a.index, b.index) }) {
		r := table.Record{Old: decodeImage(i.old), New: decodeImage(i.item)}
		if r.Key = r.New.Key(); r.New == nil {
			r.Key = r.Old.Key()
		}
		records = append(records, r)
	}
	return records
}

// decodeImage returns the item of an encoding that the table has read or written. nil is a missing item.
func decodeImage(encoding []byte) table.Item {
	var it encodedItem
	if encoding == nil || it.read(encoding) != nil {
		return nil
	}
	return it.item(nil)
}
