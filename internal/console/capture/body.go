package capture

import (
	"io"
	"net/http"
)

// A keptBody is the body of a request of which a part is kept.
type keptBody struct {
	io.ReadCloser
	limit int
	kept  []byte
	size  int
}

func (b *keptBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.kept = keep(b.kept, p[:n], b.limit)
	b.size += n
	return n, err
}

// A keptResponse is a response of which a part is kept.
type keptResponse struct {
	http.ResponseWriter
	limit  int
	kept   []byte
	size   int
	status int
}

func (w *keptResponse) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *keptResponse) Write(p []byte) (int, error) {
	w.kept = keep(w.kept, p, w.limit)
	w.size += len(p)
	return w.ResponseWriter.Write(p)
}

// Unwrap returns the wrapped writer to http.ResponseController.
func (w *keptResponse) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *keptResponse) finalStatus() int { return max(w.status, http.StatusOK) }

// keep appends to what is kept of a body, up to a limit.
func keep(kept, p []byte, limit int) []byte {
	return append(kept, p[:min(len(p), limit-len(kept))]...)
}
