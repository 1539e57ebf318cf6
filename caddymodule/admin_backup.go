package caddymodule

import (
	"errors"
	"net/http"

	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/store"
)

// backup answers GET /webhooks/backup with all that the store holds, as it is made: an answer that is cut off has no end, and
// whoever reads it sees that.
func backup(w http.ResponseWriter, r *http.Request, a *App) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	out := &lateAnswer{ResponseWriter: w}
	_, err := a.store.Backup(r.Context(), out)
	if err != nil && out.began {
		a.logger.Error("a backup was cut off: " + err.Error())
		panic(http.ErrAbortHandler)
	}
	return err
}

// lateAnswer begins its answer with the first byte: until then it may become an error.
type lateAnswer struct {
	http.ResponseWriter
	began bool
}

func (l *lateAnswer) Write(p []byte) (int, error) {
	if !l.began {
		l.began = true
		l.Header().Set("Content-Type", "application/octet-stream")
		l.Header().Set("Cache-Control", "no-store")
	}
	return l.ResponseWriter.Write(p)
}

// restore answers POST /webhooks/restore, whose body is a backup.
func restore(q *adminRequest) (any, error) {
	replace := q.query.Get("replace")
	if replace != "" && replace != "true" {
		return nil, badRequest("replace is true, or left out")
	}
	keys, err := q.app.store.Restore(q.Context(), q.Body, replace != "")
	switch {
	case errors.Is(err, store.ErrNotEmpty), errors.Is(err, store.ErrNoBackup), errors.Is(err, store.ErrUnreachable),
		errors.Is(err, store.ErrUnsafe):
		return nil, err
	case err != nil:
		return nil, badRequest(err.Error())
	}
	q.app.logger.Info("a backup was restored")
	return adminapi.Restored{Restored: keys}, nil
}
