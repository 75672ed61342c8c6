{{- define "entryproxy.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 50 characters, so that the longest name made of it, with "-metrics", stays a DNS label. */}}
{{- define "entryproxy.fullname" -}}
{{- $name := include "entryproxy.name" . }}
{{- if .Values.fullnameOverride }}
{{- $name = .Values.fullnameOverride }}
{{- else if contains $name .Release.Name }}
{{- $name = .Release.Name }}
{{- else }}
{{- $name = printf "%s-%s" .Release.Name $name }}
{{- end }}
{{- $name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "entryproxy.selectorLabels" -}}
app.kubernetes.io/name: {{ include "entryproxy.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: entry
{{- end }}

{{- define "entryproxy.labels" -}}
{{ include "entryproxy.selectorLabels" . }}
app.kubernetes.io/part-of: entryproxy
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The controller: fullname's 50 characters leave room for its own end. */}}
{{- define "entryproxy.controller.fullname" -}}
{{- include "entryproxy.fullname" . }}-controller
{{- end }}

{{- define "entryproxy.controller.selectorLabels" -}}
{{- include "entryproxy.selectorLabels" . | replace "component: entry" "component: controller" }}
{{- end }}

{{- define "entryproxy.controller.labels" -}}
{{- include "entryproxy.labels" . | replace "component: entry" "component: controller" }}
{{- end }}

{{/* How the API server knows the controller. */}}
{{- define "entryproxy.controller.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "entryproxy.controller.fullname" . }}
{{- end }}

{{/* Where the controller finds charts that needn't be fetched; empty for nowhere. */}}
{{- define "entryproxy.controller.chartsDirectory" -}}
{{- with .Values.controller.charts }}
{{- .directory | default (empty .volume | ternary "" "/var/lib/charts") }}
{{- end }}
{{- end }}

{{- define "entryproxy.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) }}
{{- end }}
{{- end }}
{{- end }}

{{/*
Until the kubelet kills: preStop, then the entry's own drain; it gives itself up 5 s after that, and 5 s are to spare.
*/}}
{{- define "entryproxy.terminationGracePeriodSeconds" -}}
{{- with .Values.drain }}
{{- add (.preStop | int) (.delay | int) (.timeout | int) 5 5 }}
{{- end }}
{{- end }}
