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
		h.ServeHTTP(&timeoutWriter{ResponseWriter: w}, r)
	})
}

// A timeoutWriter is a ResponseWriter that extends the deadline of the connection for each chunk of a response. A response
// of less than a chunk has the WriteTimeout of the server, because most responses are small and a deadline takes time to set.
type timeoutWriter struct {
	http.ResponseWriter
	begun bool // something was written
}

func (w *timeoutWriter) Write(b []byte) (n int, err error) {
	isSmall := !w.begun && len(b) < writeChunkBytes
	w.begun = true
	for {
		if !isSmall { // without support for deadlines, there is no timeout
			http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(writeTimeout))
		}
		written, err := w.ResponseWriter.Write(b[:min(len(b), writeChunkBytes)])
		if n, b = n+written, b[written:]; err != nil || len(b) == 0 {
			return n, err
		}
	}
}

// Unwrap returns the wrapped writer to http.ResponseController.
func (w *timeoutWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
