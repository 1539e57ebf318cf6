package console

import (
	"errors"
	"net/http"
)

// maxOneClick bounds the form of a one-click request: a word for a word.
const maxOneClick = 4 << 10

// oneClick ends mail to an address where the reader's mail program asks for it (RFC 8058): by a POST to the link of the header
// List-Unsubscribe, with the form that List-Unsubscribe-Post says. Opening the link shows a page with a button: programs that
// look at links in mails end nothing.
func (h *handler) oneClick(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("unsubscribe")
	if token == "" {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxOneClick)
	if err := r.ParseMultipartForm(maxOneClick); err != nil && !errors.Is(err, http.ErrNotMultipart) || r.PostForm.Get("List-Unsubscribe") != "One-Click" {
		http.Error(w, "send the form List-Unsubscribe=One-Click, as RFC 8058 has it", http.StatusBadRequest)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	h.Unsubscribe(w, r, token)
}
