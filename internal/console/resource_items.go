package console

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"serverless-scim/internal/table"
)

// maxListedEdges is the number of edges in each direction, of change items, and of intent markers that a page lists.
const maxListedEdges = 20

// A resourceItem is an item that belongs to a resource.
type resourceItem struct {
	Kind, PK, SK, Href string
	Missing            bool // no such item exists, although the resource needs it
	PKPersonal         bool // the partition key is personal data
	SKPersonal         bool // the sort key is
}

// resourceItems are the items that belong to a resource.
type resourceItems struct {
	List       []resourceItem
	Groups     int // edges in partitions of groups that List leaves out
	Members    int // of a group
	AllMembers string
	Counters   string
	Problem    string // why List is not complete, or ""
}

// memberEdge and groupEdge are the kinds of the edges of the members of a resource, and of its memberships.
const memberEdge, groupEdge = "edge of a member", "edge in a group"

func (l *resourceItems) add(kind string, k table.Key, missing bool) {
	d := describeItem(table.Item{"PK": table.S(k.PK), "SK": table.S(k.SK)})
	if kind == "" {
		kind = d.Kind
	}
	l.List = append(l.List, resourceItem{kind, k.PK, k.SK, partitionLink("", k.PK, k.SK).Href, missing, hasPersonalKey(k.PK), d.Personal})
}

// readItems returns the items that belong to a resource: those of its partition, and those that its head item leads to. An
// error is a part of the result, because the page has more to show.
func (c *Console) readItems(ctx context.Context, tenant, resourceType, id string) (l resourceItems) {
	pk := resourcePartition(tenant, resourceType, id)
	head := table.Key{PK: pk, SK: headSortKey}
	items, err := c.Config.Table.Get(ctx, nil, head)
	if err == nil && len(items) == 0 {
		err = &problem{http.StatusNotFound, "The resource has no head item."}
	}
	if err == nil {
		l.add("", head, false)
		l.Members, _ = strconv.Atoi(valueText(items[0]["n"]))
		l.AllMembers = partitionLink("", pk, edgePrefix).Href
		l.Counters = partitionLink("", table.EscapeKeyPart(tenant)+"#"+resourceType+"#count", "").Href
		err = c.addNeeded(ctx, &l, resourceKey{tenant, resourceType, id}, items[0])
	}
	for _, r := range []table.Range{{PK: pk, Prefix: edgePrefix}, {PK: pk, Prefix: "Change#"}, {PK: intentPartition, Prefix: pk}} {
		if err == nil {
			err = c.addRange(ctx, &l, r)
		}
	}
	if err != nil {
		l.Problem = problemOf(err).Detail
	}
	return l
}

// addNeeded adds the items that a resource needs in other partitions: its name item, its index items, and the edges of its
// memberships.
func (c *Console) addNeeded(ctx context.Context, l *resourceItems, r resourceKey, head table.Item) error {
	keys, err := c.IndexKeys(r.Tenant, r.Type, r.ID, table.StringValue(head["doc"]))
	if err != nil {
		return err
	}
	indexKeys, groups := len(keys), table.StringSetValue(head["groups"])
	l.Groups = max(0, len(groups)-maxListedEdges)
	for _, group := range groups[:len(groups)-l.Groups] {
		keys = append(keys, table.Key{PK: resourcePartition(r.Tenant, groupType, group), SK: edgePrefix + r.ID})
	}
	items, err := c.Config.Table.Get(ctx, []string{"PK", "SK"}, keys...)
	exists := map[table.Key]bool{}
	for _, it := range items {
		exists[it.Key()] = true
	}
	for i, k := range keys {
		kind := ""
		if i >= indexKeys {
			kind = groupEdge
		}
		l.add(kind, k, !exists[k])
	}
	return err
}

// addRange adds the first items of a range.
func (c *Console) addRange(ctx context.Context, l *resourceItems, r table.Range) error {
	r.Limit = maxListedEdges
	p, err := c.Config.Table.Query(ctx, r)
	for _, it := range p.Items {
		kind := ""
		if strings.HasPrefix(it.Key().SK, edgePrefix) {
			kind = memberEdge
		}
		l.add(kind, it.Key(), false)
	}
	return err
}
