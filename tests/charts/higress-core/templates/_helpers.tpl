{{- define "controller.account" -}}
{{- .Values.controller.serviceAccount.name | default .Values.controller.name -}}
{{- end -}}
{{- define "gateway.account" -}}
{{- .Values.gateway.serviceAccount.name | default .Values.gateway.name -}}
{{- end -}}
{{- define "gateway.selector" -}}
app: {{ .Values.gateway.name }}
higress: {{ .Release.Namespace }}-{{ .Values.gateway.name }}
{{- end -}}
