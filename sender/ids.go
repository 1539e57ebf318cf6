package sender

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/hex"
	"strings"

	"github.com/google/uuid"

	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/signature"
)

// Prefixes of IDs. A webhook's lane is its ID without the prefix; a delivery's ID is its lane and its job.
const (
	webhookPrefix  = "whk_"
	deliveryPrefix = "dlv_"
	replayPrefix   = "rpl_"
	laneLength     = 12
)

var laneAlphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newLane makes a lane of 60 random bits.
func newLane() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return laneAlphabet.EncodeToString(b[:])[:laneLength]
}

// laneOf returns the lane of a webhook's ID, or "" where it is not the form of one.
func laneOf(id string) string {
	lane, ok := strings.CutPrefix(id, webhookPrefix)
	if !ok || len(lane) != laneLength {
		return ""
	}
	return lane
}

func deliveryID(lane, job string) string { return deliveryPrefix + lane + job }

// parseDeliveryID is the reverse of deliveryID.
func parseDeliveryID(id string) (lane, job string, ok bool) {
	rest, ok := strings.CutPrefix(id, deliveryPrefix)
	if !ok || len(rest) != laneLength+queue.JobIDLength {
		return "", "", false
	}
	return rest[:laneLength], rest[laneLength:], true
}

func newUUID() [16]byte {
	return uuid.Must(uuid.NewV7()) // fails only where crypto/rand would
}

// jobOfEventID returns the job of an event ID that we made, "" for one of a publisher's.
func jobOfEventID(id string) string {
	digits, ok := strings.CutPrefix(id, signature.EventIDPrefix)
	if !ok || len(digits) != 32 || strings.ToLower(digits) != digits {
		return ""
	}
	var b [16]byte
	if _, err := hex.Decode(b[:], []byte(digits)); err != nil {
		return ""
	}
	return queue.NewJobID(b)
}

// eventIDOf returns the event ID of a job: the publisher's where it gave one, else the one that follows from the job.
func eventIDOf(given, job string) string {
	if given != "" {
		return given
	}
	b, ok := queue.JobBytes(job)
	if !ok {
		return ""
	}
	return signature.EventID(b)
}
