package server

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// checkRateLimit returns an error if the token of the request, or all access tokens of its client, have sent too many
// requests. The limit of the tenant, if set, replaces that of the server.
func (s *server) checkRateLimit(r *request) error {
	perSecond := s.RateLimit
	if own := r.identity.Tenant.Settings.RateLimit; own != nil {
		perSecond = *own
	}
	seconds := s.Limiter.Allow(r.Context(), r.identity.Tenant.Name, r.identity.RateKey(), perSecond)
	if seconds == 0 {
		return nil
	}
	return tooManyRequests(seconds,
		"The token has sent more than %d requests a second. Repeat the request in %d s.", perSecond, seconds)
}

const (
	minDeprovisionLimit = 5   // users that can be deprovisioned within ten minutes, even in a small tenant
	guardRetrySeconds   = 600 // Retry-After while a tenant waits for its release by an operator
)

// guardDeprovisioning returns an error if deactivating or deleting one more user would exceed the tenant's limit for
// ten minutes. The tenant then stays blocked until an operator runs release-tenant. Each request increments the counter
// before it reads it, so concurrent requests cannot pass the limit together. A tenant without the setting has no limit.
func (s *server) guardDeprovisioning(ctx context.Context, r *request) error {
	tenant, users, deprovisioned := r.identity.Tenant, 0, 0
	percent := tenant.Settings.Deprovisioning
	if percent == 0 {
		return nil
	}
	if !tenant.DeprovisioningStoppedAt.IsZero() {
		return guardStoppedError(percent)
	}
	var g errgroup.Group
	g.Go(func() (err error) { deprovisioned, err = s.Tokens.AddDeprovisioned(ctx, tenant.Name, 1); return err })
	users, err := r.directory.Count(ctx, s.types.ByName("User"))
	if counterErr := g.Wait(); err == nil {
		err = counterErr
	}
	if err != nil || deprovisioned <= max(minDeprovisionLimit, users*percent/100) {
		return err
	}
	first, err := s.Tokens.StopDeprovisioning(ctx, tenant.Name)
	if err != nil {
		return err
	}
	if first {
		s.Log.ErrorContext(ctx, "deprovisioning stopped",
			"tenant", tenant.Name, "users", users, "deprovisioned", deprovisioned)
	}
	return guardStoppedError(percent)
}

func guardStoppedError(percent int) error {
	return tooManyRequests(guardRetrySeconds,
		"More than %d %% of the users would have been deactivated or deleted within ten minutes. "+
			"The tenant is blocked for both. Ask the operator to release it (release-tenant).", percent)
}
