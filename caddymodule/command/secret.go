package command

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// input hands out standard input, once.
type input struct {
	reader io.Reader
	taken  string
}

// read reads standard input to its end for the named purpose.
func (in *input) read(purpose string) ([]byte, error) {
	if in.taken != "" {
		return nil, usagef("standard input can't be both %s and %s", in.taken, purpose)
	}
	in.taken = purpose
	data, err := io.ReadAll(in.reader)
	if err != nil {
		return nil, usagef("reading %s from standard input: %w", purpose, err)
	}
	return data, nil
}

// argument reads a value given as text, @file or @-.
func (in *input) argument(purpose, value string) ([]byte, error) {
	name, ok := strings.CutPrefix(value, "@")
	switch {
	case !ok:
		return []byte(value), nil
	case name == "-":
		return in.read(purpose)
	default:
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, usagef("reading %s: %w", purpose, err)
		}
		return data, nil
	}
}

// secret reads a secret given as text, @file, @- or env:NAME. An empty one is an error: nothing may ever be checked with it.
func (in *input) secret(value string) (string, error) {
	text := value
	if name, ok := strings.CutPrefix(value, "env:"); ok {
		if text, ok = os.LookupEnv(name); !ok {
			return "", usagef("the environment variable %s is not set", name)
		}
	} else if strings.HasPrefix(value, "@") {
		data, err := in.argument("a secret", value)
		if err != nil {
			return "", err
		}
		text = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	}
	if text == "" {
		return "", usagef("it is empty")
	}
	return text, nil
}

func (in *input) secrets(values []string) ([]string, error) {
	if len(values) == 0 {
		return nil, usagef("secret: give one: --secret with text, @file, @- or env:NAME")
	}
	secrets := make([]string, len(values))
	for i, value := range values {
		var err error
		if secrets[i], err = in.secret(value); err != nil {
			return nil, fmt.Errorf("secret: number %d: %w", i+1, err)
		}
	}
	return secrets, nil
}
