// Package query finds the resources that a SCIM list request asks for: filter → plan → candidates → page. Begin with
// [Engine.Run]. It returns states of resources, which package directory renders. The package writes nothing except
// bookmarks and the key of the cursors. It never returns a resource because of an index item alone.
//
// # Plans
//
// For each resource type, the filter is reduced to what concerns the type (scim.SpecializeFilter). A plan (plan.go) selects
// the most selective source of candidates (source.go, sources.go, union.go):
//
//	filter                                          candidates, in the order of IDs unless stated otherwise
//	none                                            all resources
//	id, userName, a group's displayName eq          one
//	an indexed attribute eq, such as emails.value   those with an index item for the value
//	members.value eq "U"                            the groups in the head item of U
//	groups.value eq "G"                             the edge items of G
//	userName sw, displayName sw                     the names with the prefix, in the order of names
//	x and y                                         the more selective of both
//	x or y                                          both; if one is ordered by name and the other by ID, all are loaded first
//	anything else                                   all resources, tested up to the scan budget
//
// Each candidate is tested by the whole filter (reads.go, evaluate.go), because a plain read may show an index item before
// or after its resource. A request that would exceed the scan budget, the evaluation budget or its deadline is tooMany.
//
// # Pages
//
// A page begins at a start index (query.go) or at a cursor (cursor.go, RFC 9865). A bookmark (bookmark.go) keeps the
// position of the next start index for an hour, in the table, or in memory if the table is embedded. A page by cursor may
// be short and costs at most these budgets. So a client can read a directory of any size with any filter. sortBy (sort.go)
// reads and sorts all matches for each page, except by the name attribute, whose items are in order.
//
// # Costs
//
// Waits are table calls that wait for each other. RRU and WRU are read and write units. Dollars are for a million
// operations at DynamoDB's on-demand prices. A million resources cost what a thousand do. To print the table, run "go test
// ./internal/directory -run '^$' -bench Cost -benchtime 50x".
//
//	operation                                     waits  read             written  RRU              WRU  dollars
//	GET of a user in two groups                   2      3                         3                     0.38
//	probe by userName, externalId, e-mail: hit    3      4                         4                     0.50
//	probe: miss                                   1                                1                     0.13
//	create a user                                 1                       6                         12   7.50
//	PATCH, PUT of a user                          2      3                1        3                2    1.63
//	PATCH that renames                            2      3                3        3                6    4.13
//	delete a user in one group                    2      1                8        1                16   10.13
//	first page of 100 users                       3      244              1        114              2    15.50
//	any later page                                4      246              1        116              2    15.75
//	page of 100 groups without members            2      233              1        103              2    14.13
//	groups.value eq, 10 members                   3      24                        17                    2.13
//	members.value eq, a user in 2 groups          2      6                         10                    1.25
//	id eq "g" and members eq "u"                  1      3                         5                     0.63
//	add, remove one member of 0 / 1,000+          2      2 / 102          3        6 / 7            6    4.50 / 4.63
//	add 100 members to 0 / 1,000+                 9      203              219      405 / 307        438  324 / 312
//	rename a group of 0 / 1,000+                  2      1 / 102          3        2 / 4            6    4.00 / 4.25
//	GET a group of 0 / 1,000 / 100,000            1/2/2  1/2,001/100,001           2/1,023/2,180         0.25/128/273
//	GET a group without members                   1      1                         1                     0.13
//
// 1,000+ means 1,000 or 100,000 members. By cursor a page writes nothing. An embedded table writes no bookmarks. The first
// query of a process that uses index items also reads the index state of the tenant.
package query
