// Package conversation plays scripts of what passes between a browser, the
// gate, the provider and the application, and checks every word of it. One
// script runs on the gate as Go code, on the compiled module in the wazero host
// and on a real Envoy; a script that holds on all three says what Postern does.
//
// It is a test tool: it opens sockets and starts Envoy, and nothing of it is
// part of the module. It refuses scripts that it does not understand to the
// last word, and fails a script for whatever the script does not mention: a
// cookie that is set, a call to the provider, an event in the log, or a secret
// anywhere that secrets do not belong.
//
// # Scripts
//
// A script is a txtar archive. Its comment is a title and, where the script
// cannot run everywhere, a line that says where and why:
//
//	# A callback without state is refused.
//	only: native module (the clock moves)
//
// Its files are script, and as needed settings.json (laid over the default
// settings: objects are merged, lists of as many objects entry by entry, the
// rest replaced), discovery.json (laid over the provider's metadata), further
// settings for restart, and cases: a table of name and variables, for each line
// of which the script is played on the same gate with new browsers, or, after
// the line "a new gate for each case" in the comment, on one of its own.
//
// A step begins in the first column; what belongs to it is indented. Steps:
//
//	-> GET https://app.example.com/a?b=c     a browser sends a request
//	   accept: text/html                     … with this field
//	   cookie: a=b                           … and these cookies in place of its own
//	   no cookies                            … or none
//	   body: text                            … with a body
//	   peer 192.0.2.7                        … from this address
//	   certificate one                       … with one's certificate, for spiffe://example.com/one
//	   certificate one uri=a:b dns=one.test  … or for these names
//	   $field                                … with the field that a table has
//	-> [tab] GET /a                          … in a tab, so that several can wait
//	stream [tab] GET /events                 … whose answer by the application stays open
//	pending [tab]                            there is no answer yet
//	gone [tab]                               the browser does not wait for it
//	open [tab]                               the stream is still open
//	cut [tab]                                the gate cuts the stream
//	worker 2                                 the gate's second worker serves what follows
//	gate 2                                   another gate with the same settings does
//	<- 303 login                             the gate answers, for this reason
//	<- grpc 16 no_session                    … a gRPC call, with this status
//	<- grpc-web 16 no_session                … a gRPC-Web call; its trailers are fields here
//	   location: https://id.example.com/*    … with this field
//	   ? state=<state>                       … this parameter in its location
//	   set-cookie: a=<a>; *                  … exactly the cookies that are listed
//	   absent: www-authenticate              … without this field
//	   body contains text                    … with, or lacks, this text
//	   json reason: no_session               … with this member of its JSON
//	=> forwarded                             the request reaches the application
//	   x-auth-request-user: alice            … with this field
//	   absent: cookie                        … without this one, in any spelling
//	<- 200                                   and this is its answer
//	call POST https://id.example.com/token   the gate calls the provider
//	   & code=*                              … with exactly these form parameters
//	   body: *                               … or this body
//	calls 2                                  so many calls wait at once, whichever came first
//	reply 200                                the provider answers
//	   {"token_type": "Bearer", …}           … with this body, to the step's end
//	reply never                              … not in time
//	reply cut                                … by closing the connection
//	provider down                            no host of any provider is healthy
//	provider other down                      … of the one with this cluster
//	take over keys                           the script answers calls for keys
//	hand back keys                           … and no longer
//	event login_refused state_missing        one line of the log; other=value may follow
//	                                         (lines about people who are not known need no mention)
//	clock +1h                                time passes
//	browser bob                              another browser, or an earlier one again
//	jar NAME = value                         puts a cookie into the browser's jar
//	jar NAME gone                            takes it out
//	app answers 200                          what the application says from now on
//	   set-cookie: a=b
//	let name = value                         sets a variable
//	assert a = b                             compares
//	restart with other.json                  a new gate with other settings
//	include sign-in                          the steps in parts/sign-in.txt
//	log mentions text                        a line of the log that is no event
//
// The workers of a gate share what those of one Envoy do, and gates share
// nothing. Where a host lets no request's body through to the gate, the comment
// has the line "the host lets no bodies through"; where its listener says which
// way it looks, "the listener is inbound" or "the listener is outbound". Scripts
// with several workers or gates, with such hosts, and with peers are only for:
// native module.
//
// $name and $function(argument) stand for a value, $$ for a dollar sign. Where
// something is expected, * stands for any text and <name> captures it. The
// functions are in expand.go; $idtoken makes and signs an ID token, $accesstoken
// an access token, $dpop a proof of possession. $thumbprint and $jwk are of a
// key, $certificate and $x5t of a certificate, as certificate names it.
//
// # Several providers
//
// Beside the provider main, whom all settings have, there are two more, known to
// settings that name them in their list of providers: other ($other_issuer, with
// its endpoints at https://login.example.net, key o1, client shop-at-other with
// secret-at-other-of-the-tests) and third ($third_issuer, at
// https://sso.example.org, key t1, client shop-at-third with
// secret-at-third-of-the-tests). What an entry of that list says is laid over
// what is known of the provider of its name, so that three of them are
//
//	{"providers": [{}, {"name": "other"}, {"name": "third", "own_callback": true}]}
//
// Each is reached through a cluster of its name (main's is idp) and publishes its
// metadata and keys, which discovery-other.json and discovery-third.json change as
// discovery.json does main's. $idtoken_other and $idtoken_third make their ID
// tokens.
package conversation
