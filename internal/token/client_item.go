package token

import (
	"encoding/json"
	"fmt"
	"time"

	"serverless-scim/internal/table"
)

// clientItem is the stored form of a Client. Times are in seconds of Unix time.
type clientItem struct {
	table.Key
	Label         string `dynamodbav:"label"`
	Scope         Scope  `dynamodbav:"scope"`
	Created       int64  `dynamodbav:"created"`
	TokenLifetime int64  `dynamodbav:"lifetime"`            // in seconds
	Secrets       string `dynamodbav:"secrets,omitempty"`   // JSON of []storedSecret
	Assertion     string `dynamodbav:"assertion,omitempty"` // JSON of storedRule
	Version       int64  `dynamodbav:"ver"`
}

// A storedSecret is the stored form of a ClientSecret. The ID is the start of the hash.
type storedSecret struct {
	Hash      string `json:"hash"`
	Created   int64  `json:"created"`
	ExpiresAt int64  `json:"ends"`
}

// A storedRule is the stored form of an AssertionRule.
type storedRule struct {
	Issuer   string          `json:"issuer"`
	Subject  string          `json:"subject"`
	Audience string          `json:"audience,omitempty"`
	Keys     json.RawMessage `json:"keys,omitempty"`
	KeysURL  string          `json:"url,omitempty"`
}

func clientPartition(tenant string) string { return table.EscapeKeyPart(tenant) + "#client" }

func clientKey(tenant, id string) table.Key { return table.Key{PK: clientPartition(tenant), SK: id} }

// decodeClient decodes the item of a client of a tenant. An error does not contain the item, which holds hashes.
func decodeClient(tenant string, it table.Item) (Client, error) {
	var i clientItem
	if err := unmarshalItem(it, &i); err != nil {
		return Client{}, err
	}
	c := Client{ID: i.SK, Label: i.Label, Tenant: tenant, Scope: i.Scope, Created: fromUnix(i.Created),
		TokenLifetime: time.Duration(i.TokenLifetime) * time.Second, version: i.Version}
	var secrets []storedSecret
	if i.Secrets != "" && json.Unmarshal([]byte(i.Secrets), &secrets) != nil {
		return Client{}, fmt.Errorf("token: corrupt secrets of client %q", i.SK)
	}
	for _, s := range secrets {
		if len(s.Hash) != hashDigits {
			return Client{}, fmt.Errorf("token: corrupt secrets of client %q", i.SK)
		}
		c.Secrets = append(c.Secrets, ClientSecret{tokenID(s.Hash), fromUnix(s.Created), fromUnix(s.ExpiresAt), s.Hash})
	}
	if i.Assertion == "" {
		return c, nil
	}
	var rule storedRule
	if json.Unmarshal([]byte(i.Assertion), &rule) != nil {
		return Client{}, fmt.Errorf("token: corrupt assertion rule of client %q", i.SK)
	}
	c.Assertion = (*AssertionRule)(&rule)
	return c, nil
}

// item is the inverse of decodeClient.
func (c *Client) item() table.Item {
	i := clientItem{Key: clientKey(c.Tenant, c.ID), Label: c.Label, Scope: c.Scope, Created: toUnix(c.Created),
		TokenLifetime: int64(c.TokenLifetime / time.Second), Version: c.version}
	var secrets []storedSecret
	for _, s := range c.Secrets {
		secrets = append(secrets, storedSecret{s.hash, toUnix(s.Created), toUnix(s.ExpiresAt)})
	}
	if secrets != nil {
		i.Secrets = marshalJSON(secrets)
	}
	if c.Assertion != nil {
		i.Assertion = marshalJSON((*storedRule)(c.Assertion))
	}
	return marshalItem(i)
}
