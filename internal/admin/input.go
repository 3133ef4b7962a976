package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"serverless-scim/internal/token"
)

const maxOverlap = 30 * day // of a rotated token

// commandInput holds the fields of an event. Each command accepts some of them.
type commandInput struct {
	Command  string          `json:"command"`
	Tenant   string          `json:"tenant"`
	Label    string          `json:"label"`
	Token    string          `json:"token"`    // the ID of a token
	Days     *int            `json:"days"`     // lifetime of a new token; nil: token.DefaultLifetime
	Hours    *int            `json:"hours"`    // overlap of a rotated token; nil: token.DefaultOverlap
	Settings json.RawMessage `json:"settings"` // the settings to change; null resets a setting to its default
}

var (
	tenantName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	tokenID    = regexp.MustCompile(`^[0-9a-f]{16}$`)
	tokenLabel = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$`)
)

func (in commandInput) validate() error {
	switch {
	case in.Tenant != "" && !tenantName.MatchString(in.Tenant):
		return fmt.Errorf("tenant %q is not valid; a name has 1 to 63 lowercase letters, digits, and hyphens, and neither "+
			"begins nor ends with a hyphen", in.Tenant)
	case in.Token != "" && !tokenID.MatchString(in.Token): // the error does not repeat what may be the token itself
		return errors.New("token is not a token ID; an ID has 16 digits and letters from a to f, see list-tokens")
	case in.Label != "" && !tokenLabel.MatchString(in.Label):
		return fmt.Errorf("label %q is not valid; a label has 1 to 64 letters, digits, spaces, and characters of . _ -, "+
			"and begins with a letter or a digit", in.Label)
	case in.Days != nil && (*in.Days < 1 || time.Duration(*in.Days)*day > token.MaxLifetime):
		return fmt.Errorf("days is %d; it must be from 1 to %d", *in.Days, token.MaxLifetime/day)
	case in.Hours != nil && (*in.Hours < 0 || time.Duration(*in.Hours)*time.Hour > maxOverlap):
		return fmt.Errorf("hours is %d; it must be from 0 to %d", *in.Hours, maxOverlap/time.Hour)
	}
	return nil
}
