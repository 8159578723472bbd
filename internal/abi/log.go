package abi

import "unicode/utf8"

// LogLevel is the weight of a log line, in the host's order.
type LogLevel uint32

// The log levels of ABI 0.2.1.
const (
	LevelTrace    LogLevel = 0
	LevelDebug    LogLevel = 1
	LevelInfo     LogLevel = 2
	LevelWarn     LogLevel = 3
	LevelError    LogLevel = 4
	LevelCritical LogLevel = 5
)

const (
	maxLogBytes = 8 << 10
	cutMark     = "[cut]"
	hexDigits   = "0123456789abcdef"
)

// Log writes one line to the host's log: control characters and bytes that
// are not UTF-8 are escaped, so that a message cannot forge a second line, and
// a long one is cut. Quotes and backslashes stay: JSON stays JSON.
func Log(level LogLevel, message string) {
	hostLog(level, printable(message))
}

// MinimumLevel is the lowest level that the host writes at the moment.
func MinimumLevel() LogLevel {
	level, status := hostLogLevel()
	if status != StatusOK {
		return LevelInfo
	}
	return level
}

// printable returns s itself in the usual case that nothing is to be done.
func printable(s string) string {
	if len(s) <= maxLogBytes && plain(s) {
		return s
	}
	out := make([]byte, 0, min(len(s), maxLogBytes)+64)
	for i := 0; i < len(s); {
		if len(out) >= maxLogBytes {
			return string(append(out, cutMark...))
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if unprintable(r) || r == utf8.RuneError && size == 1 {
			for _, b := range []byte(s[i : i+size]) {
				out = append(out, '\\', 'x', hexDigits[b>>4], hexDigits[b&15])
			}
		} else {
			out = append(out, s[i:i+size]...)
		}
		i += size
	}
	return string(out)
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// unprintable: both control ranges, the two line separators that some log
// viewers obey, and the marks that reverse the direction of text.
func unprintable(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}
