package console

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"serverless-scim/internal/console/capture"
	"serverless-scim/internal/table"
)

//go:embed assets
var files embed.FS

// Config says what the console shows, and who may see it.
type Config struct {
	Now      func() time.Time
	BasePath string   // path of the SCIM server, such as /scim/v2
	Key      string   // part of the address that is printed; a browser needs it to use the console
	Hosts    []string // values of the header Host that are accepted, such as 127.0.0.1:8080

	Traffic  *capture.Traffic // nil: there are no pages of traffic, faults, and recordings
	ReadOnly bool             // commands and repairs are rejected, and no page offers them
	SCIM     http.Handler     // the SCIM server, whose exchanges are not kept: pages ask it for resources and changes
	Table    table.Table      // the table itself, for the pages of items
	// IndexKeys returns the keys of the items that a resource needs in other partitions, except edges.
	IndexKeys func(tenant, resourceType, id, document string) ([]table.Key, error)
	Tenants   func(context.Context) ([]string, error)
	// Token returns a token of a tenant, for requests to SCIM.
	Token func(tenant string) string

	// Execute runs an operator's command, and Fsck checks the table. Fsck returns a line for each finding.
	Execute func(ctx context.Context, event json.RawMessage) (any, error)
	Fsck    func(ctx context.Context, repair bool) ([]string, error)
}

// A Console serves the pages. It is safe for concurrent use.
type Console struct {
	Config
	templates map[string]*template.Template // by page
}

// New returns a console.
func New(c Config) *Console {
	return &Console{Config: c, templates: parseTemplates(c.Now)}
}

// A page has the values of the template of the layout.
type page struct {
	Title   string
	Section string // of the navigation
	Traffic bool   // there are pages of traffic, for the navigation
	Faults  int    // number of active faults, for the banner
	Records bool   // traffic is recorded, for the banner
	Status  int    // 0: 200
	Content any
}

// parseTemplates returns a template for each page: the layout with the content of the page.
func parseTemplates(now func() time.Time) map[string]*template.Template {
	names, err := fs.Glob(files, "assets/*.html")
	pages := map[string]*template.Template{}
	for _, path := range names {
		name := strings.TrimPrefix(path, "assets/")
		t := template.Must(template.New("").Funcs(functions(now)).ParseFS(files, "assets/*.html"))
		pages[name] = template.Must(t.New("content").Parse(`{{template "` + name + `" .Content}}`))
	}
	if err != nil {
		panic(err) // the pattern is valid
	}
	return pages
}

// render writes a page. name is that of the template of its content.
func (c *Console) render(w http.ResponseWriter, name string, p page) {
	var b bytes.Buffer
	if p.Traffic = c.Traffic != nil; p.Traffic {
		recorder, stopped := c.Traffic.Recording.State()
		p.Faults, p.Records = len(c.Traffic.Faults.Active()), recorder != nil && !stopped
	}
	if err := c.templates[name].ExecuteTemplate(&b, "layout.html", p); err != nil {
		http.Error(w, "The page cannot be shown: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(cmp.Or(p.Status, http.StatusOK))
	w.Write(b.Bytes())
}

// show returns the handler of a page that read returns.
func (c *Console) show(section, template string, read func(*http.Request) (page, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := read(r)
		name := template
		if err != nil {
			shown := problemOf(err)
			name, p = "problem.html", page{Title: "Problem", Status: shown.Status, Content: shown}
		}
		p.Section = section
		c.render(w, name, p)
	}
}

// Root is the path below which all pages are.
const Root = "/console/"
