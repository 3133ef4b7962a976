package store

import "serverless-scim/internal/table"

// RunConcurrently runs table calls as table.RunConcurrently does.
func (s *Store) RunConcurrently(calls ...func() error) error {
	if s.RunInParallel != nil {
		return s.RunInParallel(calls...)
	}
	return table.RunConcurrently(calls...)
}

// RunShortReads runs a few short reads that do not depend on each other: concurrently, or in an embedded table one after
// the other.
func (s *Store) RunShortReads(calls ...func() error) error {
	if s.Embedded {
		return RunSequentially(calls...)
	}
	return s.RunConcurrently(calls...)
}

// RunSequentially runs calls one after the other and stops at the first error.
func RunSequentially(calls ...func() error) error {
	for _, call := range calls {
		if err := call(); err != nil {
			return err
		}
	}
	return nil
}
