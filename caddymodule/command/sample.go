package command

import "github.com/videocloud/webhooks/config"

// sample returns data for an event type: the documented one, or that of its group.
func sample(event string) string { return config.Example(event) }
