package caddymodule

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/videocloud/webhooks/receiver"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/store"
)

func init() { caddy.RegisterModule(new(adminAPI)) }

// adminAPI answers on Caddy's admin address. It is the operator's: it may name every account, and whoever reaches the
// admin address can do more than this anyway. Its answers hold no secret, signature or body, but for a backup, an API key as it is made,
// and the payload and headers of a queued event, which show is for. Package adminapi has what it is asked and what it answers.
//
//	GET  /webhooks/health     whether webhooks work: 200 or 503
//	GET  /webhooks/stats      what was counted, and what waits
//	GET  /webhooks/webhooks   all webhooks with their backlog
//	GET  /webhooks/events     a page of an account's events
//	GET  /webhooks/keys       API keys that were made; POST makes one, DELETE ends one
//	GET  /webhooks/example    data for a test of an event type
//	GET  /webhooks/tail       what happens, as it happens
//	GET  /webhooks/explain    what became of an event or a delivery
//	POST /webhooks/retry      sends a delivery again
//	POST /webhooks/replays    sends many again; GET says how far it is
//	GET  /webhooks/dead       a receiver's queue: what it gave up, and what waits; POST sends, drops or moves it
//	GET  /webhooks/show       an event in a receiver's queue, with headers and payload
//	POST /webhooks/forget     lets a receiver take an event again
//	GET  /webhooks/backup     all that the store holds, sealed secrets and payloads too; POST restore takes it
//	POST /webhooks/notify-test  sends one message to each address that notices go to
//	POST /webhooks/reencrypt  encrypts all stored secrets with the first encryption key
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (*adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.webhooks", New: func() caddy.Module { return new(adminAPI) }}
}

// Routes implements caddy.AdminRouter.
func (*adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "/webhooks/health", Handler: adminHandler{http.MethodGet: answering(with(health, "max_due"))}},
		{Pattern: "/webhooks/stats", Handler: adminHandler{http.MethodGet: answering(statsRead)}},
		{Pattern: "/webhooks/webhooks", Handler: adminHandler{http.MethodGet: answering(with(ofSender(listWebhooks), "account", "status"))}},
		{Pattern: "/webhooks/events", Handler: adminHandler{http.MethodGet: answering(with(ofSender(listEvents), "account", "event", "since", "until", "limit", "cursor"))}},
		{Pattern: "/webhooks/keys", Handler: adminHandler{http.MethodGet: answering(with(ofSender(listKeys), "account", "limit", "cursor")),
			http.MethodPost: answering(ofSender(asking(createKey))), http.MethodDelete: answering(with(ofSender(deleteKey), "id!"))}},
		{Pattern: "/webhooks/example", Handler: adminHandler{http.MethodGet: answering(with(ofSender(typeExample), "event!"))}},
		{Pattern: "/webhooks/tail", Handler: adminHandler{http.MethodGet: tail}},
		{Pattern: "/webhooks/explain", Handler: adminHandler{http.MethodGet: answering(with(explain, "id!", "account"))}},
		{Pattern: "/webhooks/retry", Handler: adminHandler{http.MethodPost: answering(ofSender(asking(retryDelivery)))}},
		{Pattern: "/webhooks/replays", Handler: adminHandler{http.MethodPost: answering(ofSender(asking(startReplay))), http.MethodGet: answering(with(ofSender(showReplay), "id!", "account"))}},
		{Pattern: "/webhooks/dead", Handler: adminHandler{http.MethodGet: answering(deadRead), http.MethodPost: answering(asking(changeDead))}},
		{Pattern: "/webhooks/show", Handler: adminHandler{http.MethodGet: answering(showRead)}},
		{Pattern: "/webhooks/forget", Handler: adminHandler{http.MethodPost: answering(asking(forget))}},
		{Pattern: "/webhooks/backup", Handler: adminHandler{http.MethodGet: backup}},
		{Pattern: "/webhooks/restore", Handler: adminHandler{http.MethodPost: answering(with(restore, "replace"))}},
		{Pattern: "/webhooks/notify-test", Handler: adminHandler{http.MethodPost: answering(ofSender(notifyTest))}},
		{Pattern: "/webhooks/reencrypt", Handler: adminHandler{http.MethodPost: answering(ofSender(reencrypt))}},
	}
}

// adminHandle answers a request with what a configuration has, unless it returns an error.
type adminHandle func(http.ResponseWriter, *http.Request, *App) error

// adminHandler answers by method.
type adminHandler map[string]adminHandle

// ServeHTTP implements caddy.AdminHandler. It answers errors itself: Caddy would log every one as an error of its own.
func (h adminHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	handle := h[r.Method]
	if handle == nil {
		for _, method := range slices.Sorted(maps.Keys(h)) {
			w.Header().Add("Allow", method)
		}
		answer(w, http.StatusMethodNotAllowed, adminError{"method not allowed"})
		return nil
	}
	a, err := started.newest()
	if err == nil {
		err = handle(w, r, a)
	}
	if err != nil {
		answer(w, adminStatus(err), adminError{err.Error()})
	}
	return nil
}

// adminError has the form of Caddy's own.
type adminError struct {
	Error string `json:"error"`
}

// answering makes a function into a handler that answers with the JSON it returns.
func answering(f adminFunc) adminHandle { return answeringBy(answer, f) }

// answeringBy does that with another way to write what was returned.
func answeringBy(write func(w http.ResponseWriter, status int, v any), f adminFunc) adminHandle {
	return func(w http.ResponseWriter, r *http.Request, a *App) error {
		q := &adminRequest{Request: r, app: a, status: http.StatusOK}
		v, err := f(q)
		if err == nil {
			write(w, q.status, v)
		}
		return err
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who hung up needs no answer
}

var (
	errNotRunning = notFound("webhooks are not configured here: write the global option webhooks, or a directive such as webhook_receiver")
	errNoSender   = notFound("there is no sender here: neither the block sender nor webhook_api is configured")
)

// adminFault is what is wrong with a request, and the status that says so.
type adminFault struct {
	status  int
	message string
}

func (e *adminFault) Error() string { return e.message }

// badRequest is about a request that can't be answered.
func badRequest(message string) error { return &adminFault{http.StatusBadRequest, message} }

// notFound is about a request for something that this configuration, or its store, does not have.
func notFound(message string) error { return &adminFault{http.StatusNotFound, message} }

func adminStatus(err error) int {
	var refused *sender.Error
	var fault *adminFault
	switch {
	case errors.As(err, &fault):
		return fault.status
	case errors.Is(err, sender.ErrNoKey), errors.Is(err, sender.ErrUnopened), errors.Is(err, store.ErrNotEmpty), errors.Is(err, store.ErrNoBackup),
		errors.Is(err, receiver.ErrUnderWay), errors.Is(err, receiver.ErrQueueFull):
		return http.StatusConflict
	case errors.As(err, &refused):
		switch refused.Code {
		case sender.CodeNotFound:
			return http.StatusNotFound
		case sender.CodeConflict, sender.CodeLimitReached:
			return http.StatusConflict
		case sender.CodeUnavailable:
			return http.StatusServiceUnavailable
		}
		return http.StatusBadRequest
	default:
		return http.StatusServiceUnavailable // of the store
	}
}

// Interface guards
var (
	_ caddy.AdminRouter  = (*adminAPI)(nil)
	_ caddy.AdminHandler = adminHandler(nil)
)
