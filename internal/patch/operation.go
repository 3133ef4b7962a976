package patch

import (
	"errors"
	"strings"

	"serverless-scim/internal/filter"
	"serverless-scim/internal/leniency"
	"serverless-scim/internal/scim"
)

// The values of Operation.Op.
const (
	Add     = "add"
	Replace = "replace"
	Remove  = "remove"
)

// An Operation is one operation of a PATCH request.
type Operation struct {
	Op    string       // Add, Replace or Remove
	Path  *filter.Path // nil for the whole resource, which Remove does not allow
	Value any          // from scim.Parse; nil for null, or for a Remove without a value

	leniency *leniency.Set // of the request; may be nil
}

// PatchOpSchema is the schema URN of a PATCH request.
const PatchOpSchema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// maxOperations bounds the work of one request, because each operation can read all values of an attribute.
const maxOperations = 1000

// Decode decodes the body of a PATCH request. The error is a *scim.Error with status 400, or with status 413 if the
// request has more than 1,000 operations, or a *leniency.RefusedError. Decode, and the functions that take the operations,
// record in l how the request departs from the RFCs; l may be nil.
func Decode(body []byte, l *leniency.Set) ([]Operation, error) {
	o, err := scim.ParseObject(body)
	if err != nil {
		return nil, err
	}
	if urns := o.Get("schemas"); urns != nil && !containsURN(urns, PatchOpSchema) {
		return nil, scim.BadRequest(scim.InvalidSyntax, "schemas does not contain %s. Add this URN.", PatchOpSchema)
	}
	if err := leniency.RecordMessage(l, o, PatchOpSchema, "schemas", "Operations"); err != nil {
		return nil, err
	}
	list, _ := o.Get("Operations").([]any)
	if len(list) == 0 {
		return nil, scim.BadRequest(scim.InvalidSyntax, "Operations must be an array of at least one operation.")
	}
	if len(list) > maxOperations {
		return nil, &scim.Error{Status: 413, Detail: "The request has more than 1,000 operations. Send several requests."}
	}
	ops := make([]Operation, len(list))
	for i, raw := range list {
		if ops[i], err = decodeOperation(raw, l); err != nil {
			return nil, err
		}
	}
	return ops, nil
}

// containsURN reports whether urns, the value of the attribute schemas, is an array with urn in any case.
func containsURN(urns any, urn string) bool {
	list, _ := urns.([]any)
	for _, u := range list {
		if s, ok := u.(string); ok && strings.EqualFold(s, urn) {
			return true
		}
	}
	return false
}

// decodeOperation decodes and checks one element of Operations.
func decodeOperation(raw any, l *leniency.Set) (op Operation, err error) {
	op.leniency = l
	o, ok := raw.(scim.Object)
	if !ok {
		return op, scim.BadRequest(scim.InvalidSyntax, "Each element of Operations must be an object.")
	}
	if err := leniency.RecordUnknownNames(l, o, "op", "path", "value"); err != nil {
		return op, err
	}
	name, _ := o.Get("op").(string)
	if op.Op = strings.ToLower(name); op.Op != name { // Entra ID sends Add, Replace, Remove
		l.Add(leniency.OpCase)
	}
	if op.Op != Add && op.Op != Replace && op.Op != Remove {
		return op, scim.BadRequest(scim.InvalidSyntax, "The op %q is unknown. Send add, replace or remove.", name)
	}
	if op.Path, err = decodePath(o.Get("path"), l); err != nil {
		return op, err
	}
	if op.Path == nil && l.IsInterop() {
		return op, scim.BadRequest(scim.InvalidSyntax, "The operation %s has no path. Send an operation with a path for each attribute%s",
			op.Op, leniency.InteropReason)
	}
	if op.Path == nil && op.Op == Remove {
		return op, scim.BadRequest(scim.NoTarget, "The operation remove has no path. Send the path of an attribute.")
	}
	if !hasName(o, "value") && op.Op != Remove {
		return op, scim.BadRequest(scim.InvalidValue, "The operation %s has no value. Send one or null.", op.Op)
	}
	op.Value = o.Get("value")
	return op, nil
}

// decodePath parses a path. It returns nil for null and "".
func decodePath(raw any, l *leniency.Set) (*filter.Path, error) {
	if raw == "" {
		l.Add(leniency.PathEmpty)
		return nil, nil
	}
	if raw == nil {
		return nil, nil
	}
	s, ok := raw.(string)
	if !ok {
		return nil, scim.BadRequest(scim.InvalidPath, "path must be a string.")
	}
	p, err := filter.ParsePath(s, l)
	if e := (*filter.Error)(nil); errors.As(err, &e) {
		return nil, scim.BadRequest(scim.InvalidPath, "The path is invalid at offset %d: %s.", e.Offset, e.Detail)
	}
	return &p, nil
}

// hasName reports whether o has a name, in any case, even with a null value.
func hasName(o scim.Object, name string) bool {
	for n := range o {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}
