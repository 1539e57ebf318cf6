package client

import (
	"encoding/json"
	"fmt"
	"time"
)

// VideoUploaded is the data of video.uploaded.
type VideoUploaded struct {
	VideoID  string  `json:"videoId"`
	Title    string  `json:"title"`
	Size     int64   `json:"size"`     // bytes
	Duration float64 `json:"duration"` // seconds
	Format   string  `json:"format"`
	UserID   string  `json:"userId"`
	Status   string  `json:"status"`
}

// VideoProcessed is the data of video.processed.
type VideoProcessed struct {
	VideoID        string        `json:"videoId"`
	Status         string        `json:"status"`
	Formats        []VideoFormat `json:"formats"`
	ThumbnailURL   string        `json:"thumbnailUrl"`
	ProcessingTime float64       `json:"processingTime"` // seconds
}

// VideoFormat is one rendition of a processed video.
type VideoFormat struct {
	Quality string `json:"quality"`
	URL     string `json:"url"`
	Size    int64  `json:"size"` // bytes
}

// UserRegistered is the data of user.registered.
type UserRegistered struct {
	UserID             string `json:"userId"`
	Email              string `json:"email"`
	Username           string `json:"username"`
	FirstName          string `json:"firstName"`
	LastName           string `json:"lastName"`
	RegistrationMethod string `json:"registrationMethod"`
}

// CommentCreated is the data of comment.created.
type CommentCreated struct {
	CommentID string    `json:"commentId"`
	VideoID   string    `json:"videoId"`
	UserID    string    `json:"userId"`
	Content   string    `json:"content"`
	ParentID  *string   `json:"parentId"` // the comment that this one answers, or nil
	CreatedAt time.Time `json:"createdAt"`
}

// WebhookNotice is the data of notices about another webhook of the account. Those of the type system.error have the Kind webhook_failed
// or webhook_disabled. Those of the type system.warning have the Kind webhook_recovered, and the fields about a single delivery are empty.
type WebhookNotice struct {
	Kind             string    `json:"kind"`
	WebhookID        string    `json:"webhookId"`
	URL              string    `json:"url"`
	EventID          string    `json:"eventId"`
	DeliveryID       string    `json:"deliveryId"`
	Attempts         int       `json:"attempts"`
	LastStatusCode   int       `json:"lastStatusCode"`
	LastError        string    `json:"lastError"`
	FailedSince      time.Time `json:"failedSince"`
	FailedDeliveries int       `json:"failedDeliveries"`
	Replay           string    `json:"replay"` // how to send again what failed
}

// WebhookEvent is a verified delivery.
type WebhookEvent struct {
	ID        string          `json:"-"` // the same on every attempt: handle each once
	Type      string          `json:"event"`
	Timestamp time.Time       `json:"timestamp"`
	Data      json.RawMessage `json:"data"`
}

// Payload decodes the data into a pointer to the type of this package that documents it, or into a *map[string]any
// for an event type whose payload is not documented.
func (e WebhookEvent) Payload() (any, error) {
	var v any = new(map[string]any)
	switch e.Type {
	case "video.uploaded":
		v = new(VideoUploaded)
	case "video.processed":
		v = new(VideoProcessed)
	case "user.registered":
		v = new(UserRegistered)
	case "comment.created":
		v = new(CommentCreated)
	case "system.error", "system.warning":
		var kind struct{ Kind string }
		_ = json.Unmarshal(e.Data, &kind) // the second decoding below reports errors
		switch kind.Kind {
		case "webhook_failed", "webhook_disabled", "webhook_recovered":
			v = new(WebhookNotice)
		}
	}
	if err := json.Unmarshal(e.Data, v); err != nil {
		return nil, fmt.Errorf("decoding the data of %s: %w", e.Type, err)
	}
	return v, nil
}
