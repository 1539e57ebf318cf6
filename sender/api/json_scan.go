package api

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/videocloud/webhooks/internal/jsonscan"
	"github.com/videocloud/webhooks/sender"
)

// scanner reads the document of a request. What makes it unreadable ends the scan at once. What is readable but not
// acceptable - a repeated name, too deep a nesting, a wrong type - is noted by refuse, the first one counting, and the scan
// goes on: so one bad event of a batch leaves the others.
type scanner struct {
	jsonscan.Scanner
	refused *sender.Error
}

func newScanner(body []byte) (*scanner, error) {
	if err := jsonscan.CheckEncoding(body); err != nil {
		return nil, notJSON(err)
	}
	return &scanner{Scanner: jsonscan.New(body)}, nil
}

func notJSON(err error) error {
	return &sender.Error{Code: sender.CodeInvalidJSON, Message: "the body is not valid JSON: " + err.Error()}
}

// finish ends the scan of a whole document: err is what the scan came to so far.
func (s *scanner) finish(err error) error {
	if err == nil {
		err = s.End()
	}
	if err != nil {
		if broken := (*jsonscan.Error)(nil); errors.As(err, &broken) {
			return notJSON(broken)
		}
		return err
	}
	if s.refused != nil {
		return s.refused
	}
	return nil
}

// refuse notes what is wrong with a readable document; only the first such error is kept.
func (s *scanner) refuse(err *sender.Error) {
	if s.refused == nil {
		s.refused = err
	}
}

// object reads an object and refuses repeated names. The error's field is the name, or the member that the object is the value of.
func (s *scanner) object(of string, each func(name []byte) error) error {
	return s.Object(func(name []byte, repeated bool) error {
		if repeated {
			e := &sender.Error{Code: sender.CodeInvalidJSON, Field: of, Message: fmt.Sprintf("the name %q is given more than once in one object; give it once", shorten(name))}
			if of == "" {
				e.Field = shorten(name)
			}
			s.refuse(e)
		}
		return each(name)
	})
}

// shorten makes a name that a caller chose fit to be shown in an error.
func shorten(name []byte) string {
	const most = 64
	if len(name) <= most {
		return string(bytes.ToValidUTF8(name, []byte("\ufffd")))
	}
	return string(bytes.ToValidUTF8(name[:most], nil)) + "…"
}
