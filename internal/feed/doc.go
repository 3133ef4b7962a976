// Package feed reports changes of resources to applications. It decodes the records of the table's stream, and appends the
// changes to the change log of their tenant. It also reads the log for clients. It does not change resources, it does not
// render them, and it calls no other system: a Sink does.
//
//	head items ─▶ stream of the table ─▶ Publisher ─┬▶ change log ─▶ Reader ─▶ GET /Changes
//	                                                └▶ Sinks, such as EventBridge
//
// Begin with [Change] and [Decode], which say what a change is. A [Publisher] writes the log, and a [Reader] reads it.
//
// # Items
//
// t is the escaped name of the tenant.
//
//	item        PK         SK                    attributes
//	log entry   t#changes  number, 16 digits     changes: a JSON array; expires
//	log state   t#changes  state                 epoch, start
//
// Entries have consecutive numbers. An entry holds up to 100 changes of up to 64 KB, and expires after 90 days. A writer
// puts the entry after the last one, on the condition that its number is free. A reader reads consecutive numbers, and
// stops where one is missing. So it misses no entry, even if several writers run, or crash.
//
// An empty log begins at the number of the current Unix time in milliseconds, which is above every number used before. The
// attribute start has this number. The transaction that begins a log requires that start is absent or unchanged, so two
// writers cannot begin it at two numbers. Reset sets the attribute epoch. A cursor of another epoch has expired.
//
// # What a reader can rely on
//
// The table's stream delivers every change of a resource at least once, in the order of its versions. The log keeps
// this order, but there is no order between resources. A Reader returns the current state of each changed resource. So an
// application that stores what it reads, and the cursor with it, has the state of the directory when it reaches the end.
// An application that begins without a cursor replaces the copy that it has.
//
// A reader may read a change twice, also after the state that it led to has been replaced. It never reads an older state
// of a resource after a newer one. A resource whose item is corrupt is left out until it is repaired.
//
// The folder consumer has the guide for applications, and programs that keep a copy.
package feed
