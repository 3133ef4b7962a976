package directorytest

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"

	"serverless-scim/internal/directory"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// EnterpriseSchema is the URN of the enterprise user extension (RFC 7643 §4.3).
const EnterpriseSchema = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// NewPerson returns user number i as Okta sends it, of about 1 KB. The order by userName is the order by number.
func NewPerson(i int) scim.Object {
	given := []string{"Maria", "James", "Aisha", "Pedro", "Freya", "Chloe"}[i%6]
	family := []string{"Andersson", "Fernandez", "Kobayashi", "Hernandez"}[i/6%4]
	login := fmt.Sprintf("%07d.%s.%s@people.example.com", i, given, family)
	return scim.Object{
		"userName": login, "externalId": fmt.Sprintf("00u%017d", i), "displayName": given + " " + family, "active": true,
		"name":   scim.Object{"givenName": given, "familyName": family, "formatted": given + " " + family},
		"emails": []any{scim.Object{"value": login, "type": "work", "primary": true}},
		"locale": "en-US", "timezone": "America/Los_Angeles", "preferredLanguage": "en-US", "title": "00000000",
		"phoneNumbers": []any{scim.Object{"value": fmt.Sprintf("+1 555 %07d", i), "type": "work"}},
		"addresses": []any{scim.Object{"type": "work", "streetAddress": "100 Universal City Plaza", "locality": "Hollywood",
			"region": "CA", "postalCode": "91608", "country": "US"}},
		EnterpriseSchema: scim.Object{
			"employeeNumber": fmt.Sprintf("%08d", i), "department": "Engineering", "organization": "Example"},
	}
}

// A Company is a directory for benchmarks and tests of cost. Each person is a member of one team. The last people are
// also members of groups of given sizes. One hundred newcomers are in no group.
type Company struct {
	Seeder
	Table       table.Table
	People      []string       // IDs by number, sorted
	Teams       []string       // IDs
	Newcomers   []string       // IDs
	GroupOfSize map[int]string // IDs

	// Pages holds the parameters of pages that operations read, by the name of the operation. A walk through all
	// earlier pages finds them, once.
	Pages map[string]directory.ListParams

	lastNumber *int // number of the last person that exists
	inTeamOnly int  // number of people that are in no other group; or of all people, if each is in one
}

// NewCompany writes n people, a multiple of TeamSize, and a group of each size.
func NewCompany(ctx context.Context, tab table.Table, tenant string, n int, sizes ...int) (c *Company, err error) {
	const newcomers = 100
	s := NewSeeder(tab, tenant)
	c = &Company{
		Seeder: s, Table: tab, GroupOfSize: map[int]string{}, Pages: map[string]directory.ListParams{},
		lastNumber: new(n + newcomers), inTeamOnly: n,
	}
	if c.Teams, err = s.newIDs(s.Group, n/TeamSize); err != nil {
		return nil, err
	}
	all, err := s.Users(ctx, n+newcomers, NewPerson, c.Teams...)
	if err != nil {
		return nil, err
	}
	c.People, c.Newcomers = all[:n], all[n:]
	for _, size := range sizes {
		if c.GroupOfSize[size], err = s.GroupOf(ctx, fmt.Sprintf("group of %d", size), c.People[n-size:]...); err != nil {
			return nil, err
		}
		c.inTeamOnly = min(c.inTeamOnly, n-size)
	}
	if c.inTeamOnly == 0 {
		c.inTeamOnly = n
	}
	if err := s.AddToCounters(ctx, s.User, n+newcomers); err != nil {
		return nil, err
	}
	return c, s.AddToCounters(ctx, s.Group, len(c.Teams)+len(sizes))
}

// Over returns the company on another table.
func (c *Company) Over(tab table.Table) *Company {
	d := *c
	d.Seeder = c.Seeder.Over(tab)
	return &d
}

// RandomPerson returns the number of a person, of those that are only in their team if there are any.
func (c *Company) RandomPerson() int { return mathrand.IntN(c.inTeamOnly) }

// NextNumber returns the number for a new person.
func (c *Company) NextNumber() int {
	*c.lastNumber++
	return *c.lastNumber
}

// GroupCount returns the number of groups that person number i is in.
func (c *Company) GroupCount(i int) int {
	n := 1
	for size := range c.GroupOfSize {
		if i >= len(c.People)-size {
			n++
		}
	}
	return n
}
