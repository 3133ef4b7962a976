package leniency

// A Rule is one way in which a request can depart from the RFCs and is accepted nevertheless.
type Rule uint8

// The rules, sorted by name. A Set has room for 64.
const (
	BooleanAsString Rule = iota
	BulkDataAsString
	BulkMethodCase
	BulkPathSlashes
	ComplexAsString
	ContentTypeMissing
	ContentTypeParameter
	DraftURN
	EmptiedElementRemoved
	EmptyElement
	EmptyString
	FilterAfterBrackets
	FilterComplex
	FilterUnquoted
	FilterWhiteSpace
	MessageNameUnknown
	NotCompressed
	OpCase
	ParameterCase
	ParameterEmpty
	ParameterType
	ParameterUnknown
	PasswordDropped
	PathAsName
	PathCase
	PathEmpty
	ReadOnlyInPatch
	RemoveByValue
	RemoveNameRepeated
	RemoveValueIgnored
	RequestedAttributeFilter
	RequestedAttributeUnknown
	SchemasIncomplete
	SchemasMissing
	SchemasUnknown
	SortOrderCase
	TokenAlone
	TokenAsPassword
	TrailingSlash
	UnknownAttribute
	UnknownMembers
	ValueInArray
	ValueNotInArray
	ValuePathCreates
	count
)

// rules holds the name and the sentence of each rule.
var rules = [count]struct{ name, sentence string }{
	BooleanAsString:           {"boolean-as-string", `A boolean is a string, such as "True", which was read as a boolean.`},
	BulkDataAsString:          {"bulk-data-as-string", "The data of a bulk operation is a string, which was read as JSON."},
	BulkMethodCase:            {"bulk-method-case", "The method of a bulk operation is not in upper case."},
	BulkPathSlashes:           {"bulk-path-slashes", "The path of a bulk operation does not begin with one slash, or it ends with a slash."},
	ComplexAsString:           {"complex-as-string", "A complex attribute is a string, such as the ID of a manager, which was read as its sub-attribute value."},
	ContentTypeMissing:        {"content-type-missing", "The request has no Content-Type, and its body was read as JSON."},
	ContentTypeParameter:      {"content-type-parameter", "The Content-Type has a parameter other than charset=utf-8, which was ignored: the body was read as UTF-8."},
	DraftURN:                  {"draft-urn", "A schema has the URN of a draft of SCIM, such as urn:scim:schemas:core:1.0, which was read as that of the RFCs."},
	EmptiedElementRemoved:     {"emptied-element-removed", "A replace removed the last content of a value, and its type and primary were removed too."},
	EmptyElement:              {"empty-element", "An array has null or an element without known values, which was left out."},
	EmptyString:               {"empty-string", "An attribute is an empty string, which was read as no value."},
	FilterAfterBrackets:       {"filter-after-brackets", `A filter compares a sub-attribute after brackets, as in emails[type eq "work"].value eq "x".`},
	FilterComplex:             {"filter-complex", `A filter or sortBy names a single complex attribute, as in manager eq "x", which was read as its sub-attribute value.`},
	FilterUnquoted:            {"filter-unquoted", "A filter compares with a word without quotes, which was read as a string."},
	FilterWhiteSpace:          {"filter-white-space", "A filter or path does not have exactly one space between its words."},
	MessageNameUnknown:        {"message-name-unknown", "A message has a name that the RFCs do not define for it, which was ignored."},
	NotCompressed:             {"not-compressed", "Content-Encoding is gzip, but the body is not compressed, perhaps because API Gateway has decompressed it."},
	OpCase:                    {"op-case", "The op of a PATCH operation is not in lower case, as in Replace."},
	ParameterCase:             {"parameter-case", "A query parameter has another case, as in startindex."},
	ParameterEmpty:            {"parameter-empty", "count or startIndex is empty, and the default was used."},
	ParameterType:             {"parameter-type", "A parameter of a search has the wrong JSON type, such as a string instead of a number or an array."},
	ParameterUnknown:          {"parameter-unknown", "The query string has a parameter that the RFCs do not define, which was ignored."},
	PasswordDropped:           {"password-dropped", "A password or another write-only attribute was checked and then dropped."},
	PathAsName:                {"path-as-name", "A PATCH value without a path has a path as a name, such as name.givenName, which was followed."},
	PathCase:                  {"path-case", "The URL spells an endpoint in another case, as in /users."},
	PathEmpty:                 {"path-empty", "The path of a PATCH operation is an empty string, which was read as no path."},
	ReadOnlyInPatch:           {"read-only-in-patch", "A PATCH value has a read-only attribute, such as id, which was ignored."},
	RemoveByValue:             {"remove-by-value", "A remove has a value, and only the listed values were removed."},
	RemoveNameRepeated:        {"remove-name-repeated", `The value of a remove repeats the name of the attribute, as in {"members": […]}, which was unwrapped.`},
	RemoveValueIgnored:        {"remove-value-ignored", "A remove has a value for a path that needs none, which was ignored."},
	RequestedAttributeFilter:  {"requested-attribute-filter", "attributes or excludedAttributes has a filter in brackets, which was ignored."},
	RequestedAttributeUnknown: {"requested-attribute-unknown", "attributes or excludedAttributes names an unknown attribute, which was ignored."},
	SchemasIncomplete:         {"schemas-incomplete", "schemas lacks the URN of the message, of the resource type, or of an extension that the body has."},
	SchemasMissing:            {"schemas-missing", "The body has no schemas."},
	SchemasUnknown:            {"schemas-unknown", "schemas has a URN that does not belong there, which was ignored."},
	SortOrderCase:             {"sort-order-case", "sortOrder is not in lower case."},
	TokenAlone:                {"token-alone", "The Authorization header is the token alone, without the word Bearer."},
	TokenAsPassword:           {"token-as-password", "The token was sent as the password of HTTP Basic authentication, which the server does not announce."},
	TrailingSlash:             {"trailing-slash", "The URL ends with a slash, which was ignored."},
	UnknownAttribute:          {"unknown-attribute", "The body has an attribute that the schema does not have, which was left out."},
	UnknownMembers:            {"unknown-members", "A group has members that do not exist, which were left out."},
	ValueInArray:              {"value-in-array", "A single PATCH value is in an array, which was unwrapped."},
	ValueNotInArray:           {"value-not-in-array", "The value of a multi-valued attribute is not an array, and was read as its one element."},
	ValuePathCreates:          {"value-path-creates", "A value path matches no value, and the value was created instead of the error noTarget."},
}
