// Command floor responds to every request with 1 KB of JSON: the least that a server with net/http can do. BenchmarkSpeed
// compares the server with it.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
)

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s\n", l.Addr())
	body := `{"id":"x","text":"` + strings.Repeat("a", 1003) + `"}`
	log.Fatal(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/scim+json")
		io.WriteString(w, body)
	})))
}
