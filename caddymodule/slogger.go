package caddymodule

import (
	"log/slog"
	"math"

	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"

	"github.com/caddyserver/caddy/v2"
)

// slogger is the module's logger for the libraries. Caddy's own, [caddy.Context.Slogger], adds a stack trace to every
// error that is logged for a request: 5 KiB a line, for each request that a store which is down refuses.
func slogger(ctx caddy.Context) *slog.Logger {
	return named(ctx.Logger())
}

func named(logger *zap.Logger) *slog.Logger { return slog.New(logHandler(logger, logger.Name())) }

func logHandler(logger *zap.Logger, name string) slog.Handler {
	return zapslog.NewHandler(logger.Core(), zapslog.WithName(name), zapslog.AddStacktraceAt(noStack))
}

// audit is the log of what was changed by the API, and by which key. It has a name of its own, so that it can be kept
// apart.
func audit(ctx caddy.Context) *slog.Logger {
	return named(ctx.Logger(auditLog{}))
}

// auditLog is no module; it has a module's name for Caddy's logging.
type auditLog struct{}

func (auditLog) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "webhooks.audit", New: func() caddy.Module { return auditLog{} }}
}

// noStack is a level that no line has.
const noStack = slog.Level(math.MaxInt)
