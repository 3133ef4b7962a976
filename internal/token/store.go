package token

import (
	"errors"
	"sync"
	"time"

	"serverless-scim/internal/table"
)

// A Store keeps tokens and tenants in a table. It is safe for concurrent use.
type Store struct {
	Table table.Table
	Now   func() time.Time

	mu       sync.Mutex
	cache    map[string]cacheEntry    // by the hash of the token
	inMemory map[string]inMemoryToken // by the hash of the token
}

// A cacheEntry holds a token and its tenant, as they were in the table when they were read.
type cacheEntry struct {
	token     tokenItem
	tenant    Tenant
	expiresAt time.Time // of the entry, not of the token
}

// metered returns t, wrapped in table.Metered unless it is Metered already, so that each call is counted once.
func metered(t table.Table) table.Table {
	if _, ok := t.(table.Metered); ok {
		return t
	}
	return table.Metered{Table: t}
}

// replaceConditionError returns meaning if err is a *table.ConditionError, and err otherwise.
func replaceConditionError(meaning, err error) error {
	if failed := (*table.ConditionError)(nil); errors.As(err, &failed) {
		return meaning
	}
	return err
}
