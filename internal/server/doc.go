// Package server implements the SCIM protocol over net/http. It decodes requests, calls the operations of package
// directory, and encodes the responses. There is one file for each verb of RFC 7644. Begin with [New] and the table of
// routes in server.go.
//
// A request passes these steps. ServeHTTP authenticates it and checks the rate limit of its token. The routeTable finds
// the route, which names the handler, the resource type, and the ID. A route that writes requires a token whose scope
// permits that. The handler returns a response or an error. ServeHTTP writes the response and logs the request. Package oauth
// handles requests to the token endpoint and its metadata, which need no token and are not SCIM messages.
//
// The package does not store anything, does not read the environment, and does not depend on Lambda or API Gateway, except
// for their size limits. A handler returns its response, and ServeHTTP alone writes to the connection.
//
// # Files
//
// The files of a line use only each other and the files of later lines:
//
//	server.go                   New, the table of all routes, the steps of a request
//	discovery.go                the discovery endpoints, which report the limits of the other handlers
//	bulk*.go                    /Bulk, which executes each operation through the route of the single request
//	changes.go                  /Changes, with which applications read what has changed
//	search.go, query.go         the requests that list resources
//	create.go, ..., delete.go   the other handlers, one file for each verb
//	audit.go, limit.go          the call of a handler with its scope check and audit record; rate limit and
//	                            deprovisioning guard
//	config.go                   Config and the server type
//	route.go                    the route type, and the lookup of the route of a method and a path
//	response.go                 the response type, the error types, and the response to each error
//	request.go                  the request type: body, parameters, preconditions
//
// # RFC sections
//
// This list names, for each section, the code that implements it and the most important tests. Files without a package
// are in this package.
//
//	RFC 7643 §2             attribute types and characteristics
//	                        code:  scim/schema.go, scim/decode.go
//	                        tests: scim/decode_test.go, scim/rfc_test.go, newtype_test.go
//	RFC 7643 §3, §4, §8.7   common attributes, User, Group, enterprise extension
//	                        code:  scim/schemas
//	                        tests: scim/rfc_test.go
//	RFC 7643 §5, §6, §7     ServiceProviderConfig, ResourceTypes, Schemas (also RFC 7644 §4)
//	                        code:  discovery.go
//	                        tests: rfc_test.go, request_test.go, okta_entitlement_test.go
//	RFC 7644 §2, §7.4       authentication, scopes and expiry of tokens
//	                        code:  audit.go, token/authenticate.go, token/scope.go, token/issue.go
//	                        tests: token/authenticate_test.go, token/scope_test.go, token/issue_test.go, matrix_test.go,
//	                               rotation_test.go
//	RFC 6749, RFC 8414      the token endpoint and its metadata, which need no token
//	                        code:  server.go, oauth
//	                        tests: oauth_test.go, matrix_test.go, oauth/endpoint_test.go
//	RFC 7644 §3.3           create a resource
//	                        code:  create.go, directory/create.go
//	                        tests: directory/lifecycle_test.go, okta_test.go
//	RFC 7644 §3.4.1         retrieve a resource
//	                        code:  retrieve.go, directory/retrieve.go
//	                        tests: store/interleaving_test.go
//	RFC 7644 §3.4.2         list resources: filter, sort, pages, the root
//	                        code:  query.go, directory/list.go, query/query.go, query/plan.go, query/page.go,
//	                               query/sort.go, filter/parse.go, scim/match.go, scim/specialize.go, scim/sort.go
//	                        tests: search_test.go, query/evaluate_test.go, query/page_test.go, scim/match_test.go,
//	                               scim/reference_test.go, scim/specialize_test.go
//	RFC 7644 §3.4.3         list resources by POST to /.search
//	                        code:  search.go
//	                        tests: search_test.go
//	RFC 7644 §3.5.1         replace a resource
//	                        code:  replace.go, directory/replace.go
//	                        tests: directory/model_test.go
//	RFC 7644 §3.5.2         modify a resource by PATCH
//	                        code:  modify.go, directory/modify.go, patch
//	                        tests: patch/testdata/*.txtar, patch/property_test.go, directory/model_test.go
//	RFC 7644 §3.6           delete a resource
//	                        code:  delete.go, directory/delete.go
//	                        tests: directory/lifecycle_test.go
//	RFC 7644 §3.7           bulk operations
//	                        code:  bulk.go, bulk_operation.go, bulk_reference.go, bulkid, directory/create_set.go
//	                        tests: bulk_test.go, bulk_operation_test.go, bulk_reference_test.go, bulk_cycle_test.go,
//	                               bulkid/bulkid_test.go
//	RFC 7644 §3.9           attributes and excludedAttributes
//	                        code:  scim/project.go, directory/render.go
//	                        tests: scim/match_test.go
//	RFC 7644 §3.11          /Me, which is not supported: 501
//	                        code:  server.go
//	                        tests: request_test.go
//	RFC 7644 §3.12          errors
//	                        code:  response.go, scim/error.go
//	                        tests: servertest/shape.go, for every response of every test
//	RFC 7644 §3.14          versions and preconditions
//	                        code:  request.go, directory/update.go, directory/entity_tag.go
//	                        tests: request_test.go, entity_tag_test.go, store/race_test.go
//	RFC 7644 §6             tenants
//	                        code:  store/keys.go, table/scoped.go
//	                        tests: isolation_test.go, table/scoped_test.go, directory/lifecycle_test.go
//	RFC 9110 §8.4, §13.1.2  compressed request bodies, If-None-Match
//	                        code:  request.go
//	                        tests: request_test.go
//	RFC 9865                pages by cursor
//	                        code:  query.go, query/cursor.go
//	                        tests: search_test.go, query/cursor_test.go, query/iterator_test.go
//	RFC 9967                events in /Changes, securityEvents in ServiceProviderConfig
//	                        code:  changes.go, discovery.go, feed
//	                        tests: changes_test.go, feed/decode_test.go
//	dialects                requests of identity providers that depart from the RFCs
//	                        code:  next to the rule that is relaxed, with the name of the provider; package leniency
//	                               lists the rules of leniency, and the log line of a request names those it needed
//	                        tests: dialect_test.go, lenient_test.go, profile_test.go, patch/testdata/dialects.txtar
package server
