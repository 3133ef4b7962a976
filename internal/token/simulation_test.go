package token

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"serverless-scim/internal/table"
	"serverless-scim/internal/table/tabletest"
)

var (
	seeds   = flag.Int("seeds", 3000, "number of schedules to simulate")
	oneSeed = flag.Int("seed", 0, "simulate only this schedule, and log every step")
)

// TestSimulation issues access tokens of a client on a simulated DynamoDB table, while it is revoked. Responses are lost,
// transactions arrive late, processes crash, and plain reads see transactions in part. A token must not be accepted after
// the client is revoked, and an assertion must not be used twice.
func TestSimulation(t *testing.T) {
	t.Parallel()
	if *oneSeed != 0 {
		if failure := simulateRevocation(uint64(*oneSeed), t.Logf); failure != "" {
			t.Error(failure)
		}
		return
	}
	n := *seeds
	if testing.Short() {
		n = min(n, 300)
	}
	tabletest.RunSchedules(t, 1, n, func() func(uint64) string {
		return func(seed uint64) string { return simulateRevocation(seed, nil) }
	})
}

// simulateRevocation runs one schedule. It returns the first violation, or "" if there is none.
func simulateRevocation(seed uint64, trace func(string, ...any)) (failure string) {
	sim := tabletest.NewSimulation(seed)
	sim.Trace = trace
	newStore := func() *Store { return &Store{Table: sim, Now: sim.Now} }
	id := clientPrefix + "a_0000000000000000"
	c := Client{ID: id + checksumOf(id), Label: "l", Tenant: "a", Scope: ScopeAll, TokenLifetime: 6 * time.Hour, version: 1}
	tenant, assertionEnd := Tenant{Name: "a", version: 1}, sim.Now().Add(24*time.Hour)
	sim.Store(c.item())
	sim.Store(tenant.item())
	uses, secrets, revoking, revoked := map[table.Key]int{}, []string{}, false, false
	sim.Committed = func(t *tabletest.Transaction) {
		for _, w := range t.Writes {
			if put, ok := w.(table.Put); ok && strings.HasSuffix(put.Target().SK, "#used") {
				if uses[put.Target()]++; uses[put.Target()] > 1 {
					sim.Fail("an assertion is used twice")
				}
			}
		}
	}
	for i := range 4 {
		secret := Prefix + "a_" + fmt.Sprintf("%052d", i)
		secret += checksumOf(secret)
		secrets = append(secrets, secret)
		sim.Start(func() { // the assertion is the same for two of the tokens
			s, ctx := newStore(), sim.Begin(nil)
			used := UsedAssertion{"i", fmt.Sprint(i / 2), assertionEnd}
			_, err := s.IssueAccessToken(ctx, c, secret, ScopeAll, &used)
			wasRevoked := revoked
			_, authErr := s.Authenticate(ctx, []string{secret})
			switch {
			case wasRevoked && authErr == nil:
				sim.Fail("a token is accepted after its client was revoked")
			case err == nil && authErr == ErrUnauthorized && !revoking:
				sim.Fail("a token is not accepted although its client exists")
			}
		})
	}
	sim.Start(func() {
		revoking = true
		err := newStore().RevokeClient(sim.Begin(nil), c.Tenant, c.ID)
		revoked = err == nil
	})
	sim.Run(false)
	sim.StopFaults()
	sim.Start(func() {
		for _, secret := range secrets {
			if _, err := newStore().Authenticate(sim.Begin(nil), []string{secret}); err == nil && revoked {
				sim.Fail("a token is accepted although its client is revoked")
			}
		}
	})
	sim.Run(false)
	return sim.Failure()
}
