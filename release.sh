#!/usr/bin/env bash
# Makes a release of the version in the file VERSION, from a clean checkout with Go and npm:
#
#   ./release.sh <folder>
#
# Into the folder go static binaries (linux amd64 and arm64, darwin arm64, windows amd64) as archives, with a bill of materials
# (CycloneDX) each, .deb and .rpm, an OCI image layout as a tar archive, the npm package, the Python wheel and source
# distribution, the Helm chart, and SHA256SUMS. The same commit and the same version of Go make the same bytes.
#
# The network that it needs: Go's module proxy, the npm registry, and for the image that has a Redis in it the Debian packages of
# deploy/image/redis.packages, from apt-get on a Debian 12 or from snapshot.debian.org elsewhere. Where they can't be had, all
# else is made, and it says so at the end. RELEASE_PACKAGES=<folder> is where they are looked for first, and kept.
#
# RELEASE_TARGETS="linux/amd64" builds for some machines only, to try it out; packages and image are then for those.
set -euo pipefail
top=$(cd "$(dirname "$0")" && pwd)
cd "$top"
[ $# -eq 1 ] || {
	echo "usage: ./release.sh <folder>" >&2
	exit 1
}
mkdir -p "$1"
out=$(cd "$1" && pwd)
[ -z "$(ls -A "$out")" ] || {
	echo "release.sh: $out is not empty" >&2
	exit 1
}
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT

VERSION=$(cat VERSION)
export VERSION
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false ${GOFLAGS-}" GOWORK=off TZ=UTC LC_ALL=C
# What the user's machine adds to a build stays out of it.
unset GOAMD64 GOARM64 GOEXPERIMENT || true
umask 022
targets=${RELEASE_TARGETS:-linux/amd64 linux/arm64 darwin/arm64 windows/amd64}
say() { printf 'release.sh: %s\n' "$*" >&2; }

say "tools"
go build -C tools -o "$work/release" ./release
go build -C tools -o "$work/nfpm" github.com/goreleaser/nfpm/v2/cmd/nfpm

images=()
for target in $targets; do
	os=${target%/*} arch=${target#*/} exe=
	[ "$os" != windows ] || exe=.exe
	name=caddy-webhooks_${VERSION}_${os}_$arch
	binary=$work/$os-$arch/caddy-webhooks$exe
	say "$target"
	GOOS=$os GOARCH=$arch go build -ldflags '-s -w -buildid=' -o "$binary" ./cmd/caddy
	GOOS=$os GOARCH=$arch "$work/release" licences "$top" ./cmd/caddy "$work/$os-$arch/licences"
	"$work/release" sbom "$binary" "$out/$name.cdx.json"
	archive=$name.tar.gz
	[ "$os" != windows ] || archive=$name.zip
	"$work/release" archive "$out/$archive" "$name/caddy-webhooks$exe=$binary" "$name/LICENSE=LICENSE" "$name/README.md=README.md" \
		"$name/Caddyfile.example=Caddyfile.example" "$name/THIRD_PARTY_LICENSES.txt=$work/$os-$arch/licences"
	[ "$os" = linux ] || continue
	images+=("$arch=$binary")
	for format in deb rpm; do
		ARCH=$arch BINARY=$binary LICENCES=$work/$os-$arch/licences \
			"$work/nfpm" package --config deploy/package/nfpm.yaml --packager $format --target "$out/" >/dev/null
	done
done

if [ ${#images[@]} -gt 0 ]; then
	say "image"
	licences=$(ls -d "$work"/linux-*/licences | head -n 1)
	files=("etc/caddy/Caddyfile=deploy/image/Caddyfile" "usr/share/doc/caddy-webhooks/LICENSE=LICENSE"
		"usr/share/doc/caddy-webhooks/THIRD_PARTY_LICENSES.txt=$licences")
	"$work/release" image "$work/image" "$VERSION" "${images[@]}" "${files[@]}"
	"$work/release" folder "$out/caddy-webhooks_${VERSION}_image.oci.tar" "$work/image"
fi

left_out=
if [ ${#images[@]} -gt 0 ]; then
	say "image with a Redis: its packages"
	packages=${RELEASE_PACKAGES:-$work/packages}
	if "$work/release" packages deploy/image/redis.packages "$packages" "${images[@]%%=*}" 2>"$work/why"; then
		"$work/release" redis-image "$work/redis-image" "$VERSION" deploy/image/redis.packages "$packages" deploy/image/Caddyfile.redis \
			"${images[@]}" "${files[@]}"
		"$work/release" folder "$out/caddy-webhooks_${VERSION}_image_redis.oci.tar" "$work/redis-image"
	else
		left_out=caddy-webhooks_${VERSION}_image_redis.oci.tar
	fi
fi

say "chart"
"$work/release" folder "$out/caddy-webhooks-$VERSION.tgz" deploy/helm/caddy-webhooks caddy-webhooks

say "Python package"
"$work/release" python sdk/python "$out"

say "npm package"
cp -R sdk/javascript "$work/npm"
rm -rf "$work/npm/node_modules" "$work/npm/dist"
(cd "$work/npm" && npm ci --no-audit --no-fund --silent && npm pack --silent --pack-destination "$out" >/dev/null)

"$work/release" checksums "$out"
say "done: $out"
if [ -n "$left_out" ]; then
	if grep -q 'a wrong checksum' "$work/why"; then
		say "left out, for a package that it needs has a wrong checksum: $left_out"
	else
		say "left out, for it needs what could not be fetched: $left_out"
	fi
	cat "$work/why" >&2
fi
