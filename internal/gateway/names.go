package gateway

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// names adds the suffix of a run to the names of a conversation, and takes it off again. It works on text, JSON or a
// filter, in which a name is what stands between quotes; letters of either case are the same, as RFC 7643 has it for
// userName and many a probe assumes.
type names struct {
	run    string
	quoted *regexp.Regexp // nil: there are no names
	suffix *regexp.Regexp
}

// filterName finds names in filters: some are probed for and never created.
var filterName = regexp.MustCompile(`(?i)\b(?:userName|displayName|externalId) eq "([^"\\]+)"`)

// namesOf collects the names of a conversation: every userName and externalId in a body, the displayName of groups, and
// what filters compare them with.
func namesOf(c Conversation, run string) names {
	found := map[string]bool{}
	for _, step := range c.Steps {
		for _, values := range step.Event.MultiValueQueryStringParameters {
			for _, v := range values {
				for _, m := range filterName.FindAllStringSubmatch(v, -1) {
					found[m[1]] = true
				}
			}
		}
		var body any
		if json.Unmarshal([]byte(step.Event.Body), &body) == nil {
			collect(body, strings.Contains(step.Event.Path, "/Groups"), found)
		}
	}
	n := names{run: run, suffix: regexp.MustCompile(`(?i)[-+]` + regexp.QuoteMeta(run))}
	var list []string
	for name := range found {
		list = append(list, regexp.QuoteMeta(name))
	}
	if list != nil {
		slices.Sort(list)
		n.quoted = regexp.MustCompile(`(?i)"(?:` + strings.Join(list, "|") + `)\\?"`)
	}
	return n
}

func collect(value any, group bool, found map[string]bool) {
	switch value := value.(type) {
	case []any:
		for _, v := range value {
			collect(v, group, found)
		}
	case map[string]any:
		for key, v := range value {
			name, _ := v.(string)
			if name != "" && (key == "userName" || key == "externalId" || key == "displayName" && group) {
				found[name] = true
			}
			collect(v, group, found)
		}
	}
}

func (n names) add(text string) string {
	if n.quoted == nil || n.run == "" {
		return text
	}
	return n.quoted.ReplaceAllStringFunc(text, func(match string) string {
		name := strings.TrimRight(match[1:], `\"`)
		return `"` + suffixed(name, n.run) + match[1+len(name):]
	})
}

func (n names) remove(text string) string {
	if n.run == "" {
		return text
	}
	return n.suffix.ReplaceAllString(text, "")
}

// suffixed is a name of this run. An address stays one (RFC 5233).
func suffixed(name, run string) string {
	if local, domain, ok := strings.Cut(name, "@"); ok {
		return local + "+" + run + "@" + domain
	}
	return name + "-" + run
}
