// Command feed is a Lambda function on the stream of the table. It appends the changes of users, groups and other resources
// to the change log of their tenant. If there is an EventBridge bus, it also puts them there. Package feed does the work.
// In addition to the environment variables of package environment, it reads:
//
//   - EVENT_BUS, the name or the ARN of the bus. By default, there is none.
//   - EVENT_DETAIL, what an event contains: notice, the default, or full, which includes the resource.
package main

import (
	"context"
	"encoding/json"
	"fmt"

	"serverless-scim/functions/internal/environment"
	"serverless-scim/internal/directory"
	"serverless-scim/internal/feed"
	"serverless-scim/internal/feed/eventbridge"
	"serverless-scim/internal/scim"
	"serverless-scim/internal/store"
	"serverless-scim/internal/token"
)

func main() { environment.Start(newHandler) }

func newHandler(env func(string) string, c directory.Config) (any, error) {
	tokens := &token.Store{Table: c.Store.Table, Now: c.Store.Now}
	p := &feed.Publisher{Store: c.Store, IsActive: tokens.Exists}
	if env("EVENT_BUS") != "" {
		bus, err := newBus(env, c)
		if err != nil {
			return nil, err
		}
		p.Sinks = append(p.Sinks, bus.Send)
	}
	return handler{p}.handle, nil
}

// newBus returns the bus of the environment variables.
func newBus(env func(string) string, c directory.Config) (*eventbridge.Bus, error) {
	config := eventbridge.Config{Name: env("EVENT_BUS"), Region: env("AWS_REGION"), AccessKey: env("AWS_ACCESS_KEY_ID"),
		SecretKey: env("AWS_SECRET_ACCESS_KEY"), SessionToken: env("AWS_SESSION_TOKEN"), Log: c.Store.Log}
	switch detail := env("EVENT_DETAIL"); detail {
	case "", "notice":
	case "full":
		withoutMembers, err := scim.NewProjection(c.Store.Types.ResourceTypes, "", "members", nil)
		if err != nil {
			return nil, err
		}
		config.Render = func(ctx context.Context, tenant string, r store.ResourceState) (json.RawMessage, error) {
			return directory.New(c, tenant, "").RenderJSON(ctx, r, withoutMembers)
		}
	default:
		return nil, fmt.Errorf("the environment variable EVENT_DETAIL is %q; set it to notice or full", detail)
	}
	return eventbridge.New(config), nil
}
