package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"sigs.k8s.io/yaml"
)

// ingress is what is read of an Ingress.
type ingress struct {
	Metadata struct {
		Name        string            `json:"name"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		Rules []struct {
			HTTP struct {
				Paths []struct {
					Path     string `json:"path"`
					PathType string `json:"pathType"`
				} `json:"paths"`
			} `json:"http"`
		} `json:"rules"`
	} `json:"spec"`
}

// readIngresses reads a file of manifests.
func readIngresses(text string) ([]ingress, error) {
	var all []ingress
	for document := range strings.SplitSeq(text, "\n---\n") {
		var i ingress
		if err := yaml.Unmarshal([]byte(document), &i); err != nil {
			return nil, fmt.Errorf("e2e: ingress: %w", err)
		}
		all = append(all, i)
	}
	return all, nil
}

// ingressPlaces are where things are in a test: upstreams by the name of the
// Ingress, and the pages that are asked for, each with its address escaped.
type ingressPlaces struct {
	listen    int
	upstreams map[string]string
	pages     []string
}

// ingressNginx writes the directives that ingress-nginx makes of Ingresses, as
// far as they concern who may pass (the file rootfs/etc/nginx/template/nginx.tmpl
// of its repository says what they are). Two of its ways are not nginx's own:
// where it escapes by a module that Debian's nginx lacks, a table of the pages
// that are asked for stands in; and TLS ends elsewhere here.
func ingressNginx(ingresses []ingress, at ingressPlaces) (string, error) {
	var conf bytes.Buffer
	fmt.Fprint(&conf, "worker_processes 1; pid nginx.pid; error_log stderr warn;\nevents {}\nhttp {\naccess_log off; large_client_header_buffers 4 64k;\n")
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&conf, "%s_temp_path %s_temp;\n", name, name)
	}
	fmt.Fprint(&conf, "map $http_upgrade $connection_upgrade { default upgrade; '' ''; }\nmap $request_uri $escaped_request_uri {\n")
	for _, page := range at.pages {
		fmt.Fprintf(&conf, "%q %q;\n", page, url.QueryEscape(page))
	}
	fmt.Fprintf(&conf, "}\nupstream localhost { server 127.0.0.1:%d; }\n", at.listen)
	for name, addr := range at.upstreams {
		fmt.Fprintf(&conf, "upstream %s { server %s; }\n", name, addr)
	}
	fmt.Fprintf(&conf, "server {\nlisten 127.0.0.1:%d; absolute_redirect off;\nset $pass_access_scheme $scheme;\n", at.listen)
	for n, i := range ingresses {
		if err := i.write(&conf, n); err != nil {
			return "", err
		}
	}
	fmt.Fprint(&conf, "}\n}\n")
	return conf.String(), nil
}

const annotation = "nginx.ingress.kubernetes.io/"

func (i *ingress) write(conf io.Writer, n int) error {
	if len(i.Spec.Rules) != 1 {
		return errors.New("e2e: ingress: not one host")
	}
	buffer, authURL, signIn, headers, always := "4k", "", "", []string(nil), ""
	for name, value := range i.Metadata.Annotations {
		switch strings.TrimPrefix(name, annotation) {
		case "proxy-buffer-size":
			buffer = value
		case "auth-url":
			authURL = strings.Replace(value, "https://", "http://", 1)
		case "auth-signin":
			signIn = signInAddress(strings.Replace(value, "https://$host", "$pass_access_scheme://$http_host", 1))
		case "auth-response-headers":
			headers = strings.Split(value, ",")
		case "auth-always-set-cookie":
			if value == "true" {
				always = " always"
			}
		default:
			return fmt.Errorf("e2e: ingress: annotation %s", name)
		}
	}
	buffers := fmt.Sprintf("proxy_buffering off; proxy_buffer_size %s; proxy_buffers 4 %s;", buffer, buffer)
	if authURL != "" {
		writeAsking(conf, n, authURL, signIn, buffers)
	}
	for _, p := range i.Spec.Rules[0].HTTP.Paths {
		where := p.Path + "/"
		if p.PathType == "Exact" {
			where = "= " + p.Path
		}
		fmt.Fprintf(conf, "location %s {\n", where)
		if authURL != "" {
			writeProtection(conf, n, headers, always)
		}
		fmt.Fprintf(conf, "%s\nproxy_set_header Host $http_host; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;\n", buffers)
		fmt.Fprintf(conf, "proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Forwarded-Proto $pass_access_scheme;\nproxy_http_version 1.1;\nproxy_pass http://%s;\n}\n", i.Metadata.Name)
	}
	return nil
}

// writeProtection writes what a location has that asks.
func writeProtection(conf io.Writer, n int, headers []string, always string) {
	fmt.Fprintf(conf, "auth_request /_external-auth-%d;\nauth_request_set $auth_cookie $upstream_http_set_cookie;\nadd_header Set-Cookie $auth_cookie%s;\n", n, always)
	for h, name := range headers {
		fmt.Fprintf(conf, "auth_request_set $authHeader%d $upstream_http_%s;\nproxy_set_header '%s' $authHeader%d;\n",
			h, strings.ReplaceAll(strings.ToLower(name), "-", "_"), name, h)
	}
	fmt.Fprintf(conf, "error_page 401 = @signin%d;\n", n)
}

// signInAddress completes auth-signin by the address to return to, if it has none.
func signInAddress(signIn string) string {
	_, query, found := strings.Cut(signIn, "?")
	switch {
	case !found:
		return signIn + "?rd=$pass_access_scheme://$http_host$escaped_request_uri"
	case strings.Contains("&"+query, "&rd="):
		return signIn
	}
	return signIn + "&rd=$pass_access_scheme://$http_host$escaped_request_uri"
}

// writeAsking writes the location that asks, and the one that leads to sign in.
func writeAsking(conf io.Writer, n int, authURL, signIn, buffers string) {
	host, _, _ := strings.Cut(strings.TrimPrefix(authURL, "http://"), "/")
	fmt.Fprintf(conf, "location = /_external-auth-%d {\ninternal;\nproxy_pass_request_body off;\nproxy_set_header Content-Length '';\nproxy_set_header X-Forwarded-Proto '';\n", n)
	fmt.Fprintf(conf, "proxy_set_header Host %s;\nproxy_set_header X-Original-URL $scheme://$http_host$request_uri;\nproxy_set_header X-Original-Method $request_method;\n", host)
	fmt.Fprint(conf, "proxy_set_header X-Sent-From nginx-ingress-controller;\nproxy_set_header X-Real-IP $remote_addr;\nproxy_set_header X-Forwarded-For $remote_addr;\nproxy_set_header X-Auth-Request-Redirect $request_uri;\n")
	fmt.Fprintf(conf, "%s\nproxy_http_version 1.1;\nset $target %s;\nproxy_pass $target;\n}\n", buffers, authURL)
	fmt.Fprintf(conf, "location @signin%d {\ninternal;\nadd_header Set-Cookie $auth_cookie;\nreturn 302 %s;\n}\n", n, signIn)
}
