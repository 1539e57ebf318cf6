#!/bin/sh
# After installing and upgrading: the user, the secrets where there are none, and the service.
set -e
if ! getent passwd caddy-webhooks >/dev/null; then
	useradd --system --user-group --no-create-home --home-dir /var/lib/caddy-webhooks --shell /usr/sbin/nologin caddy-webhooks
fi
if [ ! -e /etc/caddy-webhooks/env ]; then
	# Nobody else's: an API key, and the key that stored secrets are encrypted with.
	(
		umask 077
		printf 'API_KEY=%s\nENCRYPTION_KEY=%s\n' "$(/usr/bin/caddy-webhooks webhook keygen)" "$(/usr/bin/caddy-webhooks webhook keygen --type encryption)" >/etc/caddy-webhooks/env
	)
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl enable caddy-webhooks >/dev/null 2>&1 || true
	systemctl restart caddy-webhooks || echo "caddy-webhooks did not start: journalctl -u caddy-webhooks says why" >&2
fi
