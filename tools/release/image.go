package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// nonroot is the user of the image, as in distroless images.
const nonroot = 65532

// descriptor names a blob of the layout.
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
	sum := sha256Hex(data)
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
// certificate authorities and time zones itself, and the files that are named.
func image(folder, version string, pairs []string) error {
	return writeLayout(folder, version, version, pairs, nil)
}

// redisImage writes the second tag: the layer of the first, and above it one with a Redis from Debian's packages and the
// Caddyfile that uses it.
func redisImage(folder, version, list, packages, caddyfile string, pairs []string) error {
	return writeLayout(folder, version, version+"-redis", pairs, func(arch string) ([]entry, error) {
		layer, err := debianLayer(list, packages, arch)
		if err != nil {
			return nil, err
		}
		file, err := readEntries([]string{"etc/caddy/Caddyfile=" + caddyfile})
		return append(layer, file...), err
	})
}

// writeLayout writes the images of one tag. A pair whose name has no slash is arch=binary, any other a file of all images. upperLayer,
// where there is one, makes a second layer.
func writeLayout(folder, version, tag string, pairs []string, upperLayer func(arch string) ([]entry, error)) error {
	if err := os.MkdirAll(filepath.Join(folder, "blobs", "sha256"), 0o755); err != nil {
		return err
	}
	l := layout{folder}
	var binaries, files []string
	for _, pair := range pairs {
		if name, _, _ := strings.Cut(pair, "="); strings.Contains(name, "/") {
			files = append(files, pair)
		} else {
			binaries = append(binaries, pair)
		}
	}
	var images []descriptor
	for _, pair := range binaries {
		arch, binary, _ := strings.Cut(pair, "=")
		base, err := baseLayer(binary, files)
		if err != nil {
			return err
		}
		layers := [][]entry{base}
		if upperLayer != nil {
			upper, err := upperLayer(arch)
			if err != nil {
				return err
			}
			layers = append(layers, upper)
		}
		d, err := l.putImage(arch, version, layers)
		if err != nil {
			return err
		}
		images = append(images, d)
	}
	const indexType = "application/vnd.oci.image.index.v1+json"
	index := func(manifests ...descriptor) map[string]any {
		return map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": manifests}
	}
	tagged, err := l.putJSON(indexType, index(images...))
	if err != nil {
		return err
	}
	tagged.Annotations = map[string]string{"org.opencontainers.image.ref.name": tag}
	top, err := json.Marshal(index(tagged))
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(folder, "index.json"), top, 0o644),
		os.WriteFile(filepath.Join(folder, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644))
}

// baseLayer is what both tags have.
func baseLayer(binary string, files []string) ([]entry, error) {
	list, err := readEntries(append([]string{"usr/bin/caddy=" + binary}, files...))
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

// putLayer writes a layer. diffID is the digest of the archive before it is compressed.
func (l layout) putLayer(list []entry) (d descriptor, diffID string, err error) {
	plain, err := tarred(list)
	if err != nil {
		return d, "", err
	}
	compressed, err := gzipped(plain)
	if err != nil {
		return d, "", err
	}
	d, err = l.put("application/vnd.oci.image.layer.v1.tar+gzip", compressed)
	return d, "sha256:" + sha256Hex(plain), err
}

// putImage writes the image of one architecture.
func (l layout) putImage(arch, version string, lists [][]entry) (d descriptor, err error) {
	var layers []descriptor
	var diffIDs []string
	var history []any
	for _, list := range lists {
		layer, diffID, err := l.putLayer(list)
		if err != nil {
			return d, err
		}
		layers, diffIDs = append(layers, layer), append(diffIDs, diffID)
		history = append(history, map[string]any{"created": timestamp(), "created_by": "release.sh"})
	}
	labels := map[string]string{
		"org.opencontainers.image.title": "caddy-webhooks", "org.opencontainers.image.version": version,
		"org.opencontainers.image.source": "https://github.com/videocloud/webhooks", "org.opencontainers.image.created": timestamp(),
	}
	if len(lists) == 1 { // in a second layer, Debian's packages have licences of their own
		labels["org.opencontainers.image.licenses"] = "Apache-2.0"
	}
	config, err := l.putJSON("application/vnd.oci.image.config.v1+json", map[string]any{
		"created": timestamp(), "architecture": arch, "os": "linux",
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
