// Package version holds the version of this module.
//
// It comes from the file VERSION at the root, which no package below the root can embed. go generate copies it into number.go
// and every other place that names the version; a test compares them all.
package version

//go:generate go run generate.go
