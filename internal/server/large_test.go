package server

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"testing"

	"serverless-scim/internal/table"
)

// addStoredMembers adds n members to a group by writes to the table. The members do not exist, but responses contain
// them.
func (c *client) addStoredMembers(group string, n int) {
	c.Helper()
	user := c.config.Directory.Store.Types.ByName("User")
	pk, sum := "test#Group#"+group, int64(0)
	var writes []table.Write
	for i := range n {
		var random [16]byte
		rand.Read(random[:])
		id := user.NewID(random)
		hash := sha256.Sum256([]byte(id))
		sum += int64(binary.BigEndian.Uint64(hash[:8]) >> 24)
		writes = append(writes, table.Put{Item: table.Item{"PK": table.S(pk), "SK": table.S("Member#" + id), "type": table.S("User")}})
		if len(writes) < table.MaxTransactionActions-1 && i < n-1 {
			continue
		}
		counters := table.Item{"n": table.N(int64(len(writes))), "sum": table.N(sum), "ver": table.N(1)}
		writes, sum = append(writes, table.Update{Key: table.Key{PK: pk, SK: "@"}, Add: counters}), 0
		if err := c.config.Directory.Store.Table.Write(c.Context(), writes...); err != nil {
			c.Fatal(err)
		}
		writes = nil
	}
}

// A group of 100,000 members fits the response of a Lambda function. For a response that does not fit, the error names
// other ways to read the members.
func TestGroupOf100000MembersFitsResponse(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	g := c.create("/Groups", `{"displayName": "all"}`)
	c.addStoredMembers(g, 100_000)
	text := c.expect(c.do("GET", "/Groups/"+g, ""), 200).text
	if n := strings.Count(text, `{"value":"u`); n != 100_000 {
		t.Errorf("the response has %d members, want 100000", n)
	}
	const attributes = "members.value,members.type,members.$ref" // about 15 MB
	for _, r := range [][3]string{{"GET", "/Groups/" + g + "?attributes=" + attributes},
		{"POST", "/Groups/.search", `{"attributes": ["` + attributes + `"]}`}} {
		detail := c.expect(c.do(r[0], r[1], r[2]), 400, "tooMany").body["detail"].(string)
		if !strings.Contains(detail, "excludedAttributes=members") || !strings.Contains(detail, `/Users?filter=groups.value eq "`+g+`"`) {
			t.Errorf("%s %s: %s", r[0], r[1], detail)
		}
	}
	c.expect(c.do("GET", "/Groups/"+g+"?excludedAttributes=members", ""), 200)
	c.expect(c.do("HEAD", "/Groups/"+g+"?attributes="+attributes, ""), 400)
	// The change is complete, so the response is 204 instead of an error.
	body := `{"Operations":[{"op":"replace","path":"displayName","value":"every one"}]}`
	c.expect(c.do("PATCH", "/Groups/"+g+"?attributes="+attributes, body), 204)
}
