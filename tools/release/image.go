package main

import (
	"bytes"
	"compress/gzip"
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
		d, err := l.platform(arch, binaries[arch], files, version)
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
	both.Annotations = map[string]string{"org.opencontainers.image.ref.name": version}
	top, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": []descriptor{both}})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "index.json"), top, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644)
}

func (l layout) platform(arch, binary string, files []string, version string) (d descriptor, err error) {
	list, err := entriesOf(append([]string{"usr/bin/caddy=" + binary}, files...))
	if err != nil {
		return d, err
	}
	for _, folder := range []string{"etc/", "etc/caddy/", "usr/", "usr/bin/", "usr/share/", "usr/share/doc/", "usr/share/doc/caddy-webhooks/"} {
		list = append(list, entry{name: folder, mode: 0o755})
	}
	list = append(list,
		entry{name: "etc/passwd", mode: 0o644, data: []byte("root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/data:/sbin/nologin\n")},
		entry{name: "etc/group", mode: 0o644, data: []byte("root:x:0:\nnonroot:x:65532:\n")},
		entry{name: "etc/nsswitch.conf", mode: 0o644, data: []byte("hosts: files dns\n")},
		// A volume gets the owner of what it covers.
		entry{name: "config/", mode: 0o700, uid: nonroot}, entry{name: "data/", mode: 0o700, uid: nonroot}, entry{name: "tmp/", mode: 0o1777},
	)
	inner, err := tarred(list, false)
	if err != nil {
		return d, err
	}
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return d, err
	}
	if _, err = z.Write(inner); err != nil {
		return d, err
	}
	if err = z.Close(); err != nil {
		return d, err
	}
	layer, err := l.put("application/vnd.oci.image.layer.v1.tar+gzip", buf.Bytes())
	if err != nil {
		return d, err
	}
	labels := map[string]string{
		"org.opencontainers.image.title": "caddy-webhooks", "org.opencontainers.image.version": version, "org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.source": "https://github.com/videocloud/webhooks", "org.opencontainers.image.created": epoch().Format("2006-01-02T15:04:05Z"),
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
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(inner))}},
		"history": []any{map[string]any{"created": epoch().Format("2006-01-02T15:04:05Z"), "created_by": "release.sh"}},
	})
	if err != nil {
		return d, err
	}
	const manifestType = "application/vnd.oci.image.manifest.v1+json"
	d, err = l.putJSON(manifestType, map[string]any{"schemaVersion": 2, "mediaType": manifestType, "config": config, "layers": []descriptor{layer}, "annotations": labels})
	d.Platform = map[string]string{"architecture": arch, "os": "linux"}
	return d, err
}
