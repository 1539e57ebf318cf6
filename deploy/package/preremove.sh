#!/bin/sh
# Before removing, but not before the next version.
set -e
case "${1-}" in
upgrade | 1) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl disable --now caddy-webhooks >/dev/null 2>&1 || true
fi
