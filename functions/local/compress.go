package main

import (
	"net/http"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// minCompressed is the least answer that is compressed: lists and larger groups. It costs about 3 µs for each KB, which
// for less is more than the one or two packets are worth that it saves.
const minCompressed = 4 << 10

// compressed compresses answers for those who take gzip, as API Gateway does for the function.
func compressed(h http.Handler) (http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(minCompressed), gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.EnableZstd(false))
	if err != nil {
		return nil, err
	}
	return wrap(h), nil
}
