package fsck

import (
	"fmt"

	"serverless-scim/internal/store"
	"serverless-scim/internal/table"
)

// IndexKeys returns a function for the console. The function returns the keys of the items that a check expects of a
// resource with a document: its name item and its index items.
func IndexKeys(c store.Config) func(tenant, resourceType, id, document string) ([]table.Key, error) {
	return func(tenant, resourceType, id, document string) ([]table.Key, error) {
		s, rt := store.New(c, tenant), c.Types.ByName(resourceType)
		if rt == nil {
			return nil, fmt.Errorf("fsck: there is no resource type %q", resourceType)
		}
		o, err := store.DecodeDocument(document)
		if err != nil {
			return nil, err
		}
		e, err := s.NewIndexEntries(rt, id, o)
		if err != nil {
			return nil, err
		}
		return append([]table.Key{s.Keys.Name(rt, e.Name)}, e.SortedKeys()...), nil
	}
}
