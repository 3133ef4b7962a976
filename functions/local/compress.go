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

// withCompression returns a handler that compresses responses for clients that accept gzip. On AWS, API Gateway does
// that.
func withCompression(h http.Handler) (http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(minCompressedBytes), gzhttp.CompressionLevel(gzip.BestSpeed),
		gzhttp.EnableZstd(false))
	if err != nil {
		return nil, err
	}
	return wrap(h), nil
}
