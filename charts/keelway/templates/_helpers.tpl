{{- define "keelway.labels" -}}
app.kubernetes.io/name: keelway
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: keelway
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "keelway.selector" -}}
app.kubernetes.io/name: keelway
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "keelway.routerSelector" -}}
app.kubernetes.io/name: keelway
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: router
{{- end }}

{{- define "keelway.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest }}{{ $image.repository }}@{{ $image.digest }}
{{- else }}{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}
