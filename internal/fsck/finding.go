package fsck

import (
	"fmt"

	"serverless-scim/internal/table"
)

// A Finding is an inconsistency that a run reports.
type Finding struct {
	Key      table.Key // of the item
	Problem  string
	Repaired bool
	Reason   string // why it was not repaired; "" if it was, or if the run does not repair
}

// String returns the finding as one line of text.
func (f Finding) String() string {
	line := fmt.Sprintf("%q %q: %s", f.Key.PK, f.Key.SK, f.Problem)
	switch {
	case f.Repaired:
		return line + ": repaired"
	case f.Reason != "":
		return line + ": not repaired: " + f.Reason
	}
	return line
}

// A Summary counts what a run checked and found.
type Summary struct {
	Tenants  int // tenants with items, or 1 if the run checks one tenant
	Items    int // items of resources; an item that is written during the run may be missing
	Findings int
	Repaired int // findings that were repaired
}

// A checkResult is the result of a check. The zero value means that the rule holds.
type checkResult struct {
	problem        string
	repair         []table.Write // conditional on every item that led to the finding; nil: not possible
	whyNotRepaired string        // set if repair is nil
}

func newFinding(problem string, repair ...table.Write) checkResult {
	return checkResult{problem: problem, repair: repair}
}

func corruptFinding(item string, err error) checkResult {
	return checkResult{problem: "corrupt " + item + ": " + err.Error(), whyNotRepaired: "its content is unknown"}
}
