package server

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"testing"

	"serverless-scim/internal/table"
)

// enlarge adds members to a group straight in the table: they need not be there to be shown.
func (c *client) enlarge(group string, n int) {
	c.Helper()
	user := c.config.Directory.Types.ByName("User")
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
		counted := table.Item{"n": table.N(int64(len(writes))), "sum": table.N(sum), "ver": table.N(1)}
		writes, sum = append(writes, table.Update{Key: table.Key{PK: pk, SK: "@"}, Add: counted}), 0
		if err := c.config.Directory.Table.Write(c.Context(), writes...); err != nil {
			c.Fatal(err)
		}
		writes = nil
	}
}

// A group of 100,000 members fits an answer of Lambda's. What does not is told how to be read.
func TestLargeGroupFitsAnAnswer(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	g := c.create("/Groups", `{"displayName": "all"}`)
	c.enlarge(g, 100_000)
	text := c.want(c.do("GET", "/Groups/"+g, ""), 200).text
	if n := strings.Count(text, `{"value":"u`); n != 100_000 {
		t.Errorf("%d members", n)
	}
	const ask = "members.value,members.type,members.$ref" // some 15 MB
	for _, r := range [][3]string{{"GET", "/Groups/" + g + "?attributes=" + ask},
		{"POST", "/Groups/.search", `{"attributes": ["` + ask + `"]}`}} {
		detail := c.want(c.do(r[0], r[1], r[2]), 400, "tooMany").body["detail"].(string)
		if !strings.Contains(detail, "excludedAttributes=members") || !strings.Contains(detail, `/Users?filter=groups.value eq "`+g+`"`) {
			t.Errorf("%s %s: %s", r[0], r[1], detail)
		}
	}
	c.want(c.do("GET", "/Groups/"+g+"?excludedAttributes=members", ""), 200)
	c.want(c.do("HEAD", "/Groups/"+g+"?attributes="+ask, ""), 400)
	// What is done is done, and told without a body.
	body := `{"Operations":[{"op":"replace","path":"displayName","value":"every one"}]}`
	c.want(c.do("PATCH", "/Groups/"+g+"?attributes="+ask, body), 204)
}
