package patch

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"serverless-scim/internal/scim"
)

func TestDecodeReadsRequests(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ want, body string }{ // want: op, path and value of each operation
		{`add title "T"`,
			`{"schemas": ["` + PatchOpSchema + `"], "Operations": [{"op": "add", "path": "title", "value": "T"}]}`},
		{`add name.givenName null`, `{"operations": [{"OP": "Add", "Path": "name.givenName", "Value": null}]}`},
		{`replace  {"a":[1]}; remove emails[type eq "work"] null`,
			`{"SCHEMAS": ["x", "` + strings.ToUpper(PatchOpSchema) + `"], "Operations": [
			 {"op": "REPLACE", "value": {"a": [1]}}, {"op": "Remove", "path": "emails[type eq work]"}]}`},
		{`replace  []; add  {}`,
			`{"Operations": [{"op": "replace", "path": "", "value": []}, {"op": "add", "path": null, "value": {}}]}`},
		{`remove members [{"value":"a"}]`, `{"Operations": [{"op": "remove", "path": "members", "value": [{"value": "a"}]}]}`},
	} {
		ops, err := Decode([]byte(c.body), nil)
		var got []string
		for _, op := range ops {
			path := ""
			if op.Path != nil {
				path = op.Path.String()
			}
			got = append(got, op.Op+" "+path+" "+strings.Join(strings.Fields(text(op.Value)), ""))
		}
		if strings.Join(got, "; ") != c.want || err != nil {
			t.Errorf("%s\ngot %q, %v\nwant %q", c.body, got, err, c.want)
		}
	}
}

func TestDecodeRejects(t *testing.T) {
	t.Parallel()
	withOperations := func(n int) string {
		return `{"Operations": [` + strings.Repeat(`{"op": "add", "value": {}},`, n-1) + `{"op": "add", "value": {}}]}`
	}
	if ops, err := Decode([]byte(withOperations(1000)), nil); err != nil || len(ops) != 1000 {
		t.Errorf("1,000 operations: %d, %v; want all", len(ops), err)
	}
	for _, c := range []struct{ want, body string }{
		{"413 ", withOperations(1001)},
		{"400 invalidSyntax", ``},
		{"400 invalidSyntax", `[]`},
		{"400 invalidSyntax", `{}`},
		{"400 invalidSyntax", `{"Operations": []}`},
		{"400 invalidSyntax", `{"Operations": {}}`},
		{"400 invalidSyntax", `{"Operations": ["add"]}`},
		{"400 invalidSyntax", `{"Operations": [{"op": "add", "value": {}}], "operations": []}`},
		{"400 invalidSyntax", `{"Operations": [{"op": "add", "OP": "remove", "value": {}}]}`},
		{"400 invalidSyntax", `{"schemas": ["urn:x"], "Operations": [{"op": "add", "value": {}}]}`},
		{"400 invalidSyntax", `{"schemas": [], "Operations": [{"op": "add", "value": {}}]}`},
		{"400 invalidSyntax", `{"schemas": "` + PatchOpSchema + `", "Operations": [{"op": "add", "value": {}}]}`},
		{"400 invalidSyntax", `{"Operations": [{"value": {}}]}`},
		{"400 invalidSyntax", `{"Operations": [{"op": 1, "value": {}}]}`},
		{"400 invalidSyntax", `{"Operations": [{"op": "move", "value": {}}]}`},
		{"400 invalidValue", `{"Operations": [{"op": "add", "path": "title"}]}`},
		{"400 invalidValue", `{"Operations": [{"op": "replace"}]}`},
		{"400 invalidPath", `{"Operations": [{"op": "add", "path": 1, "value": 1}]}`},
		{"400 invalidPath", `{"Operations": [{"op": "add", "path": "a b", "value": 1}]}`},
		{"400 invalidPath", `{"Operations": [{"op": "add", "path": "emails[", "value": 1}]}`},
		{"400 noTarget", `{"Operations": [{"op": "remove"}]}`},
		{"400 noTarget", `{"Operations": [{"op": "remove", "path": ""}]}`},
		{"400 noTarget", `{"Operations": [{"op": "add", "path": "title", "value": "T"},
		 {"op": "remove", "value": {"title": "T"}}]}`},
	} {
		ops, err := Decode([]byte(c.body), nil)
		var e *scim.Error
		if !errors.As(err, &e) || strconv.Itoa(e.Status)+" "+e.Type != c.want || ops != nil {
			t.Errorf("%.100s: %v, %v; want %s", c.body, ops, err, c.want)
		}
	}
}
