// Package version knows which version of this module runs.
//
// The truth is the file VERSION at the root, which no package below the root can embed; number.go is made from it, and a test
// compares them and every other place that names the version.
package version

//go:generate go run generate.go
