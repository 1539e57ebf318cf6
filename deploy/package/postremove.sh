#!/bin/sh
# After removing: what was stored stays. A purge takes the secrets that the installation made.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
if [ "${1-}" = purge ]; then
	rm -f /etc/caddy-webhooks/env
	rmdir /etc/caddy-webhooks 2>/dev/null || true
fi
