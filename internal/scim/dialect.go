package scim

import (
	"cmp"
	"slices"
	"strings"

	"serverless-scim/internal/leniency"
)

// isPreRFCCoreURN reports whether urn is a core schema's URN from before the RFCs. OneLogin still sends such URNs.
func isPreRFCCoreURN(urn string) bool { return hasURNPrefix(urn, "urn:scim:schemas:core:") }

// hasURNPrefix reports whether urn begins with prefix, in any case.
func hasURNPrefix(urn, prefix string) bool {
	return len(urn) >= len(prefix) && lowerASCII(urn[:len(prefix)]) == prefix
}

// canonicalURN returns urn in lower case. It replaces the URNs that the enterprise extension had before the RFCs,
// because OneLogin still sends them.
func canonicalURN(urn string) string {
	switch urn = lowerASCII(urn); urn {
	case "urn:scim:schemas:extension:enterprise:1.0", "urn:scim:schemas:extension:enterprise:2.0":
		return "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user"
	}
	return urn
}

// RecordDraftURN records that a request names a schema by its URN from before the RFCs. The profile can refuse that.
func RecordDraftURN(l *leniency.Set, urn string) error {
	if hasURNPrefix(urn, "urn:scim:schemas:") {
		return l.Apply(leniency.DraftURN, urn)
	}
	return nil
}

// recordSchemas records how the attribute schemas of a create or replace request departs from RFC 7643 §3: it must have the
// URN of the resource type, and may have those of extensions. The profile can refuse other URNs.
func (rt *ResourceType) recordSchemas(l *leniency.Set, raw Object) error {
	urns, hasCore := raw.Get("schemas"), false
	list, _ := urns.([]any)
	for _, u := range list {
		urn, _ := u.(string)
		err := RecordDraftURN(l, urn)
		isCore := strings.EqualFold(urn, rt.core.ID) || isPreRFCCoreURN(urn)
		if hasCore = hasCore || isCore; !isCore && rt.extension(urn) == nil {
			err = cmp.Or(err, l.Apply(leniency.SchemasUnknown, urn))
		}
		if err != nil {
			return err
		}
	}
	if urns == nil {
		l.Add(leniency.SchemasMissing)
	} else if !hasCore {
		l.Add(leniency.SchemasIncomplete)
	}
	return nil
}

// recordExtension records that a create or replace request has an extension under a draft's URN, or one that the attribute
// schemas does not list. The profile can refuse the draft's URN.
func (rt *ResourceType) recordExtension(l *leniency.Set, raw Object, name string, ext *Schema) error {
	list, _ := raw.Get("schemas").([]any)
	isListed := func(u any) bool { return u == ext.ID }
	isListedInAnySpelling := func(u any) bool { urn, _ := u.(string); return rt.extension(urn) == ext }
	if list != nil && !slices.ContainsFunc(list, isListed) && !slices.ContainsFunc(list, isListedInAnySpelling) {
		l.Add(leniency.SchemasIncomplete)
	}
	return RecordDraftURN(l, name)
}
