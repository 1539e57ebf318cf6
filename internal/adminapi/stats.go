package adminapi

import "time"

// Health says whether webhooks work. The status of the answer is 503 where they don't.
type Health struct {
	Status   string   `json:"status"` // ok or unavailable
	Problems []string `json:"problems,omitempty"`
	Version  string   `json:"version"`
	Store    Store    `json:"store"`
	Sender   string   `json:"sender"` // delivering, api_only or off
	Workers  *Workers `json:"workers,omitempty"`
}

// Store is how the store is.
type Store struct {
	Kind   string     `json:"kind"` // redis, local or memory
	Ready  bool       `json:"ready"`
	Since  *time.Time `json:"since,omitempty"`  // when it was used for the first time
	Server *Server    `json:"server,omitempty"` // with local, while it runs
	Error  string     `json:"error,omitempty"`
}

// Server is the server of redis local, which Caddy runs itself.
type Server struct {
	Version string    `json:"version"`
	PID     int       `json:"pid"`
	Dir     string    `json:"dir"`
	Started time.Time `json:"started"`
}

// Workers are about deliveries by this process; what waits is that of all.
type Workers struct {
	Alive            bool       `json:"alive"`
	LastRound        *time.Time `json:"lastRound,omitempty"` // when the store last answered them
	InFlight         int        `json:"inFlight"`
	OldestDueSeconds *float64   `json:"oldestDueSeconds,omitempty"` // absent where the store can't be asked
}

// Stats are what a process counted since it started, and what waits in the store.
type Stats struct {
	Health      Health             `json:"health"`
	Receivers   []ReceiverStats    `json:"receivers"`
	Sender      SenderStats        `json:"sender"`
	Queues      []QueueStats       `json:"queues"`
	StoreErrors map[string]float64 `json:"storeErrors"` // by operation
}

// ReceiverStats are the requests to a receiver.
type ReceiverStats struct {
	Name     string             `json:"name"`
	Scheme   string             `json:"scheme"`
	Requests map[string]float64 `json:"requests"` // by outcome
}

// SenderStats are what the sender did.
type SenderStats struct {
	Attempts   map[string]float64 `json:"attempts"`   // by outcome
	Deliveries map[string]float64 `json:"deliveries"` // ended ones, by state
}

// QueueStats say how full a queue is, over all processes.
type QueueStats struct {
	Queue            string         `json:"queue"` // sender, or a receiver's name
	Depth            map[string]int `json:"depth"` // by state
	OldestDueSeconds float64        `json:"oldestDueSeconds"`
	// Forgotten says that the configuration has no such deliver any more: nobody delivers what is in it.
	Forgotten bool `json:"forgotten,omitempty"`
}
