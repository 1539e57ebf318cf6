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
// A filter is no access control: if it fails on an event (a missing field, a cost over [MaxCost]), the caller delivers the event, so that
// a mistake in an expression loses nothing.
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
	// evaluation is the cost of every evaluation beside its own steps.
	evaluation = 10
	// maxDepth bounds nested brackets and operators, and maxLoops nested loops.
	maxDepth = 32
	maxLoops = 2
)

// Filter is a compiled expression. It is safe for concurrent use.
type Filter struct {
	source  string
	program cel.Program
}

// Error says what is wrong with an expression, and where.
type Error struct {
	Line    int // from 1; 0 for the whole expression
	Column  int // from 1
	Message string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// environment has the variables and the bounds of all expressions.
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

// Compile checks and compiles an expression. Its error is an [*Error].
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

// firstOf returns the first of the issues.
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

// Match reports whether the expression is true for the event. The error, which the owner of the filter may see, says why it can't be
// evaluated: [ErrCost], [ErrNotBool], or an error of decoding the data or of CEL.
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
		if cost > MaxCost || overCost(err) {
			return false, ErrCost
		}
		return false, err
	}
	if b, ok := v.(types.Bool); ok {
		return bool(b), nil
	}
	return false, ErrNotBool
}
