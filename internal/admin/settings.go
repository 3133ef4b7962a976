package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"serverless-scim/internal/token"
)

// settingForms describes the values of each setting.
func settingForms() map[string]string {
	return map[string]string{
		"strictMembers":  "true or false",
		"noContent":      "true or false",
		"resourceTypes":  `a list of names such as ["User"]`,
		"rateLimit":      "a whole number of requests per second",
		"deprovisioning": "a whole number of percent",
		"profile":        `"lenient" or "interop"`,
	}
}

// mergeSettings returns current with the fields of changes replaced. A null in changes resets a setting to its default.
// If changes is nil, mergeSettings returns current.
func (a Admin) mergeSettings(current token.Settings, changes json.RawMessage) (s token.Settings, err error) {
	changed := map[string]json.RawMessage{}
	if err := json.Unmarshal(changes, &changed); changes != nil && (err != nil || changed == nil) { // nil: changes is null
		return s, errors.New(`settings must be a JSON object such as {"strictMembers":true}`)
	}
	merged := map[string]json.RawMessage{}
	base, err := json.Marshal(current)
	if err == nil {
		err = json.Unmarshal(base, &merged)
	}
	if err != nil {
		return s, fmt.Errorf("admin: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		if err := checkSetting(name, changed[name]); err != nil {
			return s, fmt.Errorf("cannot read the settings: %w", err)
		}
		if merged[name] = changed[name]; string(changed[name]) == "null" {
			delete(merged, name)
		}
	}
	text, err := json.Marshal(merged)
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return s, fmt.Errorf("admin: %w", err)
	}
	if s.Profile == token.ProfileLenient { // the default, which commands omit
		s.Profile = ""
	}
	return s, a.validateSettings(s)
}

// checkSetting returns an error in the words of an operator if there is no setting with the name, or if the value has the
// wrong type. Case counts in the name.
func checkSetting(name string, value json.RawMessage) error {
	forms := settingForms()
	form, known := forms[name]
	if !known {
		return fmt.Errorf("unknown field %q; the settings are %s", name, describeSettings(forms))
	}
	one, err := json.Marshal(map[string]json.RawMessage{name: value})
	if err == nil && json.Unmarshal(one, &token.Settings{}) != nil {
		err = fmt.Errorf("%s is %.100s; it must be %s, or null for the default", name, value, form)
	}
	return err
}

func describeSettings(forms map[string]string) string {
	var described []string
	for _, name := range []string{"strictMembers", "noContent", "resourceTypes", "rateLimit", "deprovisioning", "profile"} {
		described = append(described, name+" ("+forms[name]+")")
	}
	return strings.Join(described, ", ")
}

func (a Admin) validateSettings(s token.Settings) error {
	var names []string
	for _, rt := range a.Directory.Store.Types.ResourceTypes {
		names = append(names, rt.Name)
	}
	for _, name := range s.ResourceTypes {
		if !slices.Contains(names, name) {
			return fmt.Errorf("there is no resource type %q; the resource types are %s", name, strings.Join(names, ", "))
		}
	}
	switch {
	case s.RateLimit != nil && (*s.RateLimit < 0 || *s.RateLimit > 100_000):
		return fmt.Errorf("rateLimit is %d; it must be from 0 (no limit) to 100000 requests per second, or null for the "+
			"limit of the service", *s.RateLimit)
	case s.Deprovisioning < 0 || s.Deprovisioning > 100:
		return fmt.Errorf("deprovisioning is %d; it must be from 1 to 100 percent, or 0 for no limit", s.Deprovisioning)
	case s.Profile != "" && s.Profile != token.ProfileInterop:
		return fmt.Errorf("profile is %.100q; it must be %q or %q", s.Profile, token.ProfileLenient, token.ProfileInterop)
	}
	return nil
}
