package patch

import (
	"errors"
	"strings"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/scim"
)

// PatchOpSchema is the schema of a PATCH request.
const PatchOpSchema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// maxOperations bounds one request, because each operation can look at all of an attribute.
const maxOperations = 1000

// Decode reads the body of a PATCH request: at most 1,000 operations. Its errors are *scim.Error with status 400, and
// 413 for more operations.
func Decode(body []byte) ([]Operation, error) {
	o, err := scim.ParseObject(body)
	if err != nil {
		return nil, err
	}
	if urns := o.Get("schemas"); urns != nil && !containsURN(urns, PatchOpSchema) {
		return nil, scim.BadRequest(scim.InvalidSyntax, "schemas does not name %s. Send a PATCH message.", PatchOpSchema)
	}
	list, _ := o.Get("Operations").([]any)
	if len(list) == 0 {
		return nil, scim.BadRequest(scim.InvalidSyntax, "Operations must be an array of at least one operation.")
	}
	if len(list) > maxOperations {
		return nil, &scim.Error{Status: 413, Detail: "More than 1,000 operations. Send them in several requests."}
	}
	ops := make([]Operation, len(list))
	for i, raw := range list {
		if ops[i], err = decodeOperation(raw); err != nil {
			return nil, err
		}
	}
	return ops, nil
}

func containsURN(urns any, urn string) bool {
	list, _ := urns.([]any)
	for _, u := range list {
		if s, ok := u.(string); ok && strings.EqualFold(s, urn) {
			return true
		}
	}
	return false
}

func decodeOperation(raw any) (op Operation, err error) {
	o, ok := raw.(scim.Object)
	if !ok {
		return op, scim.BadRequest(scim.InvalidSyntax, "Each of Operations must be an object.")
	}
	name, _ := o.Get("op").(string)
	op.Op = strings.ToLower(name) // Entra ID sends Add, Replace, Remove.
	if op.Op != Add && op.Op != Replace && op.Op != Remove {
		return op, scim.BadRequest(scim.InvalidSyntax, "%q is no operation. Send add, replace or remove as op.", name)
	}
	if op.Path, err = decodePath(o.Get("path")); err != nil {
		return op, err
	}
	if op.Path == nil && op.Op == Remove {
		return op, scim.BadRequest(scim.NoTarget, "A remove needs a path that says what to remove.")
	}
	if !hasName(o, "value") && op.Op != Remove {
		return op, scim.BadRequest(scim.InvalidValue, "The operation %s needs a value.", op.Op)
	}
	op.Value = o.Get("value")
	return op, nil
}

// decodePath reads a path; null and "" are none.
func decodePath(raw any) (*filter.Path, error) {
	if raw == nil || raw == "" {
		return nil, nil
	}
	s, ok := raw.(string)
	if !ok {
		return nil, scim.BadRequest(scim.InvalidPath, "path must be a string.")
	}
	p, err := filter.ParsePath(s)
	if e := (*filter.Error)(nil); errors.As(err, &e) {
		return nil, scim.BadRequest(scim.InvalidPath, "The path does not parse at offset %d: %s.", e.Offset, e.Detail)
	}
	return &p, nil
}

func hasName(o scim.Object, name string) bool {
	for n := range o {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}
