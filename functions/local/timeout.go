package main

import (
	"net/http"
	"time"
)

const (
	// writeTimeout is how long a client may take to read writeChunkBytes of a response. A client that stops reading would
	// otherwise keep the response in memory.
	writeTimeout    = 10 * time.Second
	writeChunkBytes = 64 << 10
)

// withWriteTimeout returns a handler that closes the connection of a client that does not read its response. A slow
// client gets the whole response if it reads at least writeChunkBytes in each writeTimeout.
func withWriteTimeout(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(timeoutWriter{w, http.NewResponseController(w)}, r)
	})
}

// timeoutWriter is a ResponseWriter that extends the deadline of the connection for each chunk of a response. A response
// without a body has the WriteTimeout of the server.
type timeoutWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (w timeoutWriter) Write(b []byte) (n int, err error) {
	for {
		w.extendDeadline()
		written, err := w.ResponseWriter.Write(b[:min(len(b), writeChunkBytes)])
		if n, b = n+written, b[written:]; err != nil || len(b) == 0 {
			return n, err
		}
	}
}

// Unwrap returns the wrapped writer to http.ResponseController.
func (w timeoutWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w timeoutWriter) extendDeadline() {
	w.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // without support for deadlines, there is no timeout
}
