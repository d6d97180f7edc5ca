{{- define "cluster-agent.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "cluster-agent.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "cluster-agent.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "cluster-agent.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "cluster-agent.selector" -}}
app.kubernetes.io/name: {{ include "cluster-agent.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "cluster-agent.labels" -}}
{{ include "cluster-agent.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "cluster-agent.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "cluster-agent.licenseSecret" -}}
{{- if .Values.license.existingSecret -}}
{{ .Values.license.existingSecret }}
{{- else -}}
{{- $_ := required "license: give the key, or existingSecret" .Values.license.key -}}
{{ include "cluster-agent.fullname" . }}-license
{{- end -}}
{{- end -}}

{{- define "cluster-agent.siteSecret" -}}
{{- default (printf "%s-site" (include "cluster-agent.fullname" .)) .Values.site.existingSecret -}}
{{- end -}}

{{- /* The port of host:port. */ -}}
{{- define "cluster-agent.port" -}}
{{- regexFind "[0-9]+$" (trimSuffix "/" .) -}}
{{- end -}}

{{- /* What the pods of master and nodes have in common. */ -}}
{{- define "cluster-agent.podSpec" -}}
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
terminationGracePeriodSeconds: {{ int64 .Values.terminationGracePeriodSeconds }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ int64 .Values.runAsUser }}
  runAsGroup: {{ int64 .Values.runAsGroup }}
  fsGroup: {{ int64 .Values.runAsGroup }}
  # Always would open the owner-only files of the state to the group.
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "cluster-agent.container" -}}
image: {{ include "cluster-agent.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- /* What the agent reads of its node, below host_root and read-only: a list
of name, path and type. `machineId`: what a node's ID is derived from. */ -}}
{{- define "cluster-agent.hostPaths" -}}
{{- $paths := list (dict "name" "host-proc" "path" "/proc" "type" "Directory") -}}
{{- $paths = append $paths (dict "name" "host-os-release" "path" "/etc/os-release" "type" "File") -}}
{{- if .machineId -}}
{{- $paths = append $paths (dict "name" "host-machine-id" "path" "/etc/machine-id" "type" "File") -}}
{{- end -}}
{{- if .values.product.cgroup -}}
{{- $paths = append $paths (dict "name" "host-cgroup" "path" "/sys/fs/cgroup" "type" "Directory") -}}
{{- end -}}
{{- range $i, $partition := .values.nodes.dataPartitions -}}
{{- $paths = append $paths (dict "name" (printf "host-data-%d" $i) "path" $partition.path "type" "Directory") -}}
{{- end -}}
{{- dict "paths" $paths | toJson -}}
{{- end -}}

{{- define "cluster-agent.hostMounts" -}}
{{- range (include "cluster-agent.hostPaths" . | fromJson).paths }}
- name: {{ .name }}
  mountPath: {{ clean (printf "/host/%s" .path) }}
  readOnly: true
{{- end }}
{{- end -}}

{{- define "cluster-agent.hostVolumes" -}}
{{- range (include "cluster-agent.hostPaths" . | fromJson).paths }}
- name: {{ .name }}
  hostPath:
    path: {{ .path }}
    type: {{ .type }}
{{- end }}
{{- end -}}

{{- /* The same for the configuration of master and nodes. */ -}}
{{- define "cluster-agent.commonConfig" -}}
state_directory: /var/lib/cluster-agent/state
socket_directory: /run/cluster-agent
host_root: /host
time_zone: {{ .Values.timeZone | quote }}
product:
  version: {{ .Values.product.version | quote }}
  {{- with .Values.product.cgroup }}
  cgroup: {{ . | quote }}
  {{- end }}
  {{- with .Values.product.components }}
  components:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- with .Values.nodes.dataPartitions }}
data_partitions:
  {{- toYaml . | nindent 2 }}
{{- end }}
log:
  level: {{ .Values.log.level }}
  format: {{ .Values.log.format }}
{{- end -}}
