package eventbridge

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"serverless-scim/internal/feed"
	"serverless-scim/internal/table"
)

// source is the source of all events.
const source = "serverless-scim"

// An event is one change as an entry of PutEvents.
type event struct {
	types.PutEventsRequestEntry
	tenant string
	change feed.ResourceChange
	full   bool // the detail contains the resource
}

// newEvent returns the event of a change. It contains the resource if the Bus renders resources, the resource exists, and
// the event is not too large.
func (b *Bus) newEvent(ctx context.Context, tenant string, e feed.ResourceChange) (*event, error) {
	v := &event{tenant: tenant, change: e}
	v.EventBusName, v.Source, v.DetailType, v.Time = &b.Name, aws.String(source), &e.Types()[0], &e.At
	v.Resources = []string{"scim:" + tenant + e.State.Type.Endpoint + "/" + e.ResourceID}
	if b.Render == nil || e.State.Head == nil {
		return v, v.setDetail(nil)
	}
	resource, err := b.Render(ctx, tenant, e.State)
	if table.IsTransient(err) {
		return nil, err
	}
	if err == nil {
		err = v.setDetail(resource)
	}
	if err != nil {
		b.log(ctx, v, "event sent without the resource", err.Error())
	}
	if err != nil || v.size() > maxCallBytes {
		err = v.setDetail(nil)
	}
	return v, err
}

// setDetail sets the detail of the event. resource is the JSON of the resource, or nil.
func (v *event) setDetail(resource json.RawMessage) error {
	detail, err := json.Marshal(feed.NewEvent(v.tenant, v.change, resource))
	v.Detail, v.full = aws.String(string(detail)), resource != nil
	return err
}

// size returns the size of the event as EventBridge calculates it.
func (v *event) size() int {
	const timeBytes = 14
	return timeBytes + len(*v.Source) + len(*v.DetailType) + len(*v.Detail) + len(v.Resources[0])
}

func (b *Bus) log(ctx context.Context, v *event, message, reason string) {
	b.Log.ErrorContext(ctx, message, "tenant", v.tenant, "changeId", v.change.EventID(v.tenant),
		"resourceId", v.change.ResourceID, "error", reason)
}
