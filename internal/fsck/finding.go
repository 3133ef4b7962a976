package fsck

import "serverless-scim/internal/table"

// A finding is the result of a check. The zero value means that the rule holds.
type finding struct {
	problem        string
	repair         []table.Write // conditional on every item that led to the finding; nil: not possible
	whyNotRepaired string        // set if repair is nil
}

func newFinding(problem string, repair ...table.Write) finding {
	return finding{problem: problem, repair: repair}
}

func corruptFinding(item string, err error) finding {
	return finding{problem: "corrupt " + item + ": " + err.Error(), whyNotRepaired: "its content is unknown"}
}
