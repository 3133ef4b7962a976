package query

import (
	"crypto/cipher"
	"fmt"
	"testing"
)

func TestCursorKeyCacheIsBoundedAndKeepsTheNewestKey(t *testing.T) {
	t.Parallel()
	c := &cursorKeyCache{}
	for n := range 3 * maxCachedCursorKeys {
		tenant := fmt.Sprint(n)
		c.put(tenant, struct{ cipher.AEAD }{})
		if size, newest := len(c.aeads), c.get(tenant); size > maxCachedCursorKeys || newest == nil {
			t.Fatalf("the cache has %d keys, and %v for the newest tenant", size, newest)
		}
	}
}
