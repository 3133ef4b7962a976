package console

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"serverless-scim/internal/console/capture"
	"serverless-scim/internal/feed"
	"serverless-scim/internal/table"
)

// The keys of items, as text. t is the escaped name of the tenant, T a resource type. The documentation of the packages
// format, store, token and feed has the attributes.
//
//	kind               PK                        SK
//	format             format                    @
//	tenant             tenant                    name of the tenant
//	token              token#<hash>              @
//	intent marker      unfinished                t#T#<id>, t#T#<id>#<change>, or t#T#index
//	name               t#T                       <attribute>#<name>
//	head               t#T#<id>                  @
//	edge               t#T#<id>                  Member#<member>
//	change             t#T#<id>                  Change#<change>#<n>
//	all                t#T#id#                   <id>
//	index              t#T#<attribute>#<value>   <id>
//	counter            t#T#count                 0 … 31
//	index state        t#T#index                 @
//	bookmark           t#page#<query>            <start index>
//	cursor key         t#cursor                  @
//	token list entry   t#token                   <token ID>
//	request counter    t#counter                 rate#<token ID>
//	deprovisioning     t#counter                 deprovisioned#<minute>
//	client             t#client                  <client ID>
//	access entry       t#access                  <client ID>#<token ID>
//	used assertion     t#access                  <client ID>#<digest>#used
//	log entry          t#changes                 number, 16 digits
//	log state          t#changes                 state
const (
	formatPartition = "format"
	tenantPartition = "tenant"
	intentPartition = "unfinished"
	headSortKey     = "@"
	edgePrefix      = "Member#"
	groupType       = "Group" // the type of the resources in the attribute groups of a head item
	firstEntry      = "0000000000000000"
	lastEntry       = "9999999999999999"
)

var (
	tokenKey = regexp.MustCompile(`^token#[0-9a-f]{32,}$`) // a tenant may be named token, too
	entryKey = regexp.MustCompile(`^[0-9]{16}$`)
)

// maskedKey returns a partition key without the hash of a token.
func maskedKey(pk string) string {
	if tokenKey.MatchString(pk) {
		return "token#" + capture.Masked
	}
	return pk
}

// isSecret reports whether an attribute of an item holds a secret, or the hash of one.
func isSecret(attribute string) bool {
	return attribute == "hash" || attribute == "secret" || attribute == "secrets"
}

func changesPartition(tenant string) string { return table.EscapeKeyPart(tenant) + "#changes" }
func tokenPartition(tenant string) string   { return table.EscapeKeyPart(tenant) + "#token" }
func clientPartition(tenant string) string  { return table.EscapeKeyPart(tenant) + "#client" }
func accessPartition(tenant string) string  { return table.EscapeKeyPart(tenant) + "#access" }

// resourcePartition returns the partition key of a resource.
func resourcePartition(tenant, resourceType, id string) string {
	return table.EscapeKeyPart(tenant) + "#" + resourceType + "#" + id
}

// A description says what an item is.
type description struct {
	Kind       string
	Personal   bool     // the sort key is personal data
	Partitions []string // partition keys that the item names
}

// describeItem returns the description of an item, from its key.
func describeItem(it table.Item) description {
	k := it.Key()
	switch parts := strings.SplitN(k.PK, "#", 4); {
	case k.PK == formatPartition:
		return description{Kind: "format"}
	case k.PK == tenantPartition:
		return description{Kind: "tenant", Partitions: []string{tokenPartition(k.SK), clientPartition(k.SK), changesPartition(k.SK)}}
	case k.PK == intentPartition:
		return describeMarker(k.SK)
	case tokenKey.MatchString(k.PK) && it["client"] != nil:
		return description{Kind: "access token", Partitions: []string{accessPartition(table.StringValue(it["tenant"]))}}
	case tokenKey.MatchString(k.PK):
		return description{Kind: "token", Partitions: []string{tokenPartition(table.StringValue(it["tenant"]))}}
	case len(parts) == 2:
		return describeTenantItem(it, parts[0], parts[1])
	case len(parts) == 3:
		return describeTypeItem(it, parts)
	case len(parts) == 4:
		return describeIndexItem(k, parts)
	}
	return description{Kind: "unknown"}
}

func describeMarker(sk string) description {
	d := description{Kind: "intent marker"}
	if parts := strings.SplitN(sk, "#", 4); len(parts) >= 3 {
		d.Partitions = []string{strings.Join(parts[:3], "#")}
	}
	return d
}

// describeTenantItem describes an item whose partition key is t#name.
func describeTenantItem(it table.Item, t, name string) description {
	sk := it.Key().SK
	switch {
	case name == "cursor":
		return description{Kind: "cursor key"}
	case name == "token":
		return description{Kind: "token list entry"}
	case name == "client":
		return description{Kind: "client", Partitions: []string{t + "#access"}}
	case name == "access" && strings.HasSuffix(sk, "#used"):
		return description{Kind: "used assertion"}
	case name == "access":
		return description{Kind: "access entry"}
	case name == "counter" && strings.HasPrefix(sk, "rate#"):
		return description{Kind: "request counter"}
	case name == "counter":
		return description{Kind: "deprovisioning"}
	case name == "changes" && sk == "state":
		return description{Kind: "log state"}
	case name == "changes":
		return description{Kind: "log entry", Partitions: changedPartitions(it, t)}
	}
	return description{Kind: "name", Personal: true, Partitions: []string{t + "#" + name + "#" + table.StringValue(it["id"])}}
}

// changedPartitions returns the partition keys of the resources that a log entry names.
func changedPartitions(it table.Item, t string) (keys []string) {
	var changes []feed.Change
	json.Unmarshal([]byte(table.StringValue(it["changes"])), &changes) // a corrupt entry names no resource
	for _, c := range changes {
		if pk := t + "#" + c.ResourceType + "#" + c.ResourceID; !slices.Contains(keys, pk) {
			keys = append(keys, pk)
		}
	}
	return keys
}

// describeTypeItem describes an item whose partition key has three parts.
func describeTypeItem(it table.Item, parts []string) description {
	t, sk := parts[0], it.Key().SK
	switch {
	case parts[1] == "page":
		return description{Kind: "bookmark"}
	case parts[2] == "count":
		return description{Kind: "counter"}
	case parts[2] == "index":
		return description{Kind: "index state"}
	case strings.HasPrefix(sk, "Change#"):
		return description{Kind: "change"}
	case strings.HasPrefix(sk, edgePrefix):
		member := strings.TrimPrefix(sk, edgePrefix)
		return description{Kind: "edge", Partitions: []string{t + "#" + table.StringValue(it["type"]) + "#" + member}}
	}
	d := description{Kind: "head"}
	for _, id := range table.StringSetValue(it["groups"]) {
		d.Partitions = append(d.Partitions, t+"#"+groupType+"#"+id)
	}
	return d
}

func describeIndexItem(k table.Key, parts []string) description {
	d := description{Kind: "index", Partitions: []string{parts[0] + "#" + parts[1] + "#" + k.SK}}
	if parts[2] == "id" && parts[3] == "" {
		d.Kind = "all"
	}
	return d
}

// hasPersonalKey reports whether a partition key contains an attribute value.
func hasPersonalKey(pk string) bool {
	parts := strings.SplitN(pk, "#", 4)
	return len(parts) == 4 && parts[3] != ""
}

// A resourceKey names a resource.
type resourceKey struct{ Tenant, Type, ID string }

// resourceOf returns the resource whose partition a key names. ok is false if it is another partition.
func resourceOf(pk string) (k resourceKey, ok bool) {
	parts := strings.Split(pk, "#")
	if len(parts) != 3 || parts[1] == "page" || parts[2] == "count" || parts[2] == "index" {
		return k, false
	}
	unescape := strings.NewReplacer("%23", "#", "%25", "%")
	return resourceKey{unescape.Replace(parts[0]), parts[1], parts[2]}, true
}
