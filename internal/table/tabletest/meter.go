package tabletest

import (
	"strings"

	"serverless-scim/internal/table"
)

func meterRules() []rule {
	return []rule{
		{"units", "calls are charged as DynamoDB bills them: per 4 KB read, per 1 KB written, doubled in transactions",
			checkUnits},
		{"usage", "a Metered table counts calls, round trips, and items", checkUsage},
	}
}

func checkUnits(s *subject) {
	pad := func(n int) string { return strings.Repeat("x", n) }
	small, large := item(key("p", "small")), item(key("p", "zlarge"), "x", pad(5000))
	deleted, shrunk := item(key("q", "deleted"), "x", pad(1500)), item(key("q", "shrunk"), "x", pad(5000))
	s.put(small, large, deleted, shrunk)
	missing := key("p", "missing")
	exists := []table.Condition{table.Exists()}
	for name, t := range map[string]struct {
		call        func(s subject) error
		read, write float64
	}{
		"get":       {func(s subject) error { _, err := s.Get(s.ctx, nil, small.Key()); return err }, 1, 0},
		"get large": {func(s subject) error { _, err := s.Get(s.ctx, nil, large.Key()); return err }, 2, 0},
		"get attributes": {func(s subject) error {
			_, err := s.Get(s.ctx, []string{"PK"}, small.Key(), large.Key())
			return err
		}, 3, 0},
		"get missing": {func(s subject) error { _, err := s.Get(s.ctx, nil, missing); return err }, 1, 0},
		"get both": {func(s subject) error {
			_, err := s.Get(s.ctx, nil, small.Key(), large.Key())
			return err
		}, 3, 0},
		"snapshot": {func(s subject) error {
			_, err := s.Snapshot(s.ctx, small.Key(), large.Key(), missing)
			return err
		}, 8, 0},
		"query": {func(s subject) error { _, err := s.Query(s.ctx, table.Range{PK: "p"}); return err }, 2, 0},
		"put":   {func(s subject) error { return s.Write(s.ctx, table.Put{Item: item(key("q", "put"))}) }, 0, 2},
		"put large": {func(s subject) error {
			return s.Write(s.ctx, table.Put{Item: item(key("q", "1k"), "x", pad(1024))})
		}, 0, 4},
		"put smaller": {func(s subject) error { return s.Write(s.ctx, table.Put{Item: item(shrunk.Key())}) }, 0, 10},
		"check": {func(s subject) error {
			return s.Write(s.ctx, table.ConditionCheck{Key: small.Key(), If: exists})
		}, 0, 2},
		"delete": {func(s subject) error { return s.Write(s.ctx, table.Delete{Key: deleted.Key()}) }, 0, 4},
		"update large": {func(s subject) error {
			return s.Write(s.ctx, table.Update{Key: large.Key(), Add: table.Item{"n": value(1)}})
		}, 0, 10},
	} {
		ctx, usage := table.WithUsage(s.ctx)
		if err := t.call(subject{T: s.T, Table: s.Table, ctx: ctx}); err != nil {
			s.Errorf("%s: %v", name, err)
		}
		if u := usage(); u.ReadUnits != t.read || u.WriteUnits != t.write {
			s.Errorf("%s: %v read and %v write units, want %v and %v", name, u.ReadUnits, u.WriteUnits, t.read, t.write)
		}
	}
}

func checkUsage(s *subject) {
	ctx, usage := table.WithUsage(s.ctx)
	m := subject{T: s.T, Table: table.Metered{Table: s.Table}, ctx: ctx}
	a, b := item(key("p", "a")), item(key("p", "b"))
	notExists := []table.Condition{table.NotExists()}
	m.write(table.Put{Item: a}, table.Put{Item: b}, table.ConditionCheck{Key: key("p", "c"), If: notExists})
	m.query(table.Range{PK: "p"})
	_, getErr := m.Get(ctx, nil, a.Key(), b.Key(), key("p", "c"))
	_, noKeysErr := m.Get(ctx, nil)
	err := m.Write(ctx, table.Put{Item: a, If: notExists})
	if err == nil || getErr != nil || noKeysErr != nil {
		s.Errorf("Write: %v, want an error; Get: %v, without keys: %v", err, getErr, noKeysErr)
	}
	u := usage()
	u.ReadUnits, u.WriteUnits = 0, 0
	if want := (table.Usage{Calls: 4, RoundTrips: 4, ItemsRead: 4, ItemsWritten: 2}); u != want {
		s.Errorf("usage %+v, want %+v", u, want)
	}
}
