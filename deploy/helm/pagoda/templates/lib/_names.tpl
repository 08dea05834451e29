{{/* Names and labels. */}}

{{- define "pagoda.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "pagoda.fullname" -}}
{{- $name := include "pagoda.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* (root, component) -> name of an object. 52 characters leave room for what controllers append; a longer name ends
     in a digest of itself, so that two never become one. */}}
{{- define "pagoda.objectName" -}}
{{- $name := printf "%s-%s" (include "pagoda.fullname" .root) .component -}}
{{- if gt (len $name) 52 -}}
{{- printf "%s-%s" ($name | trunc 43 | trimSuffix "-") (sha256sum $name | trunc 8) -}}
{{- else -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{/* A plugin's id -> the part of object names that stands for it. */}}
{{- define "pagoda.slug" -}}
{{- lower . | replace "_" "-" -}}
{{- end -}}

{{/* (root, component[, plugin]) -> labels that select the Pods of one workload. */}}
{{- define "pagoda.selector" -}}
app.kubernetes.io/name: {{ include "pagoda.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ ternary "worker" .component (not (empty .plugin)) }}
{{- with .plugin }}
pagoda/plugin: {{ . | trunc 63 | trimAll "-_" | quote }}
{{- end }}
{{- end -}}

{{/* (root, component[, plugin][, extraLabels]) -> each label once, as tools that read strictly refuse a key that is there twice. */}}
{{- define "pagoda.labels" -}}
{{- $own := dict
  "app.kubernetes.io/version" .root.Chart.AppVersion
  "app.kubernetes.io/managed-by" .root.Release.Service
  "app.kubernetes.io/part-of" "pagoda"
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_")
-}}
{{- merge (include "pagoda.selector" . | fromYaml) (.extraLabels | default dict) .root.Values.commonLabels $own | toYaml -}}
{{- end -}}

{{/* (root, component[, plugin][, name][, annotations][, extraLabels]) -> metadata of an object. */}}
{{- define "pagoda.metadata" -}}
name: {{ default (include "pagoda.objectName" .) .name }}
namespace: {{ .root.Release.Namespace | quote }}
labels: {{- include "pagoda.labels" . | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* root -> what goes in front of the name of an image. */}}
{{- define "pagoda.registry" -}}
{{- with .Values.image.registry | default (.Values.global | default dict).imageRegistry -}}{{ trimSuffix "/" . }}/{{- end -}}
{{- end -}}

{{/* (root, image) -> the image of a server of the chart; one that names its registry (`host.name/`, `host:port/`) stays as it is. */}}
{{- define "pagoda.serverImage" -}}
{{- if not (regexMatch "^([^/]*[.:][^/]*|localhost)/" .image) -}}{{- include "pagoda.registry" .root -}}{{- end -}}
{{- .image -}}
{{- end -}}

{{/* (root, which) -> the image of `api` or `worker`. */}}
{{- define "pagoda.image" -}}
{{- $image := .root.Values.image -}}
{{- $own := get $image .which -}}
{{- $repository := print (include "pagoda.registry" .root) $own.repository -}}
{{- if $own.digest -}}
{{- printf "%s@%s" $repository $own.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .root.Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}
