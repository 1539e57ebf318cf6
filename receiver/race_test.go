//go:build race

package receiver

// raceEnabled: the race detector allocates on its own account.
const raceEnabled = true
