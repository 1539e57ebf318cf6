package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// nonroot is the user of the image, as in distroless images.
const nonroot = 65532

// descriptor points to a blob of the layout.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    map[string]string `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// layout is a folder of blobs (OCI image layout 1.0).
type layout struct{ folder string }

func (l layout) put(mediaType string, data []byte) (descriptor, error) {
	sum := fmt.Sprintf("%x", sha256.Sum256(data))
	return descriptor{MediaType: mediaType, Digest: "sha256:" + sum, Size: len(data)},
		os.WriteFile(filepath.Join(l.folder, "blobs", "sha256", sum), data, 0o644)
}

func (l layout) putJSON(mediaType string, v any) (descriptor, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return descriptor{}, err
	}
	return l.put(mediaType, data)
}

// image writes a layout with one image for each architecture. There is nothing in it but the binary, which is static and holds
// roots of trust and time zones itself, and the files that are named.
func image(folder, version string, pairs []string) error {
	return imageOf(folder, version, version, pairs, nil)
}

// redisImage writes the second tag: the layer of the first, and one above it with a Redis from Debian's packages, and the
// Caddyfile that uses it.
func redisImage(folder, version, list, packages, caddyfile string, pairs []string) error {
	return imageOf(folder, version, version+"-redis", pairs, func(arch string) ([]entry, error) {
		layer, err := debianLayer(list, packages, arch)
		if err != nil {
			return nil, err
		}
		file, err := entriesOf([]string{"etc/caddy/Caddyfile=" + caddyfile})
		return append(layer, file...), err
	})
}

func imageOf(folder, version, tag string, pairs []string, above func(arch string) ([]entry, error)) error {
	if err := os.MkdirAll(filepath.Join(folder, "blobs", "sha256"), 0o755); err != nil {
		return err
	}
	l := layout{folder}
	binaries, files := map[string]string{}, []string{}
	var order []string
	for _, pair := range pairs {
		if name, path, _ := strings.Cut(pair, "="); strings.Contains(name, "/") {
			files = append(files, pair)
		} else {
			binaries[name] = path
			order = append(order, name)
		}
	}
	var manifests []descriptor
	for _, arch := range order {
		base, err := baseLayer(binaries[arch], files)
		if err != nil {
			return err
		}
		layers := [][]entry{base}
		if above != nil {
			layer, err := above(arch)
			if err != nil {
				return err
			}
			layers = append(layers, layer)
		}
		d, err := l.platform(arch, version, layers)
		if err != nil {
			return err
		}
		manifests = append(manifests, d)
	}
	const indexType = "application/vnd.oci.image.index.v1+json"
	both, err := l.putJSON(indexType, map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": manifests})
	if err != nil {
		return err
	}
	both.Annotations = map[string]string{"org.opencontainers.image.ref.name": tag}
	top, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": []descriptor{both}})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "index.json"), top, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644)
}

// baseLayer is what both tags have.
func baseLayer(binary string, files []string) ([]entry, error) {
	list, err := entriesOf(append([]string{"usr/bin/caddy=" + binary}, files...))
	if err != nil {
		return nil, err
	}
	for _, folder := range []string{"etc/", "etc/caddy/", "usr/", "usr/bin/", "usr/share/", "usr/share/doc/", "usr/share/doc/caddy-webhooks/"} {
		list = append(list, entry{name: folder, mode: 0o755})
	}
	return append(list,
		entry{name: "etc/passwd", mode: 0o644, data: []byte("root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/data:/sbin/nologin\n")},
		entry{name: "etc/group", mode: 0o644, data: []byte("root:x:0:\nnonroot:x:65532:\n")},
		entry{name: "etc/nsswitch.conf", mode: 0o644, data: []byte("hosts: files dns\n")},
		// A volume gets the owner of what it covers.
		entry{name: "config/", mode: 0o700, uid: nonroot}, entry{name: "data/", mode: 0o700, uid: nonroot}, entry{name: "tmp/", mode: 0o1777},
	), nil
}

// putLayer writes a layer, and says the digest of what it is unpacked.
func (l layout) putLayer(list []entry) (d descriptor, diffID string, err error) {
	inner, err := tarred(list, false)
	if err != nil {
		return d, "", err
	}
	compressed, err := gzipped(inner)
	if err != nil {
		return d, "", err
	}
	d, err = l.put("application/vnd.oci.image.layer.v1.tar+gzip", compressed)
	return d, fmt.Sprintf("sha256:%x", sha256.Sum256(inner)), err
}

func (l layout) platform(arch, version string, lists [][]entry) (d descriptor, err error) {
	var layers []descriptor
	var diffIDs []string
	var history []any
	for _, list := range lists {
		layer, diffID, err := l.putLayer(list)
		if err != nil {
			return d, err
		}
		layers, diffIDs = append(layers, layer), append(diffIDs, diffID)
		history = append(history, map[string]any{"created": epoch().Format("2006-01-02T15:04:05Z"), "created_by": "release.sh"})
	}
	labels := map[string]string{
		"org.opencontainers.image.title": "caddy-webhooks", "org.opencontainers.image.version": version,
		"org.opencontainers.image.source": "https://github.com/videocloud/webhooks", "org.opencontainers.image.created": epoch().Format("2006-01-02T15:04:05Z"),
	}
	if len(lists) == 1 { // Debian's packages have licences of their own
		labels["org.opencontainers.image.licenses"] = "Apache-2.0"
	}
	config, err := l.putJSON("application/vnd.oci.image.config.v1+json", map[string]any{
		"created": epoch().Format("2006-01-02T15:04:05Z"), "architecture": arch, "os": "linux",
		"config": map[string]any{
			"User": "65532:65532", "WorkingDir": "/data", "Labels": labels,
			"Env":          []string{"PATH=/usr/bin", "XDG_CONFIG_HOME=/config", "XDG_DATA_HOME=/data"},
			"Entrypoint":   []string{"/usr/bin/caddy"},
			"Cmd":          []string{"run", "--config", "/etc/caddy/Caddyfile"},
			"ExposedPorts": map[string]any{"80/tcp": struct{}{}, "443/tcp": struct{}{}, "443/udp": struct{}{}, "2020/tcp": struct{}{}},
			"Volumes":      map[string]any{"/data": struct{}{}},
			"StopSignal":   "SIGTERM",
		},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": diffIDs},
		"history": history,
	})
	if err != nil {
		return d, err
	}
	const manifestType = "application/vnd.oci.image.manifest.v1+json"
	d, err = l.putJSON(manifestType, map[string]any{"schemaVersion": 2, "mediaType": manifestType, "config": config, "layers": layers, "annotations": labels})
	d.Platform = map[string]string{"architecture": arch, "os": "linux"}
	return d, err
}
