package main

import (
	"net/http"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// minCompressedBytes is the size from which a response is compressed. Compression takes about 3 µs per KB, a fifth of
// the time for a page of 100 users. It does not pay for small responses to clients on the same machine, but speeds up
// long lists and large groups through a tunnel.
const minCompressedBytes = 128 << 10

// withCompression returns a handler that compresses responses for clients that accept gzip. The handler h must write the
// whole body by one call, as package server does. On AWS, API Gateway compresses responses.
func withCompression(h http.Handler) (http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(minCompressedBytes), gzhttp.CompressionLevel(gzip.BestSpeed),
		gzhttp.EnableZstd(false))
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &compressingWriter{ResponseWriter: w, request: r, wrap: wrap}
		h.ServeHTTP(c, r)
		c.writeStatus()
	}), nil
}

// A compressingWriter passes small bodies on, because package gzhttp takes a twentieth of the time of a small response.
type compressingWriter struct {
	http.ResponseWriter
	request *http.Request
	wrap    func(http.Handler) http.HandlerFunc
	status  int // not yet written; 0: none
}

// WriteHeader sets the status, which is written with the body or, without one, at the end.
func (w *compressingWriter) WriteHeader(status int) { w.status = status }

func (w *compressingWriter) writeStatus() {
	if w.status != 0 {
		w.ResponseWriter.WriteHeader(w.status)
	}
	w.status = 0
}

func (w *compressingWriter) Write(b []byte) (n int, err error) {
	if len(b) < minCompressedBytes {
		w.writeStatus()
		return w.ResponseWriter.Write(b)
	}
	w.wrap(http.HandlerFunc(func(compressor http.ResponseWriter, _ *http.Request) {
		if w.status != 0 {
			compressor.WriteHeader(w.status)
		}
		n, err = compressor.Write(b)
	})).ServeHTTP(w.ResponseWriter, w.request)
	w.status = 0
	return n, err
}
