package store

import (
	"maps"

	"serverless-scim/internal/scim"
	"serverless-scim/internal/table"
)

// A Mutation holds all writes of one request: the head item, the name and index items, and the memberships to add and
// remove. A small mutation is one transaction. A large mutation is committed first, and its memberships are applied
// afterward. Until then, a reader of the member list applies the pending change before it reads.
type Mutation struct {
	Type          *scim.ResourceType
	ID            string
	HeadWrite     table.Write    // a Put or an Update, without the member count and digest
	OnHeadFailure FailureHandler // handles the failure of its condition
	IndexWrites   Transaction
	Add, Remove   []string // IDs of members; no ID is in both
	*AttemptState
}

// AttemptState holds what the attempts of one request learn about the members that the request adds.
type AttemptState struct {
	Missing  map[string]bool // IDs that have no visible resource
	tooLarge bool            // one transaction cannot hold the mutation
}

// NewAttemptState returns the state before the first attempt.
func NewAttemptState() *AttemptState { return &AttemptState{Missing: map[string]bool{}} }

// MembershipCount returns the number of memberships that the mutation changes.
func (m *Mutation) MembershipCount() int { return len(m.Add) + len(m.Remove) }

// CountDelta returns how much the mutation changes the member count and the member digest.
func (m *Mutation) CountDelta() (n, sum int64) {
	return int64(len(m.Add) - len(m.Remove)), SumHashes(m.Add) - SumHashes(m.Remove)
}

// buildTransaction returns the one transaction of a small mutation.
func (s *Store) buildTransaction(m *Mutation) *Transaction {
	t, head := &Transaction{}, m.HeadWrite
	if n, sum := m.CountDelta(); m.MembershipCount() > 0 {
		head = withAttributes(head, nil, table.Item{"n": table.N(n), "sum": table.N(sum)})
	}
	t.Add(head, m.OnHeadFailure)
	t.AddAll(m.IndexWrites)
	for _, id := range m.Add {
		s.putMembership(t, s.Origin, m.Type, m.ID, id, ConflictHandler, missingMemberHandler(id, m.Missing), table.SetSizeBelow("groups", maxGroupsPerMember))
	}
	for _, id := range m.Remove {
		s.deleteMembership(t, s.Origin, m.Type, m.ID, id, ConflictHandler)
	}
	return t
}

// withAttributes returns a copy of a write of a head item that also sets attributes and adds numbers to attributes.
func withAttributes(head table.Write, set, add table.Item) table.Write {
	switch w := head.(type) {
	case table.Put:
		w.Item = maps.Clone(w.Item)
		maps.Copy(w.Item, set)
		maps.Copy(w.Item, add) // a new item counts from zero
		return w
	case table.Update:
		w.Set, w.Add = maps.Clone(w.Set), maps.Clone(w.Add)
		maps.Copy(w.Set, set)
		maps.Copy(w.Add, add)
		return w
	default:
		return head
	}
}
