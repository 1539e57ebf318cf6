// Package webhooks is VideoCloud Webhooks: both halves of a webhook system, as modules of the Caddy web server and
// as Go libraries.
//
//   - The sender takes events by a REST API, signs them and delivers them to the registered endpoints, at least once,
//     with retries: package [github.com/videocloud/webhooks/sender].
//   - The receiver is a gateway in front of an app that gets webhooks. It checks who sent a request and lets
//     each event through once: package [github.com/videocloud/webhooks/receiver].
//
// Importing this package plugs the Caddy modules of [github.com/videocloud/webhooks/caddymodule] in, so that a
// Caddy with them is made by
//
//	xcaddy build --with github.com/videocloud/webhooks
package webhooks

import (
	_ "embed"

	_ "github.com/videocloud/webhooks/caddymodule" // plug in the modules
)

// Version is the version of this module, with a line feed behind it: the file that every other place has it from.
//
//go:embed VERSION
var Version string
