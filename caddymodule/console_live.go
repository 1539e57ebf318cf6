package caddymodule

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// liveKept is how many outcomes stay for those who resume or are slow.
	liveKept = 2048
	// liveLinger is how long outcomes are kept once nobody watches: a tab that lost its connection comes back to them.
	liveLinger = 30 * time.Second
	// liveBeat is how often a stream without news says that it lives, so that both ends notice a dead connection.
	liveBeat = 15 * time.Second
	// liveEvery is how often a stream is written at most.
	liveEvery = 200 * time.Millisecond
	// liveWrite is how long a client may take for what is written before it is hung up on.
	liveWrite = 30 * time.Second
)

// outcomeLog keeps the last outcomes of this process while anybody watches, numbered. Readers ask for what came after a
// number, so a slow one holds nothing but its place: what has gone meanwhile it is told as a count.
type outcomeLog struct {
	mu      sync.Mutex
	name    string // of this run of numbers
	lines   [liveKept]json.RawMessage
	next    int64 // the number of the next line
	readers int
	news    chan struct{} // closed when something came
	stop    chan struct{} // ends the collecting; nil while there is none
	ending  *time.Timer
}

var outcomes = outcomeLog{news: make(chan struct{})}

// open counts a reader in and collects from now on.
func (l *outcomeLog) open() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readers++
	if l.ending != nil {
		l.ending.Stop()
		l.ending = nil
	}
	if l.stop == nil {
		// What was kept before has a gap behind it.
		l.name, l.stop = rand.Text()[:8], make(chan struct{})
		go l.collect(feed.view(), l.stop)
	}
}

// close counts a reader out; with the last one collecting ends, a while later.
func (l *outcomeLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.readers--; l.readers > 0 {
		return
	}
	l.ending = time.AfterFunc(liveLinger, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.readers == 0 && l.stop != nil {
			close(l.stop)
			l.stop, l.ending = nil, nil
		}
	})
}

func (l *outcomeLog) collect(from *feedWatcher, stop chan struct{}) {
	defer feed.remove(from)
	for {
		select {
		case <-stop:
			return
		case line := <-from.lines:
			if n := from.leftOut.Swap(0); n > 0 {
				l.add(watched{leftOut: n})
			}
			l.add(line)
		}
	}
}

func (l *outcomeLog) add(line watched) {
	text, err := json.Marshal(line)
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines[l.next%liveKept] = text
	l.next++
	close(l.news)
	l.news = make(chan struct{})
}

// liveLine is an outcome with its place.
type liveLine struct {
	id   string
	text json.RawMessage
}

// place is where a reader goes on that has seen the outcome with this ID; without one, or with one of another run, at
// the end. resumed says whether nothing is missing in between that could have been known.
func (l *outcomeLog) place(lastID string) (at int64, resumed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name, number, _ := strings.Cut(lastID, "-")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || name != l.name || n < 0 || n >= l.next {
		return l.next, lastID == ""
	}
	return n + 1, true
}

// after returns what came from a place on, how many are gone, where to go on, and what tells of more.
func (l *outcomeLog) after(at int64) (lines []liveLine, gone, next int64, news <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if oldest := l.next - liveKept; at < oldest {
		gone, at = oldest-at, oldest
	}
	for ; at < l.next; at++ {
		lines = append(lines, liveLine{fmt.Sprintf("%s-%d", l.name, at), l.lines[at%liveKept]})
	}
	return lines, gone, at, l.news
}

// live answers GET <mount>/api/live: Server-Sent Events, one an outcome, until the client goes or the configuration ends.
// With Last-Event-ID it goes on behind that one.
func live(w http.ResponseWriter, r *http.Request, a *App) error {
	stream := http.NewResponseController(w)
	outcomes.open()
	defer outcomes.close()
	at, resumed := outcomes.place(r.Header.Get("Last-Event-ID"))
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if _, err := fmt.Fprintf(w, "event: hello\ndata: {\"resumed\":%t}\n\n", resumed); err != nil {
		return nil // the client is gone
	}
	for {
		lines, gone, next, news := outcomes.after(at)
		at = next
		// A writer without deadlines is a test's; the server's own has them.
		_ = stream.SetWriteDeadline(time.Now().Add(liveWrite))
		if _, err := w.Write(liveText(lines, gone)); err != nil || stream.Flush() != nil || !waitLive(r, a, news) {
			return nil
		}
	}
}

// waitLive waits for news, but not for long, and then for more of them to gather. It returns false at the end.
func waitLive(r *http.Request, a *App, news <-chan struct{}) bool {
	for _, wait := range []struct {
		news <-chan struct{}
		time time.Duration
	}{{news, liveBeat}, {nil, liveEvery}} {
		select {
		case <-r.Context().Done():
			return false
		case <-a.ends:
			return false
		case <-wait.news:
		case <-time.After(wait.time):
		}
	}
	return true
}

// liveText is what a stream says of lines, and of how many in front of them are gone.
func liveText(lines []liveLine, gone int64) []byte {
	if len(lines) == 0 {
		return []byte(": still here\n\n")
	}
	var text []byte
	if gone > 0 {
		line, _ := json.Marshal(watched{leftOut: gone}) // a number
		text = fmt.Appendf(text, "data: %s\n\n", line)
	}
	for _, line := range lines {
		text = fmt.Appendf(text, "id: %s\ndata: %s\n\n", line.id, line.text)
	}
	return text
}
