package filter

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// matches is the name of the CEL function with a regular expression.
const matches = "matches"

// maxRegex is how large a regular expression may be, in instructions: counted repetitions, as in (a?){999}, make large ones out of
// short texts, and each instruction may have to be tried at every byte of what it is matched with.
const maxRegex = 1000

// errRegexSize is the error of a regular expression over maxRegex.
var errRegexSize = fmt.Errorf("the regular expression is too large: with its counted repetitions written out it has over %d parts", maxRegex)

// regexSize estimates how many instructions a regular expression compiles to, without compiling it. Over maxRegex it is inexact.
func regexSize(pattern string) (int, error) {
	if len(pattern) > maxRegex {
		return len(pattern), nil
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, err
	}
	return sizeOf(parsed), nil
}

func sizeOf(re *syntax.Regexp) int {
	size := 1
	switch re.Op {
	case syntax.OpLiteral:
		size = len(re.Rune)
	case syntax.OpCharClass:
		size = 1 + len(re.Rune)/16 // the ranges of one step
	}
	times := 1
	if re.Op == syntax.OpRepeat {
		times = max(re.Min, re.Max, 1)
	}
	for _, part := range re.Sub {
		size += times * sizeOf(part)
	}
	return min(size, maxRegex*maxRegex) // so that nested repetitions don't overflow
}

// compileRegex compiles a regular expression of at most maxRegex instructions.
func compileRegex(pattern string) (*regexp.Regexp, error) {
	size, err := regexSize(pattern)
	switch {
	case err != nil:
		return nil, err
	case size > maxRegex:
		return nil, errRegexSize
	}
	return regexp.Compile(pattern)
}

// regexLiterals is a validator that refuses literal regular expressions which can't be compiled.
type regexLiterals struct{}

// Name implements cel.ASTValidator.
func (regexLiterals) Name() string { return "videocloud.regex_literals" }

// Validate implements cel.ASTValidator.
func (regexLiterals) Validate(_ *cel.Env, _ cel.ValidatorConfig, a *ast.AST, issues *cel.Issues) {
	for _, call := range ast.MatchDescendants(ast.NavigateAST(a), ast.FunctionMatcher(matches)) {
		args := call.AsCall().Args()
		if len(args) == 0 || args[len(args)-1].Kind() != ast.LiteralKind {
			continue
		}
		literal := args[len(args)-1]
		pattern, ok := literal.AsLiteral().(types.String)
		if !ok {
			continue
		}
		if _, err := compileRegex(string(pattern)); err != nil {
			issues.ReportErrorAtID(literal.ID(), "%s", err)
		}
	}
}

// boundMatches replaces the function matches by one that compiles a literal only once, and that refuses to match if that would cost too
// much: CEL adds the cost of a call after the call, which can take minutes.
func boundMatches(node interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	call, ok := node.(interpreter.InterpretableCall)
	if !ok || call.Function() != matches || len(call.Args()) != 2 {
		return node, nil
	}
	var literal *regexp.Regexp
	if c, ok := call.Args()[1].(interpreter.InterpretableConst); ok {
		pattern, _ := c.Value().(types.String)
		var err error
		if literal, err = compileRegex(string(pattern)); err != nil {
			return nil, err
		}
	}
	return interpreter.NewCall(call.ID(), call.Function(), call.OverloadID(), call.Args(), func(values ...ref.Val) ref.Val {
		text, isText := values[0].(types.String)
		pattern, isPattern := values[1].(types.String)
		if !isText || !isPattern {
			return types.MaybeNoSuchOverloadErr(values[0])
		}
		if matchCost(text, pattern) > MaxCost {
			panic(interpreter.EvalCancelledError{Cause: interpreter.CostLimitExceeded, Message: "a match would cost too much"})
		}
		compiled := literal
		if compiled == nil {
			var err error
			if compiled, err = compileRegex(string(pattern)); err != nil {
				return types.WrapErr(err)
			}
		}
		return types.Bool(compiled.MatchString(string(text)))
	}), nil
}

// matchCost returns the cost of matching a text, in steps.
func matchCost(text, pattern types.String) uint64 {
	size, err := regexSize(string(pattern))
	if err != nil {
		return 0 // it fails before it matches anything
	}
	return (uint64(len(text))/regexBytesPerStep + 1) * (uint64(max(size, len(pattern)))/regexPartsPerStep + 1)
}

// overCost reports whether an evaluation was ended for its cost.
func overCost(err error) bool {
	var cancelled interpreter.EvalCancelledError
	return errors.As(err, &cancelled) && cancelled.Cause == interpreter.CostLimitExceeded
}
