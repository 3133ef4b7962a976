package store

import "serverless-scim/internal/table"

// An Origin says what made a change. In a head item, it is the last change that moved ver or gver. The attributes are absent if
// the request is not known. For example, the sweep may have finished a change of an older version of this program.
type Origin struct {
	Request   string `dynamodbav:"txn,omitempty"` // ID of the request
	Token     string `dynamodbav:"by,omitempty"`  // ID of the token of the request
	Operation string `dynamodbav:"op,omitempty"`  // OperationPut if the request replaced the resource
}

// OperationPut is the Operation of a request that replaces a resource (RFC 7644 §3.5.1).
const OperationPut = "put"

// Stamp makes an update of a head item record the origin instead of the previous one.
func (o Origin) Stamp(u *table.Update) {
	if u.Set == nil {
		u.Set = table.Item{}
	}
	for _, attribute := range [...][2]string{{"txn", o.Request}, {"by", o.Token}, {"op", o.Operation}} {
		if attribute[1] != "" {
			u.Set[attribute[0]] = table.S(attribute[1])
		} else {
			u.Remove = append(u.Remove, attribute[0])
		}
	}
}
