package console

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"serverless-scim/internal/console/traffic"
	"serverless-scim/internal/feed"
	"serverless-scim/internal/table"
)

// A page reads at most maxEntries entries of the change log, and ends with the entry that completes pageSize changes.
const maxEntries = 500

// A logPage is a page of changes, the newest first.
type logPage struct {
	Tenant  string
	Changes []*loggedChange
	Corrupt []string // sort keys of entries that cannot be decoded
	Newest  string   // sort key of the first entry; "" if the page has none
	Older   string   // where the next page begins; "": the log has no older entry
}

// Partition returns the partition key of the log.
func (l logPage) Partition() string { return changesPartition(l.Tenant) }

// A loggedChange is a change in the log, with what the console knows about it.
type loggedChange struct {
	feed.Change
	Tenant   string
	Label    string // name of the resource, or its ID if it does not exist any more
	Exchange int    // ID of the exchange with the request; 0: it is not kept
	groups   map[string]string
}

// readLog returns the changes that wanted selects, in entries before a sort key; "" is the end of the log.
func (c *Console) readLog(ctx context.Context, tenant, before string, wanted func(*feed.Change) bool) (l logPage, err error) {
	if before != "" && !entryKey.MatchString(before) {
		return l, &problem{http.StatusBadRequest, "The position in the change log is not valid. It has 16 digits."}
	}
	l.Tenant, l.Older = tenant, before
	for read := 0; ; {
		r := table.Range{PK: changesPartition(tenant), From: firstEntry, To: lastEntry, ExclusiveStart: l.Older, Backward: true, Limit: pageSize}
		p, err := c.Config.Table.Query(ctx, r)
		if err != nil {
			return l, err
		}
		full := c.addEntries(&l, p.Items, wanted)
		if read += len(p.Items); !full || l.Older == p.Items[len(p.Items)-1].Key().SK {
			l.Older = p.LastEvaluatedKey.SK
		}
		if full || l.Older == "" || read >= maxEntries {
			return l, c.addLabels(ctx, l.Changes)
		}
	}
}

// addEntries adds the changes of entries, the newest first. It reports whether the page is full. Older is then the last
// entry that was added.
func (c *Console) addEntries(l *logPage, entries []table.Item, wanted func(*feed.Change) bool) (full bool) {
	for _, it := range entries {
		sk := it.Key().SK
		l.Newest, l.Older = cmp.Or(l.Newest, sk), sk
		var changes []feed.Change
		if json.Unmarshal([]byte(table.StringValue(it["changes"])), &changes) != nil {
			l.Corrupt = append(l.Corrupt, sk)
			continue
		}
		for i := range slices.Backward(changes) {
			if wanted(&changes[i]) {
				l.Changes = append(l.Changes, &loggedChange{Change: changes[i], Tenant: l.Tenant, Exchange: c.exchangeOf(l.Tenant, &changes[i])})
			}
		}
		if len(l.Changes) >= pageSize {
			return true
		}
	}
	return false
}

// exchangeOf returns the ID of the exchange that led to a change, or 0.
func (c *Console) exchangeOf(tenant string, change *feed.Change) int {
	if c.Traffic == nil {
		return 0
	}
	if change.Request != "" || !change.Has(feed.Deleted) {
		return c.Traffic.FindRequest(change.Request)
	}
	for _, e := range c.Traffic.Exchanges() {
		if deletes(e, tenant, change) {
			return e.ID
		}
	}
	return 0
}

// deletes reports whether an exchange led to a deletion, because it deleted the head item of the resource. Usually a deletion
// names no request, because the head item has it. No other resource had the key.
func deletes(e *traffic.Exchange, tenant string, change *feed.Change) bool {
	head := table.Key{PK: resourcePartition(tenant, change.ResourceType, change.ResourceID), SK: headSortKey}
	return change.Has(feed.Deleted) &&
		slices.ContainsFunc(e.Items, func(i traffic.ItemChange) bool { return i.Key == head && i.New == nil })
}

const (
	maxGroups = 10  // joined, and left, that a change shows
	maxLabels = 400 // names that a page reads
)

// addLabels adds the current names of the resources and groups. Keys that the table would reject have no name.
func (c *Console) addLabels(ctx context.Context, changes []*loggedChange) error {
	labels := map[string]string{}
	items, err := c.Config.Table.Get(ctx, []string{"PK", "doc"}, labelKeys(changes)...)
	for _, it := range items {
		var o resource
		json.Unmarshal([]byte(table.StringValue(it["doc"])), &o) // the ID stands for a corrupt document
		labels[table.StringValue(it["PK"])] = cmp.Or(o.text("userName"), o.text("displayName"))
	}
	for _, l := range changes {
		l.Label, l.groups = cmp.Or(labels[resourcePartition(l.Tenant, l.ResourceType, l.ResourceID)], l.ResourceID), labels
	}
	return err
}

// labelKeys returns the keys of the head items of resources, and then those of groups joined and left.
func labelKeys(changes []*loggedChange) (keys []table.Key) {
	known := map[string]bool{}
	add := func(tenant, typ, id string) {
		k := table.Key{PK: resourcePartition(tenant, typ, id), SK: headSortKey}
		if !known[k.PK] && len(keys) < maxLabels && table.ValidateKeys([]table.Key{k}, 1) == nil {
			known[k.PK], keys = true, append(keys, k)
		}
	}
	for _, l := range changes {
		add(l.Tenant, l.ResourceType, l.ResourceID)
	}
	for _, l := range changes {
		for _, id := range slices.Concat(firstGroups(l.Joined), firstGroups(l.Left)) {
			add(l.Tenant, groupType, id)
		}
	}
	return keys
}

func firstGroups(ids []string) []string { return ids[:min(len(ids), maxGroups)] }

func (l *loggedChange) links(ids []string) (links []resourceLink) {
	for _, id := range firstGroups(ids) {
		links = append(links, resourceLink{groupType, id, cmp.Or(l.groups[resourcePartition(l.Tenant, groupType, id)], id)})
	}
	return links
}

// JoinedLinks and LeftLinks return the first groups that the resource joined and left.
func (l *loggedChange) JoinedLinks() []resourceLink { return l.links(l.Joined) }

func (l *loggedChange) LeftLinks() []resourceLink { return l.links(l.Left) }

// MoreGroups returns the number of groups that JoinedLinks and LeftLinks leave out.
func (l *loggedChange) MoreGroups() int {
	return max(len(l.Joined)-maxGroups, 0) + max(len(l.Left)-maxGroups, 0)
}

// Sentence returns what happened to the resource, such as "was created and joined 2 groups".
func (l *loggedChange) Sentence() string {
	var parts []string
	was := "was "
	for _, k := range l.Kinds {
		switch k {
		case feed.GroupsChanged:
			parts = append(parts, l.groupsPart())
		case feed.MembersChanged:
			parts = append(parts, "has other members")
		default:
			parts, was = append(parts, was+string(k)), ""
		}
	}
	if last := len(parts) - 1; last > 0 {
		return strings.Join(parts[:last], ", ") + " and " + parts[last]
	}
	return strings.Join(parts, "")
}

func (l *loggedChange) groupsPart() string {
	joined, left := len(l.Joined), len(l.Left)
	switch {
	case joined > 0 && left > 0:
		return "joined " + groupsText(joined) + " and left " + groupsText(left)
	case joined > 0:
		return "joined " + groupsText(joined)
	case left > 0:
		return "left " + groupsText(left)
	}
	return "has other groups"
}

// IsDeletion reports whether the resource was deleted.
func (l *loggedChange) IsDeletion() bool { return l.Has(feed.Deleted) }

func groupsText(n int) string {
	if n == 1 {
		return "1 group"
	}
	return strconv.Itoa(n) + " groups"
}

// A changesPage is the content of the page of the change feed.
type changesPage struct {
	choice
	Log    logPage
	IsLive bool // the page begins at the end of the log
}

// changes reads a page of the change feed of a tenant.
func (c *Console) changes(r *http.Request) (page, error) {
	chosen, err := c.chooseTenant(r)
	if err != nil {
		return page{}, err
	}
	before := r.FormValue("before")
	l, err := c.readLog(r.Context(), chosen.Tenant, before, func(*feed.Change) bool { return true })
	return page{Title: "Changes", Content: &changesPage{chosen, l, before == ""}}, err
}

// liveInterval is the time between two reads of the end of the log.
const liveInterval = time.Second

// liveChanges sends the changes of each new entry of the log as rows, as long as the browser listens. The ID of an event
// is the sort key of the entry, with which a browser continues after it has lost the connection.
func (c *Console) liveChanges(w http.ResponseWriter, r *http.Request) {
	chosen, err := c.chooseTenant(r)
	after := cmp.Or(r.Header.Get("Last-Event-ID"), r.FormValue("after"), firstEntry)
	if err != nil || !entryKey.MatchString(after) {
		http.Error(w, "The tenant or the position in the change log is not valid.", http.StatusBadRequest)
		return
	}
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Time{}) // the connection stays open until the browser closes it
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, ": open\n\n")
	tick := time.NewTicker(liveInterval)
	defer tick.Stop()
	for control.Flush() == nil {
		select {
		case <-tick.C:
			after = c.sendEntries(r.Context(), w, chosen.Tenant, after)
		case <-r.Context().Done():
			return
		}
	}
}

// sendEntries sends the entries after a sort key, and returns the sort key of the last one. An error of the table sends
// nothing, because the next call is another attempt.
func (c *Console) sendEntries(ctx context.Context, w http.ResponseWriter, tenant, after string) string {
	p, _ := c.Config.Table.Query(ctx, table.Range{PK: changesPartition(tenant), From: firstEntry, To: lastEntry, ExclusiveStart: after, Limit: 20})
	for _, it := range p.Items {
		l := logPage{Tenant: tenant}
		c.addEntries(&l, []table.Item{it}, func(*feed.Change) bool { return true })
		c.addLabels(ctx, l.Changes)
		after = it.Key().SK
		fmt.Fprintf(w, "id: %s\n", after)
		c.sendEvent(w, "changerows.html", l)
	}
	fmt.Fprint(w, ": alive\n\n")
	return after
}
