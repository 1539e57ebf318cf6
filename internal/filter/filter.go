// Package filter decides by an expression whether an event goes to a webhook.
//
// An expression is CEL (the Common Expression Language, github.com/google/cel-spec) over four variables:
//
//	event      string     the event type
//	id         string     the event ID
//	timestamp  timestamp  the event's time
//	data       map        the event's data: whole numbers that fit are int, other numbers are double
//
// and comes to true or false:
//
//	data.size > 1000000 && data.format == "mp4"
//
// A filter is a convenience, no wall: where it fails on an event (a field that is not there, a cost over [MaxCost]) the
// caller lets the event through, so that a typing error loses nothing.
package filter

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

const (
	// MaxSize is the longest expression, in bytes.
	MaxSize = 1024
	// MaxCost ends the evaluation of one expression on one event, in steps: one for each operation, each item of a loop or
	// of a comparison, and each 100 bytes of text (see workCost). Loops are ended after less than 5 ms; a single comparison
	// or search runs to its end, which on the largest event is some 10 ms. What cel-go spends on counting grows with the
	// square of the bound.
	MaxCost = 8_000
	// evaluation is what any evaluation costs beside its own steps.
	evaluation = 10
	// maxDepth bounds brackets and operators within each other, and maxLoops loops within loops.
	maxDepth = 32
	maxLoops = 2
)

// Filter is a compiled expression. It can be used by several goroutines at once.
type Filter struct {
	source  string
	program cel.Program
}

// Error says what is wrong with an expression, and where.
type Error struct {
	Line    int // from 1; 0 where the whole expression is meant
	Column  int // from 1
	Message string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// environment is what an expression can name. It is the same for all.
var environment = func() *cel.Env {
	env, err := cel.NewEnv(
		cel.Variable("event", cel.StringType),
		cel.Variable("id", cel.StringType),
		cel.Variable("timestamp", cel.TimestampType),
		cel.Variable("data", cel.MapType(cel.StringType, cel.DynType)),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(MaxSize),
		cel.ParserRecursionLimit(maxDepth),
		cel.ASTValidators(regexLiterals{}, cel.ValidateComprehensionNestingLimit(maxLoops)),
	)
	if err != nil {
		panic(err) // the options above are constants
	}
	return env
}()

// Compile checks an expression and makes it ready. An error is an [*Error].
func Compile(source string) (*Filter, error) {
	switch {
	case strings.TrimSpace(source) == "":
		return nil, &Error{Message: "the expression is empty"}
	case len(source) > MaxSize:
		return nil, &Error{Message: fmt.Sprintf("an expression has at most %d bytes", MaxSize)}
	case !utf8.ValidString(source):
		return nil, &Error{Message: "the expression is not valid UTF-8"}
	}
	ast, issues := environment.Compile(source)
	if issues.Err() != nil {
		return nil, firstOf(issues)
	}
	if t := ast.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, &Error{Message: fmt.Sprintf("the expression comes to a value of type %s; it has to come to true or false", t)}
	}
	program, err := environment.Program(ast, cel.CostLimit(MaxCost), cel.CostTracking(workCost{}), cel.CustomDecoratorV2(boundMatches))
	if err != nil {
		return nil, &Error{Message: err.Error()}
	}
	return &Filter{source: source, program: program}, nil
}

func firstOf(issues *cel.Issues) *Error {
	if all := issues.Errors(); len(all) > 0 {
		e := &Error{Message: all[0].Message}
		if at := all[0].Location; at.Line() > 0 {
			e.Line, e.Column = at.Line(), at.Column()+1
		}
		return e
	}
	return &Error{Message: issues.Err().Error()}
}

// String returns the expression.
func (f *Filter) String() string { return f.source }

var (
	// ErrNotBool is returned where an expression comes to something else than true or false, as data.flag may.
	ErrNotBool = errors.New("the expression did not come to true or false")
	// ErrCost is returned where an expression costs more than [MaxCost] on an event.
	ErrCost = errors.New("the expression costs too much on this event")
)

// Match reports whether the event fits the expression. The error, for the owner of the filter to read, says why that
// can't be told.
func (f *Filter) Match(e *Event) (bool, error) {
	if err := e.decode(); err != nil {
		return false, err
	}
	v, details, err := f.program.Eval(e.variables)
	cost := uint64(0)
	if details != nil && details.ActualCost() != nil {
		cost = *details.ActualCost()
	}
	e.steps += evaluation + int(min(cost, 2*MaxCost))
	if err != nil {
		if cost > MaxCost || isTooDear(err) {
			return false, ErrCost
		}
		return false, err
	}
	if b, ok := v.(types.Bool); ok {
		return bool(b), nil
	}
	return false, ErrNotBool
}
