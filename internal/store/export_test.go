package store

import "context"

// Unexported names that package store_test needs.
const (
	DeadlineReserve      = deadlineReserve
	MaxChangeItemMembers = maxChangeItemMembers
	MaxGroupsPerMember   = maxGroupsPerMember
)

var NameTakenHandler = nameTakenHandler

// PrepareChange writes the first n change items of a mutation and does not commit it.
func (s *Store) PrepareChange(ctx context.Context, m *Mutation, n int) error {
	l, err := s.newRedoLog(m)
	if err != nil {
		return err
	}
	return s.prepare(ctx, l, n)
}
