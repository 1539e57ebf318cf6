package caddymodule

import (
	"fmt"
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// redacted are the headers that Caddy's own log lines hide, unless log_credentials is on.
var redacted = []string{"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"}

// warnOfLogs says where Caddy's lines about requests show a header that is the scheme's secret: its error log does at every 5xx, its
// access and debug logs always. Caddy copies the headers for them before any handler is asked, so all that a handler can do is to say
// what to add.
func (r *Receiver) warnOfLogs(ctx caddy.Context) {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return
	}
	core := ctx.Logger(new(caddyhttp.App)).Core()
	credentials := server.Logs != nil && server.Logs.ShouldLogCredentials
	for _, name := range r.receiver.SecretHeaders() {
		if (credentials || !slices.Contains(redacted, name)) && shows(core, name) {
			r.logger.Warn(fmt.Sprintf("a log of this configuration shows the header %s of requests, which is the scheme's secret: "+
				"give each log a block `format filter` with the line `request>headers delete`", name), zap.String("webhook_name", r.Name))
		}
	}
}

// shows reports whether a header of a request gets through the encoders of a log, by encoding one and writing nothing.
func shows(core zapcore.Core, name string) (shown bool) {
	header := zapcore.ObjectMarshalerFunc(func(enc zapcore.ObjectEncoder) error {
		return enc.AddArray(name, zapcore.ArrayMarshalerFunc(func(zapcore.ArrayEncoder) error {
			shown = true
			return nil
		}))
	})
	core.With([]zapcore.Field{zap.Object("request", zapcore.ObjectMarshalerFunc(func(enc zapcore.ObjectEncoder) error {
		return enc.AddObject("headers", header)
	}))})
	return shown
}
