package token

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"serverless-scim/internal/table"
)

// Settings holds the options of a tenant. The zero value is the default, and works with Okta.
type Settings struct {
	// StrictMembers rejects requests that add members that do not exist. By default, such members are skipped.
	StrictMembers bool `json:"strictMembers,omitempty"`
	// NoContent makes PATCH return 204 unless the request has the attributes parameter.
	NoContent bool `json:"noContent,omitempty"`
	// ResourceTypes holds the names of the resource types that clients can use. Empty means all types.
	ResourceTypes []string `json:"resourceTypes,omitempty"`
	// RateLimit is the number of requests per second for each token. Nil means the limit of the service, 0 no limit.
	RateLimit *int `json:"rateLimit,omitempty"`
	// Deprovisioning is the percentage of users that may be deactivated or deleted within ten minutes. 0 means no
	// limit.
	Deprovisioning int `json:"deprovisioning,omitempty"`
	// Profile says which requests the server accepts. Empty means ProfileLenient.
	Profile Profile `json:"profile,omitempty"`
}

// A Profile is a set of rules for the requests of a tenant's clients. Package leniency describes the profiles.
type Profile string

// The profiles.
const (
	ProfileLenient Profile = "lenient" // accepts what identity providers send
	ProfileInterop Profile = "interop" // follows draft-zollner-scim-interop-profile
)

// A Tenant is an organization, or one connection of an identity provider. The times other than Created are zero if the
// tenant is not in the state that they name.
type Tenant struct {
	Name                    string
	Settings                Settings
	Created                 time.Time
	DisabledAt              time.Time // the tokens of a disabled tenant are rejected
	DeletedAt               time.Time // the tokens of a deleted tenant are rejected, and none can be issued
	DeprovisioningStoppedAt time.Time // deprovisioning stays blocked until an operator runs release-tenant

	version int64
}

// isActive reports whether the tokens of the tenant are accepted.
func (t *Tenant) isActive() bool { return t.DisabledAt.IsZero() && t.DeletedAt.IsZero() }

// tenantItem is the stored form of a Tenant. Times are in seconds of Unix time.
type tenantItem struct {
	table.Key
	Settings                string `dynamodbav:"settings"` // JSON
	Created                 int64  `dynamodbav:"created"`
	DisabledAt              int64  `dynamodbav:"disabled,omitempty"`
	DeletedAt               int64  `dynamodbav:"deleted,omitempty"`
	DeprovisioningStoppedAt int64  `dynamodbav:"stopped,omitempty"`
	Version                 int64  `dynamodbav:"ver"`
}

const tenantPartition = "tenant" // holds the tenant items of all tenants

func tenantKey(name string) table.Key { return table.Key{PK: tenantPartition, SK: name} }

func decodeTenant(it table.Item) (Tenant, error) {
	var i tenantItem
	if err := unmarshalItem(it, &i); err != nil {
		return Tenant{}, err
	}
	t := Tenant{
		Name:                    i.SK,
		Created:                 fromUnix(i.Created),
		DisabledAt:              fromUnix(i.DisabledAt),
		DeletedAt:               fromUnix(i.DeletedAt),
		DeprovisioningStoppedAt: fromUnix(i.DeprovisioningStoppedAt),
		version:                 i.Version,
	}
	if err := json.Unmarshal([]byte(i.Settings), &t.Settings); err != nil {
		return Tenant{}, fmt.Errorf("token: corrupt settings of tenant %q: %w", i.SK, err)
	}
	return t, nil
}

func (t *Tenant) item() table.Item {
	return marshalItem(tenantItem{
		Key:                     tenantKey(t.Name),
		Settings:                marshalJSON(t.Settings),
		Created:                 toUnix(t.Created),
		DisabledAt:              toUnix(t.DisabledAt),
		DeletedAt:               toUnix(t.DeletedAt),
		DeprovisioningStoppedAt: toUnix(t.DeprovisioningStoppedAt),
		Version:                 t.version,
	})
}

// A Token describes a token. It does not hold the token itself, which is not stored.
type Token struct {
	ID         string
	Label      string
	Scope      Scope // if it is not known, the token is rejected
	Created    time.Time
	ExpiresAt  time.Time
	LastUsedAt time.Time // to the hour; zero if the token was never used
	RotatedAt  time.Time // zero if the token has no replacement
}

// tokenItem is the stored form of a token, without the token itself. Times are in seconds of Unix time.
type tokenItem struct {
	table.Key
	Tenant       string `dynamodbav:"tenant"`
	Client       string `dynamodbav:"client,omitempty"` // ID of the client of an access token
	Label        string `dynamodbav:"label"`
	Scope        Scope  `dynamodbav:"scope"`
	Created      int64  `dynamodbav:"created"`
	CreatedNanos int    `dynamodbav:"nanos,omitempty"` // of the second Created, so that tokens of one second have an order
	ExpiresAt    int64  `dynamodbav:"ends"`
	LastUsedAt   int64  `dynamodbav:"used,omitempty"`
	RotatedAt    int64  `dynamodbav:"rotated,omitempty"`
	PurgeAt      int64  `dynamodbav:"expires"` // DynamoDB's time to live
}

// decodeToken decodes a token item. An absent attribute scope means ScopeAll, because the tokens of older tables have
// no scope.
func decodeToken(it table.Item) (i tokenItem, err error) {
	err = unmarshalItem(it, &i)
	if it["scope"] == nil {
		i.Scope = ScopeAll
	}
	return i, err
}

// item is the inverse of decodeToken.
func (i tokenItem) item() table.Item {
	it := marshalItem(i)
	if i.Scope == ScopeAll {
		delete(it, "scope")
	}
	return it
}

func (i tokenItem) token() Token {
	return Token{ID: tokenID(i.hash()), Label: i.Label, Scope: i.Scope, Created: fromUnix(i.Created),
		ExpiresAt: fromUnix(i.ExpiresAt), LastUsedAt: fromUnix(i.LastUsedAt), RotatedAt: fromUnix(i.RotatedAt)}
}

func (i tokenItem) hash() string { return strings.TrimPrefix(i.PK, "token#") }

func tokenKey(hash string) table.Key { return table.Key{PK: "token#" + hash, SK: "@"} }

// tokenListItem is the entry of a token in the list of its tenant.
type tokenListItem struct {
	table.Key
	Hash    string `dynamodbav:"hash"`
	PurgeAt int64  `dynamodbav:"expires"` // DynamoDB's time to live
}

func tokenListKey(tenant, id string) table.Key {
	return table.Key{PK: tokenListPartition(tenant), SK: id}
}

func tokenListPartition(tenant string) string { return table.EscapeKeyPart(tenant) + "#token" }

// counterPartition returns the partition of a tenant's request counters and deprovisioning counters.
func counterPartition(tenant string) string { return table.EscapeKeyPart(tenant) + "#counter" }

// marshalItem encodes one of the item structs of this package. It panics on an error, because none of them can fail.
func marshalItem(v any) table.Item {
	it, err := attributevalue.MarshalMap(v)
	if err != nil {
		panic(err)
	}
	return it
}

// marshalJSON encodes a value that an attribute holds as JSON. It panics on an error, because no such value can fail.
func marshalJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func unmarshalItem(it table.Item, v any) error {
	if err := attributevalue.UnmarshalMap(it, v); err != nil {
		return fmt.Errorf("token: corrupt item: %w", err)
	}
	return nil
}

// fromUnix converts seconds of Unix time. It returns the zero time for 0, which an absent attribute decodes to.
func fromUnix(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// toUnix is the inverse of fromUnix. It truncates to seconds.
func toUnix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
