// Package gzipped compresses content that is sent often and seldom changes (the console's files and the API's description),
// and tells which requests accept it compressed.
package gzipped

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
)

// Bytes returns content compressed with gzip, at its best and slowest level.
func Bytes(content []byte) []byte {
	var compressed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&compressed, gzip.BestCompression) // the level exists
	_, _ = z.Write(content)                                        // writing to a buffer does not fail
	_ = z.Close()
	return compressed.Bytes()
}

// Accepted reports whether the header of a request accepts gzip: Accept-Encoding names it, with a quality above zero.
func Accepted(h http.Header) bool {
	for _, line := range h.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(line, ",") {
			name, parameter, _ := strings.Cut(coding, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			name, quality, ok := strings.Cut(strings.TrimSpace(parameter), "=")
			if !ok || !strings.EqualFold(strings.TrimSpace(name), "q") {
				return true
			}
			q, err := strconv.ParseFloat(strings.TrimSpace(quality), 64)
			return err == nil && q > 0
		}
	}
	return false
}
