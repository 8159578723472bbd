package doctor

import (
	"strings"

	"github.com/postern-auth/postern/internal/manifest"
)

// istioOf looks at what is a WasmPlugin's own.
func istioOf(s *Subject) (all []Finding) {
	if s.Kind != manifest.WasmPlugin {
		return nil
	}
	spec := s.Plugin
	if s.Phase != "AUTHN" {
		all = append(all, found("phase_not_authn", s.PluginPath, "phase is %s", cut(s.Phase, "not set")))
	}
	labels, targets := spec.Get("selector", "match_labels"), len(spec.Get("target_refs").List()) > 0 || spec.Get("target_ref") != nil
	switch {
	case targets:
	case labels == nil || len(labels.Keys) == 0:
		if s.Namespace == manifest.RootNamespace {
			all = append(all, found("root_namespace", s.PluginPath, "it is in %s, without selector and targetRefs", manifest.RootNamespace))
		}
	case ofWaypoint(labels):
		all = append(all, found("selector_on_waypoint", s.PluginPath, "the selector is one for waypoints"))
	}
	if !targets && s.Config != nil && len(s.Config.Hosts) > 0 && !gateway(labels) && !directed(spec) {
		all = append(all, found("direction_not_said", s.PluginPath, "match has no mode"))
	}
	return all
}

// cut is a text of somebody else's, or what is said where there is none.
func cut(text, none string) string {
	if text == "" {
		return none
	}
	return told(text)
}

// ofWaypoint says whether labels are those of a waypoint, whose pods are named
// by its Gateway.
func ofWaypoint(labels *manifest.Node) bool {
	for i, key := range labels.Keys {
		value := labels.Items[i].Scalar()
		if key == "gateway.istio.io/managed" && strings.Contains(value, "mesh-controller") || key == "gateway.networking.k8s.io/gateway-name" && strings.Contains(value, "waypoint") {
			return true
		}
	}
	return false
}

// gateway says whether labels are those that people give gateways.
func gateway(labels *manifest.Node) bool {
	if labels == nil {
		return false
	}
	for i, key := range labels.Keys {
		if strings.Contains(key, "gateway") || strings.Contains(labels.Items[i].Scalar(), "gateway") {
			return true
		}
	}
	return false
}

func directed(spec *manifest.Node) bool {
	for _, m := range spec.Get("match").List() {
		if m.Get("mode") != nil {
			return true
		}
	}
	return false
}

// imageOf looks at where the module is fetched from.
func imageOf(s *Subject) (all []Finding) {
	sum, policy, image := "", "", true
	switch s.Kind {
	case manifest.WasmPlugin:
		sum, policy = s.Plugin.Get("sha256").Str(), s.Plugin.Get("image_pull_policy").Str()
		image = !strings.HasPrefix(s.Module, "http://") && !strings.HasPrefix(s.Module, "https://")
	case manifest.EnvoyExtensionPolicy:
		code := s.Plugin.Get("code")
		if image = code.Get("image") != nil; image {
			sum, policy = code.Get("image", "sha256").Str(), code.Get("image", "pull_policy").Str()
		} else {
			sum = code.Get("http", "sha256").Str()
		}
		if policy == "" {
			policy = code.Get("pull_policy").Str()
		}
	default: // of Envoy's own, those that Istio's agent fetches for it
		if !strings.HasPrefix(s.Module, "oci://") {
			return nil
		}
		remote := s.Plugin.Get("vm_config", "code", "remote")
		sum, policy = remote.Get("sha256").Str(), pullPolicy(s.Env)
	}
	if sum == "nil" { // by which the agent is told that there is none
		sum = ""
	}
	name, _, pinned := strings.Cut(strings.TrimPrefix(s.Module, "oci://"), "@sha256:")
	if s.Module == "" || strings.HasPrefix(s.Module, "file://") {
		return nil
	}
	if sum == "" && !pinned {
		all = append(all, found("image_not_pinned", s.PluginPath, "neither a checksum nor a digest is given for %s", told(s.Module)))
	}
	tag := name[strings.LastIndexByte(name, '/')+1:]
	_, tag, _ = strings.Cut(tag, ":")
	if image && !pinned && policy == "IfNotPresent" && (tag == "" || tag == "latest") {
		all = append(all, found("image_latest", s.PluginPath, "%s, with the pull policy IfNotPresent", told(s.Module)))
	}
	return all
}

// pullPolicy is what Istio's agent is told of when to fetch an image anew.
func pullPolicy(env []manifest.EnvVar) string {
	for _, v := range env {
		if v.Name == "ISTIO_META_WASM_IMAGE_PULL_POLICY" && v.Value != nil {
			return *v.Value
		}
	}
	return ""
}
