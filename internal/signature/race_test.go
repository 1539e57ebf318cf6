//go:build race

package signature

// raceEnabled: the race detector makes pools drop what they hold.
const raceEnabled = true
