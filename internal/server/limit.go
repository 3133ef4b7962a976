package server

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"golang.org/x/sync/errgroup"

	"serverless-scim/internal/scim"
)

// retryAfterError says that a client has to wait, and until when: Retry-After in whole seconds.
type retryAfterError struct {
	err     *scim.Error
	seconds int
}

func (w *retryAfterError) Error() string { return w.err.Error() }
func (w *retryAfterError) Unwrap() error { return w.err }

// checkRateLimit refuses a request whose token has sent too many.
func (s *server) checkRateLimit(r *request) error {
	perSecond := s.RateLimit
	if own := r.identity.Tenant.Settings.RateLimit; own != nil {
		perSecond = *own
	}
	seconds := s.Limiter.Allow(r.Context(), r.identity.Tenant.Name, r.identity.ID, perSecond)
	if seconds == 0 {
		return nil
	}
	return &retryAfterError{seconds: seconds, err: &scim.Error{Status: http.StatusTooManyRequests,
		Detail: fmt.Sprintf("These are more than the %d requests a second that a token may send. Repeat the request in %d s.", perSecond, seconds)}}
}

const (
	minDeprovisionLimit = 5   // users may be deprovisioned within ten minutes, however few there are
	guardRetrySeconds   = 600 // seconds until a client asks again whether an administrator has released its tenant
)

// guardDeprovisioning is asked before a user is deactivated or deleted. Where the tenant wants it, it stops what would take too many
// users away within ten minutes, until an administrator has looked: every request counts itself before it looks.
func (s *server) guardDeprovisioning(ctx context.Context, r *request) error {
	tenant, users, gone := r.identity.Tenant, 0, 0
	share := tenant.Settings.Deprovisioning
	if share == 0 {
		return nil
	}
	if !tenant.DeprovisioningStoppedAt.IsZero() {
		return guardStoppedError(share)
	}
	var g errgroup.Group
	g.Go(func() (err error) { gone, err = s.Tokens.AddDeprovisioned(ctx, tenant.Name, 1); return err })
	users, err := r.directory.Count(ctx, s.types.ByName("User"))
	if other := g.Wait(); err == nil {
		err = other
	}
	if err != nil || gone <= max(minDeprovisionLimit, users*share/100) {
		return err
	}
	first, err := s.Tokens.StopDeprovisioning(ctx, tenant.Name)
	if err != nil {
		return err
	}
	if first {
		s.Log.ErrorContext(ctx, "deprovisioning stopped", "tenant", tenant.Name, "users", users, "deprovisioned", gone)
	}
	return guardStoppedError(share)
}

func guardStoppedError(share int) error {
	return &retryAfterError{seconds: guardRetrySeconds, err: &scim.Error{Status: http.StatusTooManyRequests, Detail: "More than " + strconv.Itoa(share) +
		" % of the users would have been deactivated or deleted within ten minutes. No more will be, until an administrator " +
		"of the service has released the tenant (release-tenant)."}}
}
