package page

var english = language{
	tag: "en", dir: "ltr",

	signIn:        "Sign in",
	signInOne:     "Please sign in to continue.",
	signInMany:    "Choose how you want to continue.",
	signInNone:    "No way to sign in is set up here. Please tell whoever looks after this site.",
	continueWith:  "Continue with",
	continueTo:    "You will continue to",
	signOut:       "Sign out",
	signOutAsk:    "Sign out?",
	signOutLead:   "This ends your session in this browser.",
	staySignedIn:  "Stay signed in",
	signedOut:     "You are signed out",
	signedOutLead: "Your session in this browser has ended. On a shared computer, close the browser window as well.",
	signInAgain:   "Sign in again",

	signedOutAtProvider: "Your session has ended, here and at the provider that signed you in. On a shared computer, close the browser window as well.",

	onward:     "One moment",
	onwardLead: "You are being taken on to the next step.",
	onwardNow:  "Continue",
	tryAgain:   "Try again",
	reason:     "Reason",
	cause:      "Cause",
	requestID:  "Request",
	rule:       "Rule",

	signedInAs:   "Signed in as",
	signedInWith: "Signed in with",
	with:         "with",
	missing:      "What is missing",
	signInOther:  "Sign in as someone else",
	goBack:       "Go back",
	oneOf:        "one of",
	allOf:        "all of",
	anyValue:     "with any value",
	beginning:    "beginning with",
	andMore:      "and {n} more",
	maxAge:       "Sign-in at most {age} ago",

	byNeed: map[string]string{
		"group_missing":            "Group",
		"role_missing":             "Role",
		"scope_missing":            "Permission (scope)",
		"email_not_allowed":        "E-mail address that is allowed here",
		"email_domain_not_allowed": "E-mail domain",
		"email_not_verified":       "Verified e-mail address",
		"client_not_allowed":       "Application (client)",
		"claim_missing":            "Claim",
		"acr_insufficient":         "Level of sign-in (acr)",
		"login_too_old":            "Recent sign-in",
		"amr_missing":              "Way of signing in (amr)",
		"provider_not_allowed":     "Provider",
		"none_met":                 "One of these",
		"excluded":                 "Account that nothing excludes",
		"claims_outdated":          "Sign-in since the settings here changed",
	},

	units: []unit{
		{86400, "day", "days"}, {3600, "hour", "hours"}, {60, "minute", "minutes"}, {1, "second", "seconds"},
	},

	figures: map[string]string{
		"rounds":           "Sessions given",
		"seconds":          "Within seconds",
		"cookie":           "Cookie",
		"bytes_set":        "Bytes given",
		"cookies_received": "Cookies received",
		"bytes_received":   "Bytes received",
		"bytes_needed":     "Bytes needed",
		"bytes_allowed":    "Bytes allowed",
		"left_out":         "Left out",
	},

	byReason: map[string]explanation{
		"no_session":          {"You are not signed in", "This page is for people who have signed in.", "Sign in and open it again."},
		"host_not_allowed":    {"Nothing is served under this name", "The address in your browser is not one that this site answers to.", "Check the host name for a typing error."},
		"outside_cookie_path": {"Nobody can sign in here", "Sessions on this site are for another part of it.", "Please tell whoever looks after this site."},
		"method_not_allowed":  {"This cannot be done here", "The address exists, but not for this kind of request.", ""},
		"no_such_endpoint":    {"There is no such page", "The address belongs to the sign-in service, which knows nothing by that name.", "Check the address for a typing error."},
		"query_malformed":     badAnswer,
		"start_request":       {"Sign-in could not start", "The request that was to start it is damaged or too old.", "Open the page you wanted once more."},
		"sign_out_cross_site": {"You are still signed in", "Another site tried to sign you out. Nothing has happened.", ""},
		"too_many_flows":      busy,
		"too_many_waiting":    busy,

		"state_expired":   {"Sign-in took too long", "You began this sign-in a while ago, and it has expired.", "Nothing is lost; just try again."},
		"state_used":      {"This sign-in is over already", "The address in your browser was used before. It works only once.", "Start again from the page you wanted."},
		"binding_missing": {"Your browser did not send our cookie", "Without it we cannot tell that this sign-in is yours.", "Allow cookies for this site, open it by https, and do not change browsers halfway. Then try again."},
		"binding_differs": {"This sign-in began elsewhere", "It was started in another browser or window, so it cannot be finished in this one.", "Try again here, or go back to the window where you started."},
		"ticket_refused":  {"This sign-in cannot be finished here", "The address that was to finish it is too old, was used before, or belongs to another sign-in.", "Start again from the page you wanted."},

		"binding_missing:plain_http":        {"Your browser did not send our cookie", "It goes over https only, and this page seems to have been opened by plain http.", "Open this site by https. If you did, tell whoever looks after it: the proxy does not see that it was https."},
		"binding_missing:cookie_sent_twice": {"Your browser sent our cookie twice", "One of the two was put there by another site, and neither can be trusted.", "Delete the cookies of this site and try again."},
		"binding_missing:does_not_open":     {"Our cookie cannot be read", "It is too old, or it was made by a gate with another key.", "Try again. If it stays like this, tell whoever looks after this site."},

		"login_loop":                          {"Signing in does not last", "You have signed in several times, but the session does not come back.", "Try again. If it stays like this, tell whoever looks after this site."},
		"login_loop:no_cookie":                {"Signing in does not last", "You have signed in several times, but your browser does not send the session's cookie back. It sends another cookie of ours, so it refuses this one: for its size, its domain, or a rule of the browser's.", "Allow cookies for this site, or try another browser. If that does not help, tell whoever looks after this site."},
		"login_loop:cookie_parts_missing":     {"Signing in does not last", "You have signed in several times, but your browser sends only parts of the session back. It is larger than the browser keeps for one site.", "Delete the cookies of this site and try again. If that does not help, tell whoever looks after this site."},
		"login_loop:cookie_sent_twice":        {"Signing in does not last", "You have signed in several times, but your browser sends the session's cookie twice. One of the two was put there by another site.", "Both were deleted. Try again."},
		"login_loop:past_lifetime":            {"Signing in does not last", "You have signed in several times, but each session was over as soon as it began. The clocks of the servers here do not agree.", "Please tell whoever looks after this site."},
		"login_loop:before_not_before":        {"Signing in does not last", "You have signed in several times, but each session counts as one from before a time that is still to come: the settings here name it, or a clock is wrong.", "Please tell whoever looks after this site."},
		"login_loop:does_not_open":            {"Signing in does not last", "You have signed in several times, but the session that comes back cannot be read. The servers here may have different keys.", "Please tell whoever looks after this site."},
		"login_loop:other_provider_or_client": {"Signing in does not last", "You have signed in several times, but the session that comes back is one of another application on this host.", "Please tell whoever looks after this site."},

		"renewal_unavailable": {"One moment, please", "Your session is to be renewed, but the provider that signed you in does not answer. Nothing is lost: you are still signed in.", "Try again in a few seconds."},
		"store_unavailable":   {"One moment, please", "Where sessions are looked up does not answer. Nothing is lost: you are still signed in.", "Try again in a few seconds."},

		"no_token":                 {"No token was sent", "This address is for programs that bring an access token.", "Send one as \"Authorization: Bearer\"."},
		"invalid_token":            {"The token is not accepted", "It is not good here, or not from whoever sent it.", "Get another one and try again."},
		"invalid_token:expired":    {"The token has expired", "It was good for a time that is over.", "Get another one and try again."},
		"invalid_request":          {"The credentials cannot be read", "A request brings one token, in its Authorization field.", ""},
		"insufficient_scope":       {"The token is good for less", "What was asked for takes a token with more scopes.", "Get one and try again."},
		"invalid_dpop_proof":       {"The proof of possession is not accepted", "It is missing, was used before, or does not fit the request or the token.", "Make a new proof for each request."},
		"use_dpop_nonce":           {"The proof of possession needs a nonce", "The answer's DPoP-Nonce field has one.", "Make a proof with it and try again."},
		"token_unverifiable":       {"The token cannot be checked right now", "The provider that issued it does not answer as it should.", "Try again in a moment."},
		"parameter_unknown":        {"This restriction is not known", "The subrequest demands something that nobody here enforces, so it is refused.", "Check the parameters in the configuration of the proxy in front."},
		"renewal_needed":           {"Your session has to be renewed", "It takes another visit to the sign-in service, which happens by itself.", ""},
		"scope_missing":            {"You may not open this page yet", "It takes a permission that you have not given so far.", "Sign in again to give it."},
		"group_missing":            notEnough,
		"role_missing":             notEnough,
		"email_not_allowed":        notEnough,
		"email_domain_not_allowed": notEnough,
		"client_not_allowed":       notEnough,
		"claim_missing":            notEnough,
		"amr_missing":              notEnough,
		"none_met":                 notEnough,
		"token_unavailable":        {"No token is to be had right now", "The provider that would give one does not answer as it should.", "Try again in a moment."},
		"token_refused":            {"No token was given", "The provider refused to give one for this call.", ""},
		"subject_token_missing":    {"There is no token to exchange", "This call takes the caller's own token, in its Authorization field.", ""},
		"subject_token_refused":    {"The caller's token was not exchanged", "The provider does not accept it any more.", "Get another one and try again."},

		"email_not_verified":   {"Your e-mail address is not verified", "This page takes an address that the provider has verified to be yours.", "Have it verified at the provider, then sign in again."},
		"provider_not_allowed": {"You may not open this page", "You are signed in, but not with the provider that this page takes.", "Sign in with another one."},
		"excluded":             {"You may not open this page", "You are signed in, but something about your account rules it out.", "If that seems wrong, ask whoever looks after this site."},
		"claims_outdated":      {"Please sign in once more", "The settings of this site have changed, and what is known of you is from before.", "Sign in again and open the page."},
		"acr_insufficient":     strongerSignIn,
		"login_too_old":        {"Please sign in once more", "This page takes a sign-in that is not long ago, and yours is.", "Sign in again and open it."},
		"step_up":              {"Please sign in once more", "This page takes more than your sign-in so far.", "Sign in again and open it."},
		"not_signed_in":        {"You are not signed in", "This page is for people who have signed in.", "Sign in and open it again."},

		"insufficient_user_authentication": strongerSignIn,

		"scope_missing:tried":    {"The permission was not given", "You have signed in for this page once more, but without the permission that it takes.", "If you were asked for it, try again and agree. If not, ask whoever looks after this site."},
		"acr_insufficient:tried": {"That sign-in was not strong enough", "You have signed in for this page once more, but the provider does not say that you did so at the level that it takes.", "See whether your account has a second factor set up, or ask whoever looks after this site."},
		"login_too_old:tried":    {"That sign-in was not new", "You have signed in for this page once more, but the provider does not say that it was just now.", "Sign out there first, or ask whoever looks after this site."},

		"header_repeated":  {"This request is not valid", "It has a header field twice that decides what it may do, so it is refused.", ""},
		"method_ambiguous": {"This request is not valid", "Its method can be read in more than one way, so it is refused.", "Write methods in capitals."},

		"session_too_large": {"Your account does not fit", "The provider sent more about you than a browser can keep, often because of very many groups.", "Please tell whoever looks after this site. Trying again does not help."},

		"provider_access_denied":           {"You did not sign in", "The sign-in was cancelled, or the provider did not let you through.", "If that was a mistake, try again."},
		"provider_login_required":          {"Please sign in once more", "The provider wants you to sign in again.", ""},
		"provider_temporarily_unavailable": away,
		"provider_server_error":            away,

		"not_known_yet":    {"One moment, please", "The sign-in service has just started and is still getting ready.", "Try again in a few seconds."},
		"no_answer":        away,
		"answer_too_large": away,
		"answer_encoded":   away,
		"answer_not_json":  away,
		"answer_malformed": away,

		"expired":       clocks,
		"iat_in_future": clocks,
		"not_valid_yet": clocks,

		"internal": {"Something went wrong here", "This is our fault, not yours.", "Try again. If it stays like this, tell whoever looks after this site."},
	},

	byPrefix: map[string]explanation{
		"target_":    {"This address is not valid", "It can be read in more than one way, so it is refused.", "Check it for doubled slashes, backslashes and odd characters."},
		"authority_": {"This host name is not valid", "The host name in the request cannot be read.", "Check it for a typing error."},
		"state_":     badAnswer,
		"code_":      badAnswer,
		"iss_":       untrusted,
		"error_":     badAnswer,
		"step_":      {"Please sign in once more", "This page takes more than your sign-in so far.", "Sign in again and open it."},
		"provider_":  {"The provider refused the sign-in", "It gave a reason that only its administrators can act on.", "Try again. If it stays like this, tell whoever looks after this site."},
		"status_":    away,
	},

	byStatus: map[int]explanation{
		400: {"This request is not valid", "It cannot be understood, so it is refused.", ""},
		401: {"You are not signed in", "This page is for people who have signed in.", "Sign in and open it again."},
		403: {"You may not open this page", "You are signed in, but this page is for others.", "If you need it, ask whoever looks after this site."},
		404: {"There is no such page", "Nothing is to be found under this address.", "Check it for a typing error."},
		405: {"This cannot be done here", "The address exists, but not for this kind of request.", ""},
		413: {"This is too large", "More was sent than can be taken in.", ""},
		421: {"Nothing is served under this name", "The address in your browser is not one that this site answers to.", "Check the host name for a typing error."},
		431: {"Your browser sent too much", "The cookies for this site are larger than can be taken in.", "Delete the cookies of this site and try again."},
		500: {"Something went wrong here", "This is our fault, not yours.", "Try again. If it stays like this, tell whoever looks after this site."},
		502: untrusted,
		503: away,
		504: away,
	},

	other:   explanation{"That did not work", "The request could not be carried out.", ""},
	lacking: notEnough,
	tried:   explanation{"Signing in again was not enough", "You have signed in for this page once more, but what it takes did not come with it.", "If you should have it, ask whoever looks after this site."},
}

var (
	badAnswer = explanation{"Sign-in could not be finished", "The answer that came back does not belong to a sign-in of this site, or got damaged on the way.", "Start again from the page you wanted."}
	untrusted = explanation{"The provider's answer was refused", "What it said about you could not be verified, so you were not signed in.", "Try again. If it stays like this, tell whoever looks after this site."}
	away      = explanation{"Sign-in is not available right now", "The provider that signs you in does not answer as it should.", "Try again in a moment."}
	notEnough = explanation{"You may not open this page", "You are signed in, but something that this page needs is missing.", "If you should have it, ask whoever looks after this site."}

	strongerSignIn = explanation{"This page takes a stronger sign-in", "You are signed in, but not at the level that this page takes.", "Sign in again, with a second factor if you are asked for one."}
	busy           = explanation{"Too many at once", "Very many people are signing in at this moment.", "Try again in a few seconds."}
	clocks         = explanation{"The clocks do not agree", "The provider's answer is not valid at this time of day, by our clock.", "Try again. If it stays like this, tell whoever looks after this site."}
)
