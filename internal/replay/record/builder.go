package record

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"serverless-scim/internal/replay"
)

// recordingBuilder makes the files of a conversation.
type recordingBuilder struct {
	options Options
	ids     map[string]bool
	start   time.Time
	steps   []recordedStep
	report  Report
}

type recordedStep struct {
	name  string
	event recordedEvent
	want  replay.Expectation
}

func (b *recordingBuilder) leaveOut(reason string, n int) {
	i := slices.IndexFunc(b.report.LeftOut, func(l LeftOut) bool { return l.Reason == reason })
	switch {
	case n == 0:
	case i < 0:
		b.report.LeftOut = append(b.report.LeftOut, LeftOut{reason, n})
	default:
		b.report.LeftOut[i].Count += n
	}
}

// learn lets the scrubber collect values from all exchanges, also from those that are left out.
func (b *recordingBuilder) learn(s *scrubber, all []*exchange) {
	s.learning = true
	for _, x := range all {
		s.group = strings.EqualFold(x.endpoint, "Groups")
		s.learnToken(x.Request.Header.Get("Authorization"))
		s.json(x.RequestBody)
		if !slices.Contains(discoveryEndpoints, x.endpoint) {
			s.json(x.Response.Body)
		}
		s.query(x.query)
		s.segment(x.endpoint, x.id)
	}
	s.learning = false
}

// scrub adds the step of an exchange, or sets the reason why it is left out.
func (b *recordingBuilder) scrub(s *scrubber, x *exchange) {
	s.group, s.list, s.failure = strings.EqualFold(x.endpoint, "Groups"), x.Response.Body, ""
	target, query := s.target(x), s.query(x.query)
	if s.personal && query.Has("filter") && bytes.Contains(x.Response.Body, []byte("invalidFilter")) {
		query.Set("filter", maskFilter(query.Get("filter")))
	}
	header := s.header(x.Request.Header, x.Response.Status)
	body := s.json(x.RequestBody)
	checked, reply := s.reply(x)
	if x.leftOut = s.failure; x.leftOut != "" {
		return
	}
	b.report.Steps++
	if x.setup {
		b.report.Setup++
	}
	event := newEvent(len(b.steps), x.method, target, header, query, body, x.Time.Sub(b.start))
	b.steps = append(b.steps, recordedStep{stepName(x), event, newExpectation(x, checked, reply)})
}

// encode returns the files of the conversation by name. The numbers have as many digits as the last one.
func (b *recordingBuilder) encode() (map[string][]byte, error) {
	files := map[string][]byte{"README.md": []byte(b.report.markdown(b.options))}
	digits := max(2, len(fmt.Sprint(len(b.steps))))
	for i, step := range b.steps {
		name := fmt.Sprintf("%0*d-%s", digits, i+1, step.name)
		for file, v := range map[string]any{name + ".json": step.event, name + ".answer.json": step.want} {
			text, err := indentedJSON(v)
			if err != nil {
				return nil, fmt.Errorf("record: %s: %w", file, err)
			}
			files[file] = text
		}
	}
	return files, nil
}

// countKinds counts replacements by their kind, in order of the first one.
func countKinds(replaced []Replacement) (kinds []ReplacedKind) {
	for _, r := range replaced {
		i := slices.IndexFunc(kinds, func(k ReplacedKind) bool { return k.Kind == r.Kind })
		if i < 0 {
			i = len(kinds)
			kinds = append(kinds, ReplacedKind{Kind: r.Kind, Example: r.MadeUp})
		}
		kinds[i].Values++
		kinds[i].Count += r.Count
	}
	return kinds
}

// markdown returns the report as the text of README.md.
func (r Report) markdown(o Options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Recorded conversation\n\n%d requests.", r.Steps)
	if r.Setup > 0 {
		fmt.Fprintf(&b, " The first %d create resources that existed before the recording.", r.Setup)
	}
	b.WriteString(" Tokens and passwords were replaced.")
	if o.KeepPersonal {
		b.WriteString(" **Personal data was not.** Do not give this folder to others.")
	}
	b.WriteString("\n\n| replaced | values | places | example of a made-up value |\n|---|---|---|---|\n")
	cell := strings.NewReplacer("|", `\|`, "\n", " ", "\r", " ", "`", "'")
	for _, k := range r.Replaced {
		fmt.Fprintf(&b, "| %s | %d | %d | `%.60s` |\n", cell.Replace(k.Kind), k.Values, k.Count, cell.Replace(k.Example))
	}
	if len(r.LeftOut) > 0 {
		b.WriteString("\nThese exchanges were left out:\n\n")
	}
	for _, l := range r.LeftOut {
		fmt.Fprintf(&b, "- %d: %s\n", l.Count, l.Reason)
	}
	return b.String()
}
