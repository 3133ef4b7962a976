// Package store keeps one tenant's resources as items of a table. Every write is a transaction, and its conditions keep the
// data consistent under concurrent writes. Data read from several items is used only if the items come from one snapshot
// read or the member digest matches. The package writes membership changes and never rewrites a member list. It answers no
// filter (package query does), renders no response, and does not depend on HTTP. Begin with [Store.Execute].
//
// # Items
//
// t is the escaped name of the tenant, T a resource type such as User. A resource ID is the letter of its type and 26
// base32hex characters. Attributes are those of the structs in item.go. Names and values are case-folded, except values of
// case-exact attributes.
//
//	item           PK                        SK                     attributes
//	head           t#T#<id>                  @                      doc, display, created, modified, ver, gver, groups,
//	                                                                n, sum, pending, left, deleting, txn, by, op
//	edge           t#Group#<group>           Member#<member>        type
//	change         t#Group#<group>           Change#<change>#<n>    add, del: up to 24 members; txn, by
//	name           t#T                       <attribute>#<name>     id
//	index          t#T#<attribute>#<value>   <id>                   value: at most 512 bytes, or its SHA-256
//	all            t#T#id#                   <id>                   an index item of every resource
//	counter        t#T#count                 0 … 31                 n: the sum is the number of resources
//	index state    t#T#index                 @                      complete
//	cursor key     t#cursor                  @                      secret
//	bookmark       t#page#<query>            <start index>          mark, total, expires
//	intent marker  unfinished                t#T#<id>               at: an unfinished delete
//	               unfinished                t#T#<id>#<change>      state, k, at, expires: a large change
//	               unfinished                t#T#index              state, attributes, position, at: a backfill
//
// # Invariants
//
// They hold at every moment, wherever a process dies:
//
//  1. A name item points to a resource if and only if the resource exists and has that name.
//  2. An edge item exists if and only if the member's groups set names the group, and both resources exist.
//  3. A change takes effect wholly or not at all for every client. Its size does not matter.
//  4. The counters, and each group's n (number of edge items) and sum (of member hashes), are right.
//  5. No process writes an item of one tenant on behalf of another.
//
// DynamoDB shows a transaction to plain reads item by item. Therefore a member list is used only if its count and digest
// match the head item. A write repeats all else that it depends on as a condition.
//
// # Writes
//
// A write of a resource requires that its ver is unchanged. A write of another resource's head item requires only that the
// item exists, and is relative: it adds to sets and numbers.
//
// A small change is one transaction (execute.go, mutation.go): the head item, name, index and counter items (index.go), and for each
// membership the edge item and its reverse (membership.go).
//
// A large change does not fit one transaction of 100 actions (execute.go, redo_log.go):
//
//  1. Prepare, only beyond 2,352 memberships: write the intent marker in state prepared, and those change items for which
//     the commit has no room. Each transaction requires the state prepared.
//  2. Commit: one transaction sets pending and left in the head item, writes the other change items, and moves the marker
//     to committed. The change takes effect here.
//  3. Apply (apply.go): each change item's memberships in one transaction, which deletes the item and decrements left.
//  4. Complete: remove pending and the marker when left is 0.
//
// A reader that needs the members of a group with a pending change performs steps 3 and 4 first (RequireNoPending). A
// prepared change is aborted by moving the marker to aborted, so that its writer can no longer commit. Then the change
// items are deleted, and the marker becomes a tombstone (swept) that blocks late writes for 7 days. A marker with the
// attribute creates is not that of a change, but of a directory.CreateSet.
//
// A delete that does not fit one transaction marks the head item as deleting, and writes a marker (finish_delete.go). No
// reader sees the resource any more. Then the delete removes members and memberships in batches, and last the head item.
//
// The sweep finishes committed changes and deletes, and undoes creates, after 30 seconds. It aborts prepared changes after
// 20 minutes. A backfill writes the index items of a newly indexed attribute. Until it ends, no query uses these.
package store
