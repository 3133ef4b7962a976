// Package fsck checks the items of a table against each other, and repairs what it can. [Checker.Run] scans the table
// and reports each inconsistency as a [Finding]: the key of an item, the problem, and the result of the repair.
//
// Requests, crashes, and sweeps leave no findings in a table. A finding has one of three causes: a restore that
// contains part of a transaction, a write by another program, or an error in this program. An unfinished change or
// delete is not a finding.
//
// # How a check decides
//
// A check depends on the checked item and on the few items that it refers to or that refer to it. It runs in three
// steps.
//
//  1. Plain reads fetch the other items of many checks at once. They may observe part of a transaction, so a problem
//     that they show is only suspected.
//  2. A snapshot read fetches all items of one suspected problem from the same instant. If the check still fails, the
//     problem is a finding.
//  3. The repair is one transaction. Its conditions require that every item that led to the finding is unchanged. If a
//     condition fails, the check starts again at step 2.
//
// The member count and digest, the number of pending change items, and the counter items depend on more items than a
// snapshot read can fetch. These checks count the items twice with plain reads. They have a finding only if both
// counts agree, and if snapshot reads show that the head item or the counter items did not change. Numbers that change
// all the time are left to a later run.
//
// Because of these steps, a run can take place during requests, sweeps, and other runs. A run holds one table page and
// the items that one batch of checks reads, about a thousand. [Checker.RunExclusive] only saves the cost of a second
// repair: it holds a lease item, which expires five minutes after its last renewal.
//
// # What fsck refuses
//
// fsck only reports what it cannot repair without a guess:
//
//   - a corrupt item, except a cursor key
//   - an item with an invalid ID in place of a group or member
//   - a head item whose attribute tenant is not that of its key
//   - two resources with the same name
//
// It ignores bookmarks, tokens, clients, tenants, the format item, and all items that are not part of the item layout of
// package store.
//
// # Findings and repairs
//
// The first column is the reported problem without its values. Every repair of a groups set increments the groups version.
// Every repair that removes a member from a group increments the version of the group.
//
//	problem                                                   repair
//	name item without a head item that has the name           delete it
//	name item with an invalid resource ID                     delete it
//	head item without its name item                           put the name item
//	head item whose name is taken by …                        none: rename one of the two resources
//	index item without a head item that has the value         delete it
//	index item with an invalid resource ID                    delete it
//	head item without its index item                          put the index item
//	edge item without its group in the member's groups set    add the group to the set
//	edge item without the head item of its member             delete it, and adjust n and sum of the group
//	edge item without the head item of its group              delete it, and remove the group from the member's set
//	edge item of a group that is its own member               delete it, and adjust n, sum, and groups of the group
//	edge item with an invalid member ID                       none
//	groups set with the group …, but without the edge item    remove the group from the set
//	groups set with the invalid ID …                          none
//	n=… or sum does not match … edge items                    set both as the edge items require
//	left=… does not match … change items of the pending …     set it; if it was too high, memberships may be lost
//	pending change without its intent marker                  put the marker with the state committed
//	pending change whose intent marker has the state …        set the state to committed
//	committed intent marker of a change that is not pending   delete it
//	deleting head item without its intent marker              put the marker
//	intent marker of a delete that is not in progress         delete it
//	change item of a change that is not pending, prepared, …  delete it
//	counter items whose sum must change by …                  add the difference to one counter item
//	corrupt cursor key                                        delete it: the next list by cursor creates another
//	head item with the tenant …                               none: the tenant differs from that of the key
//	corrupt head item, corrupt name item, …                   none
//
// A restored table needs a run with repair, then a sweep, and then a run that has no findings.
package fsck
