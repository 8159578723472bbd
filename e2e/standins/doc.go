// Package standins has servers that behave as GitHub, Google and Microsoft
// Entra do towards a client that signs people in: their addresses, host by host,
// their error forms, their spelling of scopes, their pages of teams, and their
// tokens. Each was made from the public documentation that its comments name,
// and is as strict as that says. Where the documentation is silent, so is the
// stand-in: it refuses.
//
// They are for tests: passwords are plain, everything is in memory, and what a
// client need not see (accounts, consent texts, other APIs) is not there.
package standins
