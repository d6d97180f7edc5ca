{{- define "mission-control.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "mission-control.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "mission-control.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "mission-control.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "mission-control.selector" -}}
app.kubernetes.io/name: {{ include "mission-control.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "mission-control.labels" -}}
{{ include "mission-control.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "mission-control.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "mission-control.serviceAccount" -}}
{{- default (include "mission-control.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- /* The Secret with the listeners' certificate; empty: the service's own. */ -}}
{{- define "mission-control.tlsSecret" -}}
{{- if eq .Values.tls.source "secret" -}}
{{- required "tls.existingSecret: name the Secret of tls.source `secret`" .Values.tls.existingSecret -}}
{{- else if eq .Values.tls.source "certManager" -}}
{{- printf "%s-tls" (include "mission-control.fullname" .) -}}
{{- end -}}
{{- end -}}

{{- /* Every name that the service is reached by, as JSON {"names": []}. */ -}}
{{- define "mission-control.serverNames" -}}
{{- $names := list "localhost" "127.0.0.1" -}}
{{- range $listener, $_ := .Values.services -}}
{{- $host := printf "%s-%s" (include "mission-control.fullname" $) $listener -}}
{{- $names = concat $names (list $host (printf "%s.%s" $host $.Release.Namespace) (printf "%s.%s.svc" $host $.Release.Namespace)) -}}
{{- end -}}
{{- $names = concat $names .Values.serverNames -}}
{{- if .Values.sniPassthrough.enabled -}}
{{- $names = concat $names (compact (values .Values.sniPassthrough.hosts | sortAlpha)) -}}
{{- end -}}
{{- dict "names" (uniq $names) | toJson -}}
{{- end -}}
