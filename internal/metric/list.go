package metric

// Labels.
const (
	Provider = "provider" // the provider's name in the settings
	Reason   = "reason"   // a code, as the log has it
	Rule     = "rule"     // the rule's name, or its number
)

// Requests.
var (
	// Requests are the requests that were decided: "forwarded" to the application,
	// or "answered" by Postern. They are told once a second.
	Requests = &Metric{"postern_requests_total", Counter, []string{"decision"}}
	// Answers are the answers that Postern gave in the application's place, by the
	// reason that the access log has as %RESPONSE_CODE_DETAILS%, behind "postern_".
	Answers = &Metric{"postern_answers_total", Counter, []string{Reason}}
	// Parked are the requests that wait for something now: for a provider, for a
	// renewal, for a store. Those of a worker that ended by a trap stay counted.
	Parked = &Metric{"postern_requests_parked", Gauge, nil}
)

// Signing in.
var (
	// LoginsStarted are the browsers that were sent to a provider.
	LoginsStarted = &Metric{"postern_logins_started_total", Counter, []string{Provider}}
	// LoginsSucceeded are the logins from which a session came.
	LoginsSucceeded = &Metric{"postern_logins_succeeded_total", Counter, []string{Provider}}
	// LoginsFailed are the logins that were refused, by us or by the provider. The
	// provider is "none" where it is not known which one was meant.
	LoginsFailed = &Metric{"postern_logins_failed_total", Counter, []string{Provider, Reason}}
	// LoginLoops are the logins that were stopped because no session followed the
	// ones before. They are among those that failed.
	LoginLoops = &Metric{"postern_login_loops_total", Counter, nil}
)

// Sessions.
var (
	// SessionsOpened are the requests that brought a good session: one that this
	// worker remembers ("cache"), one that it opened ("cookie"), one that it
	// fetched ("store"). They are told once a second.
	SessionsOpened = &Metric{"postern_sessions_opened_total", Counter, []string{"from"}}
	// SessionsRefused are the sessions that were brought and not accepted.
	SessionsRefused = &Metric{"postern_sessions_refused_total", Counter, []string{Reason}}
	// SessionsEnded are the sessions that were ended before their time.
	SessionsEnded = &Metric{"postern_sessions_ended_total", Counter, []string{Reason}}
	// SessionCookieBytes is how large a session's cookies are, in bytes, whenever
	// they are made.
	SessionCookieBytes = &Metric{"postern_session_cookie_bytes", Histogram, nil}
	// Refreshes are the renewals of sessions: those for which this worker asked the
	// provider ("leader"), those whose outcome another one shared while they waited
	// for it ("follower"), and cookies that came late, and were given their
	// successor ("grace").
	Refreshes = &Metric{"postern_refreshes_total", Counter, []string{Provider, "role"}}
	// RefreshesFailed are the renewals that the provider refused or did not answer.
	RefreshesFailed = &Metric{"postern_refreshes_failed_total", Counter, []string{Provider, Reason}}
)

// Tokens and rules.
var (
	// Tokens are the tokens that callers brought: "accepted", or why not. They are
	// told once a second.
	Tokens = &Metric{"postern_tokens_total", Counter, []string{"outcome"}}
	// AccessDenied are the requests that a rule did not let pass.
	AccessDenied = &Metric{"postern_access_denied_total", Counter, []string{Rule, Reason}}
	// AccessObserved are the requests that a rule would not have let pass, had it
	// not been for insecure_observe.
	AccessObserved = &Metric{"postern_access_observed_total", Counter, []string{Rule, Reason}}
	// AccessAllowed are the requests that passed, where log.decisions is "all".
	AccessAllowed = &Metric{"postern_access_allowed_total", Counter, []string{Rule}}
	// SignInNeeded are the browsers that were sent to sign in, or to do so anew.
	SignInNeeded = &Metric{"postern_sign_in_needed_total", Counter, []string{Rule, Reason}}
)

// Providers.
var (
	// ProviderCalls are the calls to providers, and to the store, whose name is
	// "webdis": by what they were for, and by the answer's class ("2xx" to "5xx"),
	// or "unavailable" without an answer, or "not_sent" where Envoy took no call.
	ProviderCalls = &Metric{"postern_provider_calls_total", Counter, []string{Provider, "step", "outcome"}}
	// ProviderCallTime is how long these took, in milliseconds.
	ProviderCallTime = &Metric{"postern_provider_call_milliseconds", Histogram, []string{Provider, "step"}}
	// ProviderUp is 1 where the provider's metadata and keys are known, and 0 where
	// they could not be had for five seconds. That of a provider that was taken out
	// of the settings stays as it was.
	ProviderUp = &Metric{"postern_provider_up", Gauge, []string{Provider}}
	// ProviderKeysTime is when the provider's keys were last fetched, in seconds
	// since 1970.
	ProviderKeysTime = &Metric{"postern_provider_keys_timestamp_seconds", Gauge, []string{Provider}}
)

// Postern itself.
var (
	// Events are the lines in the log, of which docs/events.md tells, by what
	// happened and why.
	Events = &Metric{"postern_events_total", Counter, []string{"event", Reason}}
	// Panics are the failures of our own code. Each denied the request that it
	// concerned.
	Panics = &Metric{"postern_panics_total", Counter, nil}
	// Endings is a number that rises whenever something ends a session. Workers
	// tell by it that there is something to look up; it counts nothing.
	Endings = &Metric{"postern_endings", Gauge, nil}
	// SettingsTime is when the settings were taken, in seconds since 1970.
	SettingsTime = &Metric{"postern_settings_timestamp_seconds", Gauge, nil}
	// BuildInfo is 1, for the version that runs.
	BuildInfo = &Metric{"postern_build_info", Gauge, []string{"version"}}
)

// All returns every metric.
func All() []*Metric {
	return []*Metric{
		Requests, Answers, Parked,
		LoginsStarted, LoginsSucceeded, LoginsFailed, LoginLoops,
		SessionsOpened, SessionsRefused, SessionsEnded, SessionCookieBytes, Refreshes, RefreshesFailed,
		Tokens, AccessDenied, AccessObserved, AccessAllowed, SignInNeeded,
		ProviderCalls, ProviderCallTime, ProviderUp, ProviderKeysTime,
		Events, Panics, Endings, SettingsTime, BuildInfo,
	}
}
