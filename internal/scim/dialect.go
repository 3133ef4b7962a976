package scim

import "strings"

// isPreRFCCoreURN tells the URN that every core schema had before the RFCs. OneLogin still sends it.
func isPreRFCCoreURN(urn string) bool {
	return strings.HasPrefix(lowerASCII(urn), "urn:scim:schemas:core:")
}

// canonicalURN is the URN of a schema under the names that it had before the RFCs, which OneLogin still sends, in lower
// case.
func canonicalURN(urn string) string {
	switch urn = lowerASCII(urn); urn {
	case "urn:scim:schemas:extension:enterprise:1.0", "urn:scim:schemas:extension:enterprise:2.0":
		return "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user"
	}
	return urn
}
