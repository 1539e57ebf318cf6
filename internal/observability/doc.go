// Package observability holds the tests of what operators see of the built program: traces, metrics, logs, the admin API
// and the command line, over processes of their own and a Redis. It has no code.
package observability
