package doctor

import "strings"

// Code is something that may be found.
type Code struct {
	Code     string
	Severity Severity // usually
	Check    bool     // postern check looks for it, in files
	Doctor   bool     // postern doctor looks for it, in an Envoy that runs
	Meaning  string
	Cure     string
}

// Codes is everything that may be found. A code is never given another meaning.
var Codes = [...]Code{
	// Envoy and the filter.
	{"admin_unreachable", Error, false, true, "Envoy's admin interface did not answer.",
		"Give its address with --admin; in Istio, forward the port first: kubectl port-forward POD 15000."},
	{"envoy_not_live", Error, false, true, "Envoy has not started, or is being shut down.",
		"Look at the end of Envoy's log: before it serves, it waits for clusters and for delivered configurations."},
	{"envoy_untested", Warning, false, true, "Postern was not tested with this version of Envoy.",
		"Run one of the versions that are named, or try the journey out on this one: postern demo --check."},
	{"gate_not_found", Error, false, true, "Envoy has no filter with Postern's settings: nothing is protected.",
		"See that the filter is in http_filters of the listener, or that the WasmPlugin selects this workload; Envoy's log says why a configuration was refused."},
	{"gate_not_used", Error, false, true, "The filter was delivered, and no listener uses it.",
		"See that http_filters of the listener has config_discovery with this very name."},
	{"gate_disabled", Error, true, true, "The filter is switched off where it stands.",
		"Take `disabled: true` out of it."},
	{"route_not_gated", Warning, true, true, "A route switches the filter off: what it leads to is open to anyone.",
		"Use a rule with `allow: anyone` instead: header fields of identity are then still taken out of requests."},
	{"gate_after_router", Error, true, true, "The filter stands behind the router, where no request arrives.",
		"Put the router last."},
	{"filter_before_gate", Warning, true, true, "A filter that judges identities stands before the one that finds them out: it sees what the client sent.",
		"Put Postern before it."},
	{"settings_invalid", Error, false, true, "The settings are not valid.",
		"Correct what is named; postern schema makes editors do so while one types."},
	{"settings_differ", Warning, false, true, "The settings that Envoy runs with are not those of --config.",
		"Deliver them once more, and see update_rejected."},
	{"replicas_differ", Warning, false, true, "Two Envoys run with different settings.",
		"Wait until the new ones have arrived everywhere; then see update_rejected of the one that is behind."},
	{"replicas_unseen", Note, false, true, "Whether all replicas have the same keys cannot be seen from outside.",
		"Take POSTERN_KEY of every replica from one Secret. Where they differ, people sign in again whenever another replica answers."},
	{"update_rejected", Error, false, true, "Envoy refused a configuration, and runs on with the one before.",
		"Put the new one to postern check; Envoy's log has the reason, behind \"wasm log postern\"."},

	{"update_failed", Warning, false, true, "A configuration that was delivered could not be read, or not be fetched: Envoy runs on with the one before.",
		"Files: see that what was written last is whole and valid YAML or JSON, and put it to postern check; Envoy's log has the place, behind \"Filesystem config update failure\". A control plane: see that Envoy reaches it. The count stays until Envoy is started anew."},

	// What happens when something fails.
	{"fail_open", Error, true, true, "When the module fails, requests pass without it.",
		"Set failure_policy: FAIL_RELOAD (Istio: failStrategy: FAIL_RELOAD; Envoy Gateway: failOpen: false)."},
	{"fail_closed", Warning, true, true, "When the module fails, its worker answers 503 until Envoy is started anew.",
		"Set failure_policy: FAIL_RELOAD (Istio: failStrategy: FAIL_RELOAD): the request that failed is still refused, and the next one finds a new module."},
	{"module_not_running", Error, false, true, "No virtual machine runs the module.",
		"See that the file or image is there and that its checksum is right; Envoy's log says why it was not loaded."},
	{"module_failed", Warning, false, true, "The module failed and was started anew.",
		"Look for \"Function: proxy_on\" and \"panic\" in Envoy's log, and report what stands there."},
	{"module_panicked", Warning, false, true, "Postern's own code failed; the requests that it was about were refused.",
		"Look for \"postern: panic\" in Envoy's log, and report what stands there."},
	{"module_other_version", Note, false, true, "The module is of another version than this command.",
		"Use the command of the module's version: it knows the same settings."},

	// Variables and secrets.
	{"variable_not_handed_over", Error, true, true, "The settings name a variable that the proxy does not hand over.",
		"Name it in vm_config.environment_variables.host_env_keys (Istio: vmConfig.env with valueFrom: HOST; Envoy Gateway: env.hostKeys), and set it for the proxy itself."},
	{"secret_in_environment", Warning, true, true, "A secret is spelled out beside the settings, where everybody sees it who may read the proxy's configuration.",
		"Hand the proxy's own variable over instead (host_env_keys; Istio: valueFrom: HOST), and set that from a Secret."},
	{"secret_in_settings", Warning, true, true, "A secret is spelled out in the settings, where everybody sees it who may read the proxy's configuration.",
		"Name a variable with `env` instead of `value`."},

	// Shared memory.
	{"vm_id_empty", Warning, true, true, "Without a VM id, every module without one can write into Postern's shared memory.",
		"Set vm_config.vm_id to a name that no other filter has. (Istio's WasmPlugin has no such field.)"},
	{"vm_id_shared", Warning, true, true, "Another module has the same VM id, and can write into Postern's shared memory: it is sealed, but can be set back to what it was.",
		"Give each a vm_config.vm_id of its own."},

	// Requests with bodies, header fields, cookies.
	{"bodies_not_let_through", Warning, true, true, "Envoy gives the filter no bodies: what needs them (back-channel logout, response_mode: form_post, sign_in.keep_forms) is answered 501.",
		"Set allow_on_headers_stop_iteration: true beside failure_policy (Envoy 1.35 and later); in Istio, by an EnvoyFilter in the WasmPlugin's place (istio/bodies)."},
	{"backchannel_unreachable", Note, false, true, "The address for back-channel logout does not answer as Postern does.",
		"See that what stands in front lets POST through to it, if the provider is to call it."},
	{"header_limit_low", Warning, true, true, "Envoy takes fewer bytes of header fields than the session's cookies may have.",
		"Raise max_request_headers_kb of the connection manager, or lower session.max_bytes."},
	{"headers_refused", Error, false, true, "A request with as many cookies as a session may have is refused.",
		"Raise max_request_headers_kb in Envoy, and the limits of whatever is in front of it (nginx: large_client_header_buffers), or lower session.max_bytes."},
	{"cookie_dropped", Error, false, true, "Cookies are Secure, and the address is plain http: browsers drop them, and every login fails.",
		"Use https; on a laptop set insecure_http_cookies."},
	{"cookie_not_secure", Warning, false, true, "Cookies travel over plain http as well.",
		"Take insecure_http_cookies out of the settings."},

	// Who is believed.
	{"client_address_chosen", Warning, true, true, "A client may choose the address that it is known by, and the settings hold tokens to it.",
		"Set use_remote_address: true where nothing is in front, or xff_num_trusted_hops to the number of proxies in front; or trusted_peers.hops."},
	{"trust", Note, false, true, "Whose word is taken for a caller's address, scheme and host.",
		"Nothing in front: use_remote_address: true. One proxy in front: use_remote_address: true and xff_num_trusted_hops: 1."},
	{"admin_open", Warning, true, true, "Envoy's admin interface listens beyond this machine: whoever reaches it reads the configuration and can end Envoy.",
		"Bind it to 127.0.0.1, or to a Unix socket."},
	{"log_writes_queries", Warning, true, true, "An access log writes queries: those of callbacks hold codes, and those of applications what people asked.",
		"Write %PATH(NQ)% or %REQ_WITHOUT_QUERY(:PATH)% in place of the path; without a format of one's own, Envoy writes queries."},
	{"log_writes_secrets", Warning, true, true, "An access log writes cookies or tokens.",
		"Take %REQ(COOKIE)%, %REQ(AUTHORIZATION)% and %RESP(SET-COOKIE)% out of its format."},
	{"stats_tags_missing", Warning, true, true, "Envoy does not make labels of what Postern's metrics say of providers, rules and reasons: dashboards and alerts find nothing.",
		"Take stats_config.stats_tags from envoy/envoy.yaml (Istio: the annotation sidecar.istio.io/extraStatTags)."},

	// The way to the provider.
	{"cluster_missing", Error, true, true, "The settings name a cluster that Envoy does not have.",
		"Define it, or name one that there is. In Istio it comes of a ServiceEntry, and a Sidecar resource can hide it."},
	{"cluster_unhealthy", Error, false, true, "A cluster has no host that is well.",
		"See that the name resolves from where Envoy runs, that the port is right, and that nothing forbids the connection."},
	{"tls_missing", Error, true, true, "The provider is called in plain text, though its address is https: secrets and tokens can be read, and whoever is in between can sign in as anybody.",
		"Give the cluster a transport_socket with UpstreamTlsContext (Istio: a DestinationRule with tls.mode: SIMPLE)."},
	{"tls_unverified", Error, true, true, "The provider's certificate is not verified: whoever is in between can sign in as anybody.",
		"Set common_tls_context.validation_context.trusted_ca (Istio: tls.caCertificates)."},
	{"tls_name_unverified", Error, true, true, "Any name in the provider's certificate will do: whoever has a certificate of the same authorities can sign in as anybody.",
		"Set validation_context.match_typed_subject_alt_names to the provider's host (Istio: tls.subjectAltNames)."},
	{"tls_name_other", Warning, true, true, "The provider's certificate has to bear another name than the provider's address has.",
		"See that match_typed_subject_alt_names (Istio: tls.subjectAltNames) is of this provider."},
	{"tls_sni_missing", Warning, true, true, "The provider is not told which of its hosts is meant (SNI): many then show another certificate.",
		"Set sni in UpstreamTlsContext (Istio: tls.sni) to the provider's host."},
	{"tls_failing", Error, false, true, "Connections to the provider fail because of its certificate.",
		"See what the certificate bears: openssl s_client -connect HOST:443 -servername HOST; then trusted_ca, sni and match_typed_subject_alt_names of the cluster."},
	{"provider_down", Error, false, true, "Postern could not read the provider's metadata or keys through Envoy: nobody can sign in.",
		"See cluster_unhealthy and tls_failing; then the events of this provider in Envoy's log."},
	{"provider_calls_failing", Warning, false, true, "Calls to the provider failed, or got no answer.",
		"See cluster_unhealthy and tls_failing, and the provider's timeout in the settings."},
	{"client_refused", Error, false, true, "The provider refuses the client as Postern proves it: logins or renewals failed by it. It is a warning where logins have succeeded as well.",
		"See that client_id, client_secret and client_auth are as the provider's registration of this client says. A secret that has run out is the usual reason: make a new one, and start Envoy anew if it is in a variable. The count stays until Envoy is started anew."},
	{"logins_misconfigured", Error, false, true, "Logins or renewals failed for a reason that comes of the settings or of the client's registration, and not of people. It is a warning where logins have succeeded as well.",
		"Put the settings to postern check; docs/operations.md says what the usual reasons mean, at PosternLoginsMisconfigured. The count stays until Envoy is started anew."},
	{"discovery_unreachable", Warning, false, true, "The provider's metadata cannot be read from here.",
		"If Envoy can (provider_down is well), this machine cannot reach the provider or does not trust its certificate: --ca names authorities of one's own."},
	{"issuer_differs", Error, false, true, "The provider calls itself otherwise than the settings do: nothing that it signs is accepted.",
		"Set `issuer` to what the provider says, letter by letter."},
	{"keys_unreadable", Error, false, true, "The provider's signing keys cannot be read, or are none.",
		"See that the address jwks_uri of its metadata answers, and has keys."},

	// The front.
	{"front_unreachable", Error, false, true, "The address of the front did not answer.",
		"See that --url is what people type, that its name resolves here, and that the listener is open."},
	{"front_certificate", Error, false, true, "The front's certificate is not one that browsers accept.",
		"Use a certificate for this host of an authority that browsers know; for one of one's own, give --ca."},
	{"front_plain_http", Warning, false, true, "The front is spoken to in plain http: sessions can be read on the way.",
		"Use https."},
	{"gate_not_in_front", Error, false, true, "At this address nobody answers as Postern does.",
		"See that --url leads to the listener with the filter, and that path_prefix is the one of the settings (--config)."},
	{"host_unknown", Error, false, true, "Postern refuses this host with status 421.",
		"Put it into `hosts`, with its port unless that is the usual one."},
	{"login_not_begun", Error, false, true, "A login does not begin.",
		"See provider_down; Envoy's log has the reason by the request's id."},
	{"redirect_refused", Error, false, true, "The provider does not accept the address to which it is to send people back.",
		"Register this very address at the provider, for this client."},
	{"redirect_unseen", Note, false, true, "Whether the provider takes the redirect address cannot be seen before somebody signs in: GitHub and Entra look at it afterwards.",
		"Compare the address with what is registered at the provider, letter by letter."},
	{"authorization_refused", Error, false, true, "The provider does not accept the authorisation request.",
		"See that client_id, scopes and what else is asked for (authorization_params, profile) are as the provider's registration of this client says."},
	{"authorization_unreachable", Warning, false, true, "The provider's page for signing in does not answer from here.",
		"If the provider answers otherwise (discovery_unreachable is well), see that the host of authorization_endpoint in its metadata is one that browsers reach, and that this machine reaches it: --ca names authorities of one's own."},
	{"clock_skew", Error, false, true, "The clocks of provider and Envoy differ by more than the settings' leeway: ID tokens are refused.",
		"Let both set their clocks by NTP."},
	{"clock_here", Note, false, true, "The clock of this machine is not that of Envoy and of the provider.",
		"Let this machine set its clock by NTP."},

	// Istio's WasmPlugin, and images.
	{"phase_not_authn", Warning, true, false, "The plugin is not in the phase in which Istio finds out who asks: its own policies then judge before it, or do not see its header fields.",
		"Set phase: AUTHN."},
	{"image_latest", Warning, true, false, "The image's tag moves, and nodes that have one keep it: replicas run different versions.",
		"Name a version, best with the image's digest."},
	{"image_not_pinned", Warning, true, false, "Whoever can write to the registry can put another module into every proxy.",
		"Set sha256 (of an image: the digest of its manifest), or put @sha256:… behind the address."},
	{"selector_on_waypoint", Warning, true, false, "Waypoints do not look at `selector`: the plugin is nowhere.",
		"Use targetRefs, with the Gateway or the Service."},
	{"root_namespace", Warning, true, false, "In the root namespace and without a selector the plugin is for every workload of the mesh.",
		"Put it into the namespace of the gateway or the application, or give it a selector or targetRefs."},
	{"direction_not_said", Note, true, false, "Beside an application the plugin is for incoming and for outgoing calls.",
		"On a sidecar, set match: [{mode: SERVER}], unless the settings have `outbound`."},
}

// known is the code of this name.
func known(code string) Code {
	for _, c := range Codes {
		if c.Code == code {
			return c
		}
	}
	panic("doctor: no code " + code) // a test tries them all
}

// Table writes the codes as a table for docs/doctor.md.
func Table() string {
	var out strings.Builder
	out.WriteString("| code | severity | by | what it means | cure |\n|---|---|---|---|---|\n")
	for _, c := range Codes {
		by := "`check`, `doctor`"
		if !c.Check {
			by = "`doctor`"
		} else if !c.Doctor {
			by = "`check`"
		}
		out.WriteString("| `" + c.Code + "` | " + string(c.Severity) + " | " + by + " | " + c.Meaning + " | " + c.Cure + " |\n")
	}
	return out.String()
}
