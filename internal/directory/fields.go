package directory

import (
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"serverless-scim/internal/table"
)

// fields reads the attributes of an item: of heads and names, of which lists are made, in a fifth of the time that
// attributevalue takes. What is absent is zero, and what has another type is damage.
type fields struct {
	table.Item
	err error
}

func (f *fields) head(h *head) {
	*h = head{Key: f.Key(), Tenant: f.text("tenant"), Doc: f.text("doc"), Display: f.text("display"),
		Created: f.text("created"), Modified: f.text("modified"), Ver: f.number("ver"), GVer: f.number("gver"),
		Groups: f.set("groups"), N: f.number("n"), Sum: f.number("sum"), Pending: f.text("pending"), Left: f.number("left"),
		Deleting: f.flag("deleting")}
}

func (f *fields) damaged(name string) {
	if f.err == nil {
		f.err = fmt.Errorf("the attribute %s is a %T", name, f.Item[name])
	}
}

func (f *fields) text(name string) string {
	switch v := f.Item[name].(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case nil:
	default:
		f.damaged(name)
	}
	return ""
}

func (f *fields) number(name string) int64 {
	switch v := f.Item[name].(type) {
	case *types.AttributeValueMemberN:
		if n, err := strconv.ParseInt(v.Value, 10, 64); err == nil {
			return n
		}
		f.damaged(name)
	case nil:
	default:
		f.damaged(name)
	}
	return 0
}

func (f *fields) set(name string) []string {
	switch v := f.Item[name].(type) {
	case *types.AttributeValueMemberSS:
		return v.Value
	case nil:
	default:
		f.damaged(name)
	}
	return nil
}

func (f *fields) flag(name string) bool {
	switch v := f.Item[name].(type) {
	case *types.AttributeValueMemberBOOL:
		return v.Value
	case nil:
	default:
		f.damaged(name)
	}
	return false
}
