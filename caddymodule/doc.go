// Package caddymodule plugs VideoCloud Webhooks into Caddy. It is a thin layer: it reads Caddyfile and
// JSON into the settings of package config, ties the lifetime of the sender, the receivers and their
// store to Caddy's configurations, and shows metrics, logs and placeholders in Caddy's own way. The rules
// themselves live in packages receiver and sender, which know nothing of Caddy.
//
//	module                              directive          what it is
//	webhooks                            webhooks (global)  the store, the sender, tracing
//	http.handlers.webhook_api           webhook_api        the REST API for owners and publishers
//	http.handlers.webhook_health        webhook_health     probes of an orchestrator
//	http.handlers.webhook_receiver      webhook_receiver   the gateway in front of an app
//	http.webhook_receiver.schemes.*     (in its block)     one for each signature scheme
//	admin.api.webhooks                  -                  /webhooks/health, /webhooks/stats, and what the commands ask
//
// The subcommands of `caddy webhook` are in package command beside this one.
//
// A configuration with both halves:
//
//	{
//		webhooks {
//			redis {env.REDIS_URL}
//			sender
//		}
//	}
//	api.example.com {
//		webhook_api {
//			api_key {env.API_KEY}
//		}
//	}
//	hooks.example.com {
//		handle /webhooks {
//			webhook_receiver videocloud {env.WEBHOOK_SECRET} {
//				name shop
//			}
//			reverse_proxy app:9000
//		}
//		handle {
//			respond 404
//		}
//	}
//	http://, https:// {
//		respond 421
//	}
//
// # Secrets
//
// Every secret, key and address may be a placeholder: {env.NAME} or {file./path}. It is resolved once, when
// the configuration loads, into a field that is never shown, so that GET /config/ on Caddy's admin address shows the
// placeholder. What is written out literally in a Caddyfile is part of the configuration, and Caddy shows
// its configuration to whoever may ask the admin address, and keeps it in its autosave file: write secrets
// as placeholders. A literal one works and is reported once in the log.
package caddymodule

import _ "github.com/videocloud/webhooks/caddymodule/command" // caddy webhook …
