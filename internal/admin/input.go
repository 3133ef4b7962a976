package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"serverless-scim/internal/token"
)

const (
	maxOverlap      = 30 * day // the longest time for which a token or secret stays valid after it has been rotated
	minTokenMinutes = int(token.MinTokenLifetime / time.Minute)
	maxTokenMinutes = int(token.MaxTokenLifetime / time.Minute)
)

// A commandInput holds the fields of an event, which is the payload of a Lambda invocation. Each command accepts some of the
// fields, and Execute rejects the others.
type commandInput struct {
	Command  string          `json:"command"`
	Tenant   string          `json:"tenant"`
	Label    string          `json:"label"`
	Token    string          `json:"token"`    // ID of a token, as list-tokens shows it
	Client   string          `json:"client"`   // ID of a client, as list-clients shows it
	Scope    *token.Scope    `json:"scope"`    // of a new token or client; nil: token.ScopeAll
	Days     *int            `json:"days"`     // lifetime of a new token or client secret; nil: the default of package token
	Minutes  *int            `json:"minutes"`  // lifetime of the access tokens of a new client; nil: token.MinTokenLifetime
	Hours    *int            `json:"hours"`    // how long a rotated token or secret stays valid; nil: token.DefaultOverlap
	Settings json.RawMessage `json:"settings"` // object with the settings to change; null as a value means the default

	// How a new client authenticates: by its own keys, by assertions of another issuer, or, without both, by a secret.
	Keys       json.RawMessage `json:"keys"`
	Federation json.RawMessage `json:"federation"`
}

var (
	tenantName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	tokenID    = regexp.MustCompile(`^[0-9a-f]{16}$`)
	tokenLabel = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$`)
)

// validate returns an error if a field that is present has an invalid form. Execute checks which fields are required.
func (in commandInput) validate() error {
	switch {
	case in.Tenant != "" && !tenantName.MatchString(in.Tenant):
		return fmt.Errorf("tenant %q is not valid; a name has 1 to 63 lowercase letters, digits, and hyphens, and neither "+
			"begins nor ends with a hyphen", in.Tenant)
	case in.Token != "" && !tokenID.MatchString(in.Token): // operators confuse the ID with the token, so the error does not repeat the value
		return errors.New("token is not a token ID; an ID has 16 lowercase hexadecimal digits, see list-tokens")
	case in.Label != "" && !tokenLabel.MatchString(in.Label):
		return fmt.Errorf("label %q is not valid; a label has 1 to 64 letters, digits, spaces, dots, underscores, and hyphens, "+
			"and begins with a letter or a digit", in.Label)
	case in.Scope != nil && !in.Scope.IsKnown():
		return fmt.Errorf("scope %q is not valid; it must be %s, to read and write, or %s, to read only",
			*in.Scope, token.ScopeAll, token.ScopeRead)
	case in.Client != "" && !isClientID(in.Client): // the error does not repeat the value, which can be a secret
		return errors.New("client is not a client ID; an ID begins with client_, see list-clients")
	case in.Days != nil && (*in.Days < 1 || *in.Days > in.maxDays()):
		return fmt.Errorf("days is %d; it must be from 1 to %d", *in.Days, in.maxDays())
	case in.Minutes != nil && (*in.Minutes < minTokenMinutes || *in.Minutes > maxTokenMinutes):
		return fmt.Errorf("minutes is %d; it must be from %d to %d", *in.Minutes, minTokenMinutes, maxTokenMinutes)
	case in.Hours != nil && (*in.Hours < 0 || *in.Hours > int(maxOverlap/time.Hour)):
		return fmt.Errorf("hours is %d; it must be from 0 to %d", *in.Hours, maxOverlap/time.Hour)
	}
	return nil
}

func isClientID(s string) bool {
	_, ok := token.TenantOfClient(s)
	return ok
}

// maxDays returns the longest lifetime of what the command creates.
func (in commandInput) maxDays() int {
	if in.Command == "create-token" {
		return int(token.MaxLifetime / day)
	}
	return int(token.MaxSecretLifetime / day)
}

// explainDecodeError describes an error of package json in the words of an operator, who does not know Go's types. The
// description does not contain the value, because it can be a token.
func explainDecodeError(err error) string {
	wrong := (*json.UnmarshalTypeError)(nil)
	if !errors.As(err, &wrong) {
		return strings.TrimPrefix(err.Error(), "json: ")
	}
	expected := "a string"
	if wrong.Type.Kind() == reflect.Int {
		expected = "a whole number, not in quotes"
	}
	return fmt.Sprintf("%s has the wrong type; it must be %s", wrong.Field, expected)
}
