{{/* Labels of all objects. */}}
{{- define "postern.labels" -}}
app.kubernetes.io/name: postern
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Where the module is. */}}
{{- define "postern.url" -}}
{{- with .Values.image -}}
oci://{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end -}}
{{- end }}

{{/* The variables of the module that the proxy has. */}}
{{- define "postern.variables" -}}
{{- toJson .Values.secret.variables -}}
{{- end }}

{{/* The cluster's name of a destination. */}}
{{- define "postern.cluster" -}}
outbound|{{ .port | default 443 | int }}||{{ .host }}
{{- end }}

{{/* The context of an EnvoyFilter for what comes in. */}}
{{- define "postern.context" -}}
{{- if eq .Values.proxy.kind "gateway" }}GATEWAY{{ else }}SIDECAR_INBOUND{{ end }}
{{- end }}

{{/* The proxies of an EnvoyFilter. */}}
{{- define "postern.workload" -}}
{{- if .Values.proxy.gateway -}}
targetRefs:
- {group: gateway.networking.k8s.io, kind: Gateway, name: {{ .Values.proxy.gateway }}}
{{- else -}}
workloadSelector:
  labels:
    {{- toYaml .Values.proxy.labels | nindent 4 }}
{{- end -}}
{{- end }}

{{/*
What a schema cannot compare: that each cluster of the settings is made here, and
that each variable that they name is in the Secret.
*/}}
{{- define "postern.checked" -}}
{{- $clusters := list -}}
{{- range .Values.destinations }}{{ $clusters = append $clusters (include "postern.cluster" .) }}{{ end -}}
{{- $variables := .Values.secret.variables -}}
{{- range $i, $p := .Values.config.providers -}}
  {{- $names := values ($p.clusters | default dict) -}}
  {{- if $p.cluster }}{{ $names = append $names $p.cluster }}{{ end -}}
  {{- range $names -}}
    {{- if and (hasPrefix "outbound|" .) (not (has . $clusters)) -}}
      {{- fail (printf "config.providers[%d]: no entry of destinations makes the cluster %s" $i .) -}}
    {{- end -}}
  {{- end -}}
  {{- range list $p.client_secret $p.client_key -}}
    {{- if and . (not (has .env $variables)) -}}
      {{- fail (printf "config.providers[%d]: secret.variables does not name %s" $i .env) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- range $i, $k := .Values.config.session.keys -}}
  {{- if not (has $k.env $variables) -}}
    {{- fail (printf "config.session.keys[%d]: secret.variables does not name %s" $i $k.env) -}}
  {{- end -}}
{{- end -}}
{{- if .Values.secretless.enabled -}}
  {{- $hosts := list -}}
  {{- range .Values.destinations }}{{ $hosts = append $hosts .host }}{{ end -}}
  {{- if not (has .Values.secretless.host $hosts) -}}
    {{- fail (printf "secretless.host: no entry of destinations is %s" .Values.secretless.host) -}}
  {{- end -}}
{{- end -}}
{{- end }}

{{/* Annotations of the pods whose proxies run Postern. */}}
{{- define "postern.annotations" -}}
postern/secret: {{ .Values.secret.revision | quote }}
proxy.istio.io/config: |
  extraStatTags: [provider, reason, rule, role, from, outcome, step, decision, event, version]
  proxyStatsMatcher:
    inclusionRegexps: [".*postern_.*", ".*vm_reload.*", ".*update_rejected", ".*extension_config_discovery.*update_(failure|success)"]
{{- end }}
