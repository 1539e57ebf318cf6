package sender

import "github.com/videocloud/webhooks/internal/redisstore"

// Store is what these tests look into and change behind a sender's back.
type Store = redisstore.Store
