package sender

import (
	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/names"
)

// CheckEvent refuses what a publish refuses of any event, whatever the catalogue has: a bad ID, data that is not one JSON
// object that every parser reads alike, or more of it than an event may hold. Data of an event that is not there yet, such
// as a test delivery's, is judged by it too.
func CheckEvent(e Event) error {
	if e.ID != "" && !names.IsID(e.ID) {
		return invalid("id", "an event ID has 1 to %d letters, digits, dashes and underscores", config.MaxEventID)
	}
	if len(e.Data) > config.MaxEnvelopeSize {
		return tooLarge()
	}
	if err := checkData(e.Data); err != nil {
		return err
	}
	if bodySize(e.Type, len(e.Data)) > config.MaxEnvelopeSize {
		return tooLarge()
	}
	return nil
}
