package console

import (
	"io/fs"
	"net/http"
)

// Pages returns the handler of the pages. It serves the paths below Root.
func (c *Console) Pages() http.Handler {
	assets, err := fs.Sub(files, "assets")
	if err != nil {
		panic(err) // the folder is embedded
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+Root+"assets/", http.StripPrefix(Root+"assets/", http.FileServerFS(assets)))
	if c.Traffic != nil {
		c.addTrafficPages(mux)
	} else {
		mux.Handle("GET "+Root+"{$}", http.RedirectHandler(Root+"directory", http.StatusFound))
	}
	mux.HandleFunc("GET "+Root+"operate", c.operate)
	mux.HandleFunc("POST "+Root+"operate", c.operateCommand)
	mux.HandleFunc("POST "+Root+"check", c.check)
	mux.HandleFunc("GET "+Root+"directory", c.show("directory", "directory.html", c.directory))
	mux.HandleFunc("GET "+Root+"directory/resource", c.show("directory", "resource.html", c.resource))
	mux.HandleFunc("GET "+Root+"items", c.items)
	mux.HandleFunc("GET "+Root+"changes", c.show("changes", "changes.html", c.changes))
	mux.HandleFunc("GET "+Root+"changes/live", c.liveChanges)
	return c.protect(mux)
}

// addTrafficPages adds the pages of traffic, faults, and recordings.
func (c *Console) addTrafficPages(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Root+"{$}", c.traffic)
	mux.HandleFunc("GET "+Root+"traffic/live", c.live)
	mux.HandleFunc("GET "+Root+"traffic/{id}", c.show("traffic", "exchange.html", c.exchange))
	mux.HandleFunc("POST "+Root+"traffic/clear", c.clear)
	mux.HandleFunc("POST "+Root+"traffic/{id}", c.show("traffic", "repeat.html", c.repeat))
	mux.HandleFunc("GET "+Root+"faults", func(w http.ResponseWriter, _ *http.Request) { c.faultsPage(w, "") })
	mux.HandleFunc("POST "+Root+"faults", c.addFault)
	mux.HandleFunc("POST "+Root+"faults/remove", c.removeFault)
	mux.HandleFunc("GET "+Root+"record", func(w http.ResponseWriter, _ *http.Request) { c.recordPage(w, recordPage{}) })
	mux.HandleFunc("POST "+Root+"record", c.recordCommand)
}
