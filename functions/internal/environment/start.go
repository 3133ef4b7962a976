package environment

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"serverless-scim/functions/internal/metrics"
	"serverless-scim/internal/directory"
	"serverless-scim/internal/table"
)

// Start runs a Lambda function with the handler that wire makes; it does not return. Whatever the handler needs is made
// before the first event, while Lambda lends a whole processor and does not bill for waiting clients.
func Start(wire func(env func(string) string, c directory.Config) (handler any, err error)) {
	log := Log(os.Getenv)
	limitMemory(os.Getenv)
	handler, err := prepare(wire, log)
	if err != nil {
		log.Error("cannot start", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(handler)
}

func prepare(wire func(func(string) string, directory.Config) (any, error), log *slog.Logger) (any, error) {
	t, err := Table(os.Getenv)
	if err != nil {
		return nil, err
	}
	defer preconnect(t, log)()
	c, err := Directory(os.Getenv, t, log)
	if err != nil {
		return nil, err
	}
	return wire(os.Getenv, c)
}

// Log writes lines of JSON, and metrics with them if METRICS_NAMESPACE says where these belong.
func Log(env func(string) string) *slog.Logger {
	var h slog.Handler = slog.NewJSONHandler(os.Stdout, nil)
	if namespace := env("METRICS_NAMESPACE"); namespace != "" {
		h = metrics.New(h, namespace)
	}
	return slog.New(h)
}

// limitMemory lets garbage stand until it would matter: a function has its memory to itself.
func limitMemory(env func(string) string) {
	if mb, err := NonNegativeInt(env, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 0); err == nil && mb > 0 {
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(int64(mb) << 20 * 3 / 4)
	}
}

// preconnect begins to read what is not there, so that the first request finds a connection: making one costs more than all
// else that a new instance does. The function that it returns waits for the answer. Without one the function starts all
// the same, and requests tell what is wrong.
func preconnect(t table.Table, log *slog.Logger) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if _, err := t.Get(ctx, nil, table.Key{PK: "warm", SK: "@"}); err != nil {
			log.Warn("the table does not answer yet", "error", err.Error())
		}
	}()
	return func() { <-done }
}
