// Command caddy is Caddy with the VideoCloud Webhooks modules built in.
package main

import (
	_ "time/tzdata" // for images and machines that have no time zones

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"
	_ "github.com/videocloud/webhooks/caddymodule"
)

func main() { caddycmd.Main() }
