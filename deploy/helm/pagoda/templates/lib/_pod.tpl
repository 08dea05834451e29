{{/* A Pod as all workloads have it: restricted, with limits, without a token, writing to folders of its own alone. */}}

{{/* (root, component, values, image[, plugin, args, command, env, envFrom, ports, probes, graceSeconds, init, volumes, mounts,
     clients, labels, annotations, restartPolicy, preStop, checksum, own]) -> metadata and spec of a Pod.
     `init` are init containers, a list of (name, args[, env, image]); `clients` are the servers it talks to. */}}
{{- define "pagoda.pod" -}}
metadata:
  labels:
    {{- $labels := merge (dict) .values.podLabels }}
    {{- range .clients }}{{ $_ := set $labels (print "pagoda/" .) "client" }}{{ end }}
    {{- include "pagoda.labels" (merge (dict "extraLabels" $labels) .) | nindent 4 }}
  {{- $annotations := merge (dict) .values.podAnnotations }}
  {{- $checksum := "" }}
  {{- if hasKey . "checksum" }}{{ $checksum = .checksum }}{{ else }}{{ $checksum = include "pagoda.checksum" . }}{{ end }}
  {{- with $checksum }}{{ $_ := set $annotations "checksum/config" . }}{{ end }}
  {{- with $annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ .values.serviceAccount.name | default (include "pagoda.objectName" .) }}
  automountServiceAccountToken: {{ .values.serviceAccount.automountToken }}
  enableServiceLinks: false
  {{- with .restartPolicy }}
  restartPolicy: {{ . }}
  {{- end }}
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ quote . }}
    {{- end }}
  {{- end }}
  securityContext: {{- toYaml .values.podSecurityContext | nindent 4 }}
  terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds | default .graceSeconds | default 30 | int }}
  {{- with .values.runtimeClassName }}
  runtimeClassName: {{ quote . }}
  {{- end }}
  {{- with .values.dnsPolicy }}
  dnsPolicy: {{ . }}
  {{- end }}
  {{- with .values.dnsConfig }}
  dnsConfig: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.hostAliases }}
  hostAliases: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.priorityClassName }}
  priorityClassName: {{ quote . }}
  {{- end }}
  {{- with .values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with include "pagoda.topologySpread" . }}
  topologySpreadConstraints: {{- . | nindent 4 }}
  {{- end }}
  {{- if or .init .values.extraInitContainers }}
  initContainers:
    {{- range .init }}
    - name: {{ .name }}
      args: {{- toYaml .args | nindent 8 }}
      {{- include "pagoda.containerBasics" (merge (dict "image" (.image | default $.image)) $) | nindent 6 }}
      {{- include "pagoda.containerEnv" (merge (dict "env" (concat (default (list) $.env) (default (list) .env))) $) | nindent 6 }}
    {{- end }}
    {{- with .values.extraInitContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  containers:
    - name: {{ .containerName | default .component }}
      {{- with .command }}
      command: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .args }}
      args: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- include "pagoda.containerBasics" . | nindent 6 }}
      {{- include "pagoda.containerEnv" . | nindent 6 }}
      {{- with .ports }}
      ports: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .probes }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
      {{- if .values.lifecycle }}
      lifecycle: {{- toYaml .values.lifecycle | nindent 8 }}
      {{- else if .preStop }}
      # A Pod gets requests for a moment after it was asked to end.
      lifecycle: {preStop: {exec: {command: [python, -c, "import time; time.sleep(5)"]}}}
      {{- end }}
    {{- with .values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- range $name := keys (include "pagoda.scratch" . | fromJson) | sortAlpha }}
    - name: {{ $name }}
      emptyDir: {sizeLimit: {{ $.values.scratchSize }}}
    {{- end }}
    {{- with concat (default (list) .volumes) .values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* JSON of `{volume: path}` of the folders that a container may write to. */}}
{{- define "pagoda.scratch" -}}
{{- .scratch | default (dict "tmp" "/tmp" "data" "/var/lib/pagoda") | toJson -}}
{{- end -}}

{{/* Image, limits, security and mounts: alike in a Pod's main and init containers. */}}
{{- define "pagoda.containerBasics" -}}
image: {{ .image }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext: {{- toYaml .values.securityContext | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
resources: {{- toYaml .values.resources | nindent 2 }}
volumeMounts:
  {{- range $name, $path := include "pagoda.scratch" . | fromJson }}
  - {name: {{ $name }}, mountPath: {{ $path }}}
  {{- end }}
  {{- with concat (default (list) .mounts) .values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "pagoda.containerEnv" -}}
{{- with concat (default (list) .env) .values.extraEnv }}
env: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat (default (list) .envFrom) .values.extraEnvFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "pagoda.topologySpread" -}}
{{- $selector := dict "matchLabels" (include "pagoda.selector" . | fromYaml) -}}
{{- if .values.topologySpreadConstraints -}}
{{- $constraints := list -}}
{{- range .values.topologySpreadConstraints -}}{{- $constraints = append $constraints (merge (dict) . (dict "labelSelector" $selector)) -}}{{- end -}}
{{- toYaml $constraints -}}
{{- else if .values.topologySpread -}}
{{- $constraints := list -}}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" -}}
{{- $constraints = append $constraints (dict "maxSkew" 1 "topologyKey" . "whenUnsatisfiable" "ScheduleAnyway" "labelSelector" $selector) -}}
{{- end -}}
{{- toYaml $constraints -}}
{{- end -}}
{{- end -}}
