package main

import (
	"net/http"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// minCompressedBytes is the least answer that is compressed: long lists and large groups. It costs about 3 µs for each KB, a
// fifth of what a page of 100 users costs, and clients here are near; for what is larger a tunnel is grateful.
const minCompressedBytes = 128 << 10

// withCompression compresses answers for those who take gzip, as API Gateway does for the function.
func withCompression(h http.Handler) (http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(minCompressedBytes), gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.EnableZstd(false))
	if err != nil {
		return nil, err
	}
	return wrap(h), nil
}
