package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/videocloud/webhooks/internal/signature"
)

// headers reads what --header was given: lines of the form 'Name: value', and files of them.
func (in *input) headers(values []string) (http.Header, error) {
	h := http.Header{}
	for _, value := range values {
		lines := []string{value}
		if strings.HasPrefix(value, "@") {
			text, err := in.argument("the headers", value)
			if err != nil {
				return nil, err
			}
			lines = strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
			lines = slices.DeleteFunc(lines, func(line string) bool { return strings.TrimSpace(line) == "" || requestLine.MatchString(line) })
		}
		for _, line := range lines {
			name, value, ok := strings.Cut(line, ":")
			if name = strings.TrimSpace(name); !ok || !headerName.MatchString(name) || strings.ContainsAny(value, "\r\n\x00") {
				return nil, usagef("header: give it as 'Name: value', or a file of such lines as @file")
			}
			h.Add(name, strings.Trim(value, " \t"))
		}
	}
	return h, nil
}

var (
	headerName  = regexp.MustCompile("^[0-9A-Za-z!#$%&'*+.^_`|~-]+$")
	requestLine = regexp.MustCompile(`^[A-Z]+ \S+ HTTP/\d`) // as a recorded request begins
)

// encodedForm matches a body that can be nothing but an encoded form.
var encodedForm = regexp.MustCompile(`^[0-9A-Za-z._*~%+&=-]*=[0-9A-Za-z._*~%+&=-]*$`)

const formType = "application/x-www-form-urlencoded"

// contentType guesses the Content-Type of a body.
func contentType(v *signature.Verifier, body []byte) string {
	text := bytes.TrimSpace(body)
	if !json.Valid(text) && (encodedForm.Match(text) || v.SignsForm() && len(text) == 0) {
		return formType
	}
	return "application/json"
}

// withDocumentedNames returns the headers under the names that the provider's documents write.
func withDocumentedNames(v *signature.Verifier, headers http.Header) http.Header {
	renamed := make(http.Header, len(headers))
	for name, values := range headers {
		renamed[v.HeaderName(name)] = values
	}
	return renamed
}

// headersJSON returns headers as they are written in JSON. The values of a repeated name are joined by commas.
func headersJSON(headers http.Header) map[string]string {
	object := make(map[string]string, len(headers))
	for name, values := range headers {
		object[name] = strings.Join(values, ", ")
	}
	return object
}

// printHeaders writes headers by name, one a line.
func printHeaders(w io.Writer, indent string, headers http.Header) {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		for _, value := range headers[name] {
			fmt.Fprintf(w, "%s%s: %s\n", indent, name, strings.Map(printable, value))
		}
	}
}

// printable keeps what arrives from the network from talking to the terminal.
func printable(r rune) rune {
	if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
		return '\ufffd'
	}
	return r
}
