package doctor

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/manifest"
)

// logsOf looks at what the access logs of a connection manager and its listener
// write.
func logsOf(u *manifest.Use) (all []Finding) {
	for place, logs := range [][]*manifest.Node{u.Manager.Get("access_log").List(), u.Listener.Get("access_log").List()} {
		for i, log := range logs {
			path := u.Path + ".access_log[" + strconv.Itoa(i) + "]"
			if place == 1 {
				path = "listener " + told(u.Listener.Get("name").Str()) + ", access_log[" + strconv.Itoa(i) + "]"
			}
			all = append(all, logOf(log.Get("typed_config"), path)...)
		}
	}
	return all
}

func logOf(config *manifest.Node, path string) (all []Finding) {
	kind := config.Type()
	if strings.HasSuffix(kind, ".HttpGrpcAccessLogConfig") {
		return []Finding{found("log_writes_queries", path, "a log that is sent by gRPC has the whole path")}
	}
	formats := leaves(config)
	queries, secrets := writes(formats)
	if !formatted(config) && (strings.HasSuffix(kind, ".FileAccessLog") || strings.Contains(kind, ".access_loggers.stream.")) {
		queries = "Envoy's own format"
	}
	if queries != "" {
		all = append(all, found("log_writes_queries", path, "it writes %s", queries))
	}
	if secrets != "" {
		all = append(all, found("log_writes_secrets", path, "it writes %s", secrets))
	}
	return all
}

// formatted says whether a log has a format of its own.
func formatted(config *manifest.Node) bool {
	for _, key := range []string{"format", "json_format", "typed_json_format"} {
		if config.Get(key) != nil {
			return true
		}
	}
	format := config.Get("log_format")
	for _, key := range []string{"text_format", "text_format_source", "json_format"} {
		if v := format.Get(key); v != nil && (v.Kind != manifest.String || v.Text != "") {
			return true
		}
	}
	return false
}

// leaves are all texts of a value.
func leaves(n *manifest.Node) (all []string) {
	if n == nil {
		return nil
	}
	if n.Kind == manifest.String {
		return []string{n.Text}
	}
	for _, item := range n.Items {
		all = append(all, leaves(item)...)
	}
	return all
}

// operators are those of Envoy's formats that write a part of a request.
var operators = regexp.MustCompile(`%(REQ|REQUEST_HEADER|RESP|RESPONSE_HEADER|PATH)(?:\(([^)%]*)\))?(?::\d+)?%`)

// secretFields are header fields that hold what nobody else is to have.
var secretFields = []string{"cookie", "authorization", "proxy-authorization", "set-cookie"}

// writes says which operators of some formats write queries, and which secrets.
func writes(formats []string) (queries, secrets string) {
	for _, format := range formats {
		for _, m := range operators.FindAllStringSubmatch(format, -1) {
			fields := strings.Split(strings.ToLower(m[2]), "?")
			switch {
			case m[1] == "PATH":
				if which, _, _ := strings.Cut(m[2], ":"); which != "NQ" {
					queries = m[0]
				}
			case slices.Contains(fields, ":path"), slices.Contains(fields, "x-envoy-original-path"):
				queries = m[0]
			case slices.ContainsFunc(fields, func(f string) bool { return slices.Contains(secretFields, f) }):
				secrets = m[0]
			}
		}
	}
	return queries, secrets
}
