package token

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"serverless-scim/internal/table"
)

var (
	// ErrNoTenant reports that no tenant has the name, or that a token cannot be issued because the tenant is deleted.
	ErrNoTenant = errors.New("token: the tenant does not exist")
	// ErrTenantExists reports that a tenant with the name exists already.
	ErrTenantExists = errors.New("token: a tenant with this name exists")
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
}

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

// Hash returns a short hash of the tenant's name, for log lines that must not contain the name. It returns "" if the
// name is empty.
func (t *Tenant) Hash() string {
	if t.Name == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(t.Name))
	return hex.EncodeToString(sum[:6])
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
		return Tenant{}, fmt.Errorf("token: damaged settings of tenant %q: %w", i.SK, err)
	}
	return t, nil
}

func (t *Tenant) item() table.Item {
	settings, err := json.Marshal(t.Settings)
	if err != nil {
		panic(err) // cannot fail: Settings holds only numbers, strings, and booleans
	}
	return marshalItem(tenantItem{
		Key:                     tenantKey(t.Name),
		Settings:                string(settings),
		Created:                 toUnix(t.Created),
		DisabledAt:              toUnix(t.DisabledAt),
		DeletedAt:               toUnix(t.DeletedAt),
		DeprovisioningStoppedAt: toUnix(t.DeprovisioningStoppedAt),
		Version:                 t.version,
	})
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

// CreateTenant stores a tenant with the default settings. It returns ErrTenantExists if the name is taken.
func (s *Store) CreateTenant(ctx context.Context, name string) (Tenant, error) {
	t := Tenant{Name: name, Created: fromUnix(s.Now().Unix()), version: 1}
	write := table.Put{Item: t.item(), If: []table.Condition{table.NotExists()}}
	return t, asConditionError(ErrTenantExists, s.Table.Write(ctx, write))
}

// asConditionError returns meaning if err is a *table.ConditionError, and err otherwise.
func asConditionError(meaning, err error) error {
	if failed := (*table.ConditionError)(nil); errors.As(err, &failed) {
		return meaning
	}
	return err
}

// Tenant reads a tenant, in whatever state it is. It returns ErrNoTenant if the tenant does not exist.
func (s *Store) Tenant(ctx context.Context, name string) (Tenant, error) {
	items, err := s.Table.Get(ctx, nil, tenantKey(name))
	if err != nil {
		return Tenant{}, err
	}
	if len(items) == 0 {
		return Tenant{}, ErrNoTenant
	}
	return decodeTenant(items[0])
}

// Tenants reads all tenants in the order of their names, including disabled and deleted tenants.
func (s *Store) Tenants(ctx context.Context) (tenants []Tenant, err error) {
	r := table.Range{PK: tenantPartition}
	for {
		page, err := s.Table.Query(ctx, r)
		if err != nil {
			return nil, err
		}
		for _, it := range page.Items {
			t, err := decodeTenant(it)
			if err != nil {
				return nil, err
			}
			tenants = append(tenants, t)
		}
		if r.ExclusiveStart = page.LastEvaluatedKey.SK; r.ExclusiveStart == "" {
			return tenants, nil
		}
	}
}

// UpdateTenant reads a tenant, applies change to it and writes it back. After a conflict it starts over, so change
// may be called several times, each time with the stored tenant. UpdateTenant returns ErrNoTenant, the error of
// change, or *table.TransientError if conflicts last until the deadline.
func (s *Store) UpdateTenant(ctx context.Context, name string, change func(*Tenant) error) (t Tenant, err error) {
	err = table.Backoff{}.RetryConflicts(ctx, func() error {
		if t, err = s.Tenant(ctx, name); err != nil {
			return err
		}
		unchanged := table.Equals("ver", table.N(t.version))
		t.version++
		if err := change(&t); err != nil {
			return err
		}
		write := table.Put{Item: t.item(), If: []table.Condition{unchanged}}
		return asConditionError(table.ErrConflict, s.Table.Write(ctx, write))
	})
	return t, err
}

// StopDeprovisioning blocks the deprovisioning of a tenant's users. first reports whether it was not blocked before.
func (s *Store) StopDeprovisioning(ctx context.Context, name string) (first bool, err error) {
	_, err = s.UpdateTenant(ctx, name, func(t *Tenant) error {
		if first = t.DeprovisioningStoppedAt.IsZero(); first {
			t.DeprovisioningStoppedAt = fromUnix(s.Now().Unix())
		}
		return nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cache = nil // the block takes effect in this instance at once
	return first, err
}

// PurgeTenant deletes the tenant item, after the caller has deleted every other item of the tenant. It returns
// *table.ConditionError if the tenant has changed since t was read.
func (s *Store) PurgeTenant(ctx context.Context, t Tenant) error {
	unchanged := table.Equals("ver", table.N(t.version))
	return s.Table.Write(ctx, table.Delete{Key: tenantKey(t.Name), If: []table.Condition{unchanged}})
}
