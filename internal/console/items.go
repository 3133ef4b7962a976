package console

import (
	"context"
	"net/http"
	"net/url"

	"serverless-scim/internal/table"
)

const (
	itemsPerPage  = 100
	maxItemLinks  = 20
	readUnitBytes = 4096 // of a strongly consistent read
	itemsPath     = Root + "items"
)

// A link is a link on a page.
type link struct{ Name, Href string }

// partitionLink returns the link to the items of a partition whose sort keys begin with a prefix.
func partitionLink(name, pk, prefix string) link {
	q := url.Values{"pk": {pk}}
	if prefix != "" {
		q.Set("prefix", prefix)
	}
	return link{name, itemsPath + "?" + q.Encode()}
}

// An itemRow is an item on a page.
type itemRow struct {
	description
	PK, SK string
	Text   string // attributes
	Size   int    // in bytes
	Links  []link
	More   int // number of links that are left out
}

// Units returns the read units of a read of the item alone.
func (i itemRow) Units() int { return readUnits(i.Size) }

func readUnits(size int) int { return (size + readUnitBytes - 1) / readUnitBytes }

func newItemRow(it table.Item) itemRow {
	i := itemRow{description: describeItem(it), PK: it.Key().PK, SK: it.Key().SK, Text: itemText(it), Size: table.ItemSize(it)}
	for _, pk := range i.Partitions[:min(len(i.Partitions), maxItemLinks)] {
		i.Links = append(i.Links, partitionLink(pk, pk, ""))
	}
	i.More = len(i.Partitions) - len(i.Links)
	if i.Kind == "token list entry" || i.Kind == "access entry" {
		q := url.Values{"token": {i.SK}, "list": {i.PK}}
		i.Links = append(i.Links, link{"token", itemsPath + "?" + q.Encode()})
	}
	return i
}

// An itemsPage is the content of the page of a partition.
type itemsPage struct {
	PK, Prefix string
	Personal   bool // the partition key is personal data
	Items      []itemRow
	Size       int
	Next       string       // address of the next page, or ""
	Resource   *resourceKey // whose partition it is, or nil
}

func (p itemsPage) Units() int { return readUnits(p.Size) }

// items serves the page of the partition that a request names, or the page to choose one.
func (c *Console) items(w http.ResponseWriter, r *http.Request) {
	template, read := "items.html", c.partition
	if r.FormValue("pk") == "" && r.FormValue("token") == "" {
		template, read = "partitions.html", c.partitions
	}
	c.show("items", template, read)(w, r)
}

// partition reads the page of the partition that a request names.
func (c *Console) partition(r *http.Request) (page, error) {
	q := table.Range{PK: r.FormValue("pk"), Prefix: r.FormValue("prefix"), ExclusiveStart: r.FormValue("after"), Limit: itemsPerPage}
	if id := r.FormValue("token"); id != "" {
		hash, err := c.hashOfToken(r.Context(), table.Key{PK: r.FormValue("list"), SK: id})
		if err != nil {
			return page{}, err
		}
		q = table.Range{PK: "token#" + hash}
	}
	found, err := c.Config.Table.Query(r.Context(), q)
	if err != nil {
		return page{}, err
	}
	p := itemsPage{PK: maskedKey(q.PK), Prefix: q.Prefix, Personal: hasPersonalKey(q.PK)}
	for _, it := range found.Items {
		p.Items = append(p.Items, newItemRow(it))
		p.Size += table.ItemSize(it)
	}
	if k, ok := resourceOf(q.PK); ok {
		p.Resource = &k
	}
	if after := found.LastEvaluatedKey.SK; after != "" {
		p.Next = itemsPath + "?" + url.Values{"pk": {q.PK}, "prefix": {q.Prefix}, "after": {after}}.Encode()
	}
	return page{Title: "Items", Content: &p}, nil
}

// hashOfToken returns the hash in an entry that names a token of a tenant. So no address of a page contains the hash.
func (c *Console) hashOfToken(ctx context.Context, entry table.Key) (string, error) {
	items, err := c.Config.Table.Get(ctx, nil, entry)
	if err == nil && len(items) == 0 {
		err = &problem{http.StatusNotFound, "The tenant has no such token."}
	}
	if err != nil {
		return "", err
	}
	return table.StringValue(items[0]["hash"]), nil
}

// A partitionsPage is the content of the page to choose a partition.
type partitionsPage struct {
	choice
	Links []link
}

// partitions reads the page with the partitions of a tenant that matter.
func (c *Console) partitions(r *http.Request) (page, error) {
	chosen, err := c.chooseTenant(r)
	if err != nil {
		return page{}, err
	}
	types, _, err := c.resourceTypes(r.Context(), chosen.Tenant, "")
	if err != nil {
		return page{}, err
	}
	p, t := partitionsPage{choice: chosen}, table.EscapeKeyPart(chosen.Tenant)
	add := func(name, pk, prefix string) { p.Links = append(p.Links, partitionLink(name, pk, prefix)) }
	for _, rt := range types {
		add(rt.Name+": names", t+"#"+rt.Name, "")
		add(rt.Name+": all, in the order of IDs", t+"#"+rt.Name+"#id#", "")
		add(rt.Name+": counters", t+"#"+rt.Name+"#count", "")
		add(rt.Name+": state of the indexes", t+"#"+rt.Name+"#index", "")
	}
	add("Change log", changesPartition(chosen.Tenant), "")
	add("Unfinished changes and deletes", intentPartition, t+"#")
	add("Tokens", tokenPartition(chosen.Tenant), "")
	add("Clients", clientPartition(chosen.Tenant), "")
	add("Access tokens and used assertions of clients", accessPartition(chosen.Tenant), "")
	add("Counters of requests and deprovisioned users", t+"#counter", "")
	add("Key of the cursors", t+"#cursor", "")
	add("Tenants", tenantPartition, "")
	return page{Title: "Items", Content: &p}, nil
}
