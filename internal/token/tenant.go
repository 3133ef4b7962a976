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

// ErrNoTenant says that there is no tenant with a name; ErrTenantExists, that there is one already.
var (
	ErrNoTenant     = errors.New("token: there is no such tenant")
	ErrTenantExists = errors.New("token: there is a tenant with this name")
)

// Settings is what a tenant can choose. The zero value is the default, and serves Okta.
type Settings struct {
	StrictMembers  bool     `json:"strictMembers,omitempty"`  // members that do not exist are refused rather than left out
	NoContent      bool     `json:"noContent,omitempty"`      // PATCH answers 204 unless attributes asks for something
	ResourceTypes  []string `json:"resourceTypes,omitempty"`  // names of those that are switched on; none: all that there are
	RateLimit      *int     `json:"rateLimit,omitempty"`      // requests a second for each token; 0: no limit; nil: the service's
	Deprovisioning int      `json:"deprovisioning,omitempty"` // per cent of the users that may go within ten minutes; 0: all
}

// Tenant is an organization, or one connection of an identity provider.
type Tenant struct {
	Name                    string
	Settings                Settings
	Created                 time.Time
	DisabledAt              time.Time // since when its tokens open nothing; zero: they do
	DeletedAt               time.Time // since when it counts as deleted; zero: it is not
	DeprovisioningStoppedAt time.Time // since when too many of its users were deprovisioned; zero: an administrator has released it

	version int64
}

// Hash stands for the tenant in lines of the log that tell nothing else of it; "" where there is none.
func (t *Tenant) Hash() string {
	if t.Name == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(t.Name))
	return hex.EncodeToString(sum[:6])
}

// isActive tells whether tokens open the tenant.
func (t *Tenant) isActive() bool { return t.DisabledAt.IsZero() && t.DeletedAt.IsZero() }

// tenantItem is a tenant in the table. Times are in seconds of Unix time.
type tenantItem struct {
	table.Key
	Settings                string `dynamodbav:"settings"` // JSON
	Created                 int64  `dynamodbav:"created"`
	DisabledAt              int64  `dynamodbav:"disabled,omitempty"`
	DeletedAt               int64  `dynamodbav:"deleted,omitempty"`
	DeprovisioningStoppedAt int64  `dynamodbav:"stopped,omitempty"`
	Ver                     int64  `dynamodbav:"ver"`
}

const tenantPartition = "tenant" // the partition of all of them

func tenantKey(name string) table.Key { return table.Key{PK: tenantPartition, SK: name} }

func decodeTenant(it table.Item) (Tenant, error) {
	var i tenantItem
	if err := unmarshal(it, &i); err != nil {
		return Tenant{}, err
	}
	t := Tenant{Name: i.SK, Created: fromUnix(i.Created), DisabledAt: fromUnix(i.DisabledAt), DeletedAt: fromUnix(i.DeletedAt), DeprovisioningStoppedAt: fromUnix(i.DeprovisioningStoppedAt),
		version: i.Ver}
	if err := json.Unmarshal([]byte(i.Settings), &t.Settings); err != nil {
		return Tenant{}, fmt.Errorf("token: damaged settings: %w", err)
	}
	return t, nil
}

func (t *Tenant) item() table.Item {
	settings, err := json.Marshal(t.Settings)
	if err != nil {
		panic(err) // it is numbers, strings and truth values
	}
	return marshal(tenantItem{Key: tenantKey(t.Name), Settings: string(settings), Created: toUnix(t.Created),
		DisabledAt: toUnix(t.DisabledAt), DeletedAt: toUnix(t.DeletedAt), DeprovisioningStoppedAt: toUnix(t.DeprovisioningStoppedAt), Ver: t.version})
}

// fromUnix is a time in seconds of Unix time, and zero for none.
func fromUnix(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

func toUnix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// CreateTenant makes a tenant with the default settings, or gives ErrTenantExists.
func (s *Store) CreateTenant(ctx context.Context, name string) (Tenant, error) {
	t := Tenant{Name: name, Created: fromUnix(s.Now().Unix()), version: 1}
	return t, asConditionError(ErrTenantExists, s.Table.Write(ctx, table.Put{Item: t.item(), If: []table.Condition{table.NotExists()}}))
}

// asConditionError gives an error the meaning that a condition which does not hold has.
func asConditionError(meaning, err error) error {
	if refused := (*table.ConditionError)(nil); errors.As(err, &refused) {
		return meaning
	}
	return err
}

// Tenant reads a tenant, or gives ErrNoTenant.
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

// Tenants reads all of them, in the order of their names.
func (s *Store) Tenants(ctx context.Context) (all []Tenant, err error) {
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
			all = append(all, t)
		}
		if r.ExclusiveStart = page.LastEvaluatedKey.SK; r.ExclusiveStart == "" {
			return all, nil
		}
	}
}

// UpdateTenant reads a tenant, applies change to it and writes it back. After a conflict it starts over, so change may be
// called several times, each time with the stored tenant. UpdateTenant returns ErrNoTenant, the error of change, or
// *table.TransientError if conflicts last until the deadline.
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

// StopDeprovisioning notes that too many users of a tenant were deprovisioned, and tells whether it was not noted yet.
func (s *Store) StopDeprovisioning(ctx context.Context, name string) (first bool, err error) {
	_, err = s.UpdateTenant(ctx, name, func(t *Tenant) error {
		if first = t.DeprovisioningStoppedAt.IsZero(); first {
			t.DeprovisioningStoppedAt = fromUnix(s.Now().Unix())
		}
		return nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cache = nil // so that it holds here at once
	return first, err
}

// PurgeTenant removes a tenant, of which nothing else may be left, unless it has changed since it was read.
func (s *Store) PurgeTenant(ctx context.Context, t Tenant) error {
	return s.Table.Write(ctx, table.Delete{Key: tenantKey(t.Name), If: []table.Condition{table.Equals("ver", table.N(t.version))}})
}
