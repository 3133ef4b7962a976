package scim

import "strings"

// isPreRFCCoreURN reports whether urn is a core schema's URN from before the RFCs. OneLogin still sends such URNs.
func isPreRFCCoreURN(urn string) bool {
	return strings.HasPrefix(lowerASCII(urn), "urn:scim:schemas:core:")
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
