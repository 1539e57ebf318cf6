#!/usr/bin/env bash
# Builds ./caddy, a Caddy with the modules of this folder, by xcaddy at the version that tools/go.mod pins.
#
#   ./xcaddy.sh         build
#   ./xcaddy.sh run     build, then run Caddyfile.example
#
# It needs Go and nothing else.
set -eu
cd "$(dirname "$0")"

say() { printf 'xcaddy.sh: %s\n' "$*" >&2; }
fail() {
	say "$*"
	exit 1
}

# used PORT: does anybody listen on that port of this machine?
used() {
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null || (exec 3<>"/dev/tcp/::1/$1") 2>/dev/null
}

check_go() {
	command -v go >/dev/null 2>&1 ||
		fail "Go is missing; install Go $1 or newer from https://go.dev/dl/ and run this again"
	# Older versions of Go fetch the one they need, where they may.
	go env GOVERSION >/dev/null 2>&1 ||
		fail "$(GOTOOLCHAIN=local go version | cut -d ' ' -f 3) is too old and could not fetch a newer one; install Go $1 or newer from https://go.dev/dl/"
	newest=$(printf '%s\n%s\n' "$1" "$(go env GOVERSION | sed 's/^go//; s/[^0-9.].*//')" | sort -t . -k 1,1n -k 2,2n -k 3,3n | tail -n 1)
	[ "$newest" != "$1" ] || [ "$(go env GOVERSION)" = "go$1" ] ||
		fail "$(go env GOVERSION) is too old; install Go $1 or newer from https://go.dev/dl/"
}

check_ports() {
	for port in "$@"; do
		if used "$port"; then
			fail "port $port is in use; stop what listens there (another Caddy?) and run this again"
		fi
	done
}

case "${1-}" in
'' | run) ;;
*) fail "usage: ./xcaddy.sh [run]" ;;
esac
[ $# -le 1 ] || fail "usage: ./xcaddy.sh [run]"

check_go "$(sed -n 's/^go //p' go.mod)"
if [ "${1-}" = run ]; then
	# The ports of Caddyfile.example: the API, the gateway, the app behind it, and Caddy's admin endpoint.
	check_ports 8080 8090 8091 2019
fi

caddy=$(sed -n 's,.*github.com/caddyserver/caddy/v2 \(v[^ ]*\).*,\1,p' go.mod)
xcaddy=$(sed -n 's,.*github.com/caddyserver/xcaddy \(v[^ ]*\).*,\1,p' tools/go.mod)

# The log of the build, which names each package that is compiled; while it is there, it is said now and then how far it is.
log=$(mktemp)
touch "$log.began"
trap 'rm -f "$log" "$log.began"' EXIT
modules=$(go env GOMODCACHE)
package='^[A-Za-z][^ ]*$'
(
	seconds=0
	while sleep 1 && [ -e "$log" ]; do
		seconds=$((seconds + 1))
		[ $((seconds % 10)) -eq 0 ] || continue
		latest=$(grep "$package" "$log" | tail -n 1)
		if [ -n "$latest" ]; then
			say "$seconds s, $(grep -c "$package" "$log") packages compiled, now $latest"
		elif fetched=$(find "$modules/cache/download" -name '*.zip' -newer "$log.began" 2>/dev/null | wc -l) && [ "$fetched" -gt 0 ]; then
			say "$seconds s, $((fetched)) modules fetched"
		else
			say "$seconds s, looking for what is missing, or linking what is there"
		fi
	done
) &

# As xcaddy builds, so that what it and Caddy share, Go's own packages above all, is compiled once.
export CGO_ENABLED=${CGO_ENABLED-0} GOFLAGS="${GOFLAGS-} -trimpath"
# A go.work above this folder, or one that is named, has no say in it.
export GOWORK=off

say "building xcaddy $xcaddy, which builds Caddy with plugins"
# What Caddy needs is fetched meanwhile.
go list -deps ./cmd/caddy >/dev/null 2>&1 &
fetching=$!
go build -C tools -v -o bin/xcaddy github.com/caddyserver/xcaddy/cmd/xcaddy 2>"$log" || {
	cat "$log" >&2
	fail "building xcaddy failed; see above"
}
wait "$fetching" || true # what is wrong with it the build says

say "building ./caddy: Caddy $caddy with the modules of this folder; the first time Go fetches and compiles all of it, which takes a few minutes"
# Before it builds, xcaddy has its module tidied, which is thrown away afterwards; for that Go fetches what only others' tests need.
# Without it the build finds the same versions and makes the same bytes. On Windows a script is no program, and it is tidied.
if [ "$(go env GOOS)" != windows ]; then
	printf '#!/bin/sh\ncase "$1 $2" in "mod tidy") exit 0 ;; esac\nexec go "$@"\n' >tools/bin/untidied-go
	chmod +x tools/bin/untidied-go
	export XCADDY_WHICH_GO="$PWD/tools/bin/untidied-go" GOFLAGS="$GOFLAGS -mod=mod"
fi
# A version behind @ keeps Go from asking a module proxy which ones there are.
GOFLAGS="$GOFLAGS -v" tools/bin/xcaddy build "$caddy" --with github.com/videocloud/webhooks@v0.0.0=. --output ./caddy >"$log" 2>&1 || {
	grep -v "$package" "$log" >&2
	fail "building ./caddy failed; see above"
}
rm -f "$log"
say "built ./caddy $(./caddy version | cut -d ' ' -f 1)"

if [ "${1-}" = run ]; then
	say "running Caddyfile.example; press Ctrl-C to stop"
	say "the console: http://localhost:8080/console/, with the key videocloud-operator-key"
	exec ./caddy run --config Caddyfile.example --adapter caddyfile
fi
