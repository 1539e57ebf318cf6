package sender

import "time"

// fastPace lets tests replay thousands.
var fastPace = pace{step: 20, pause: time.Millisecond, hold: time.Second}
