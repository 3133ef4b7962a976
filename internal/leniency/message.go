package leniency

import (
	"fmt"
	"slices"
	"strings"
)

// RecordMessage records how a message, such as a PATCH request, departs from the RFCs: its attribute schemas is not the URN
// alone, or it has another name than these. It returns the error of Apply.
func RecordMessage(s *Set, message map[string]any, urn string, names ...string) error {
	var urns any
	for name, v := range message {
		if strings.EqualFold(name, "schemas") {
			urns = v
		}
	}
	list, _ := urns.([]any)
	others := 0
	for _, u := range list {
		if text, ok := u.(string); !ok || !strings.EqualFold(text, urn) {
			others++
			if err := s.Apply(SchemasUnknown, fmt.Sprint(u)); err != nil {
				return err
			}
		}
	}
	switch {
	case urns == nil:
		s.Add(SchemasMissing)
	case others == len(list):
		s.Add(SchemasIncomplete)
	}
	return RecordUnknownNames(s, message, names...)
}

// RecordUnknownNames records that an object of a message has another name than these, in any case. It returns
// the error of Apply.
func RecordUnknownNames(s *Set, o map[string]any, names ...string) error {
	for name := range o {
		if !slices.ContainsFunc(names, func(n string) bool { return n == name || strings.EqualFold(n, name) }) {
			if err := s.Apply(MessageNameUnknown, name); err != nil {
				return err
			}
		}
	}
	return nil
}
