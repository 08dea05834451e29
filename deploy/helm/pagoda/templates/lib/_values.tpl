{{/* What a workload's values are: maps are merged, everything else is replaced by what is nearer to the workload. */}}

{{/* (root, own: [values, nearer values, ...]) -> JSON of the values of a Pod. */}}
{{- define "pagoda.podValues" -}}
{{- $merged := deepCopy .root.Values.podDefaults -}}
{{- range .own -}}
{{- $merged = mergeOverwrite $merged (deepCopy .) -}}
{{- end -}}
{{- toJson $merged -}}
{{- end -}}

{{/* root -> JSON of `{"order": [plugin id], "values": {plugin id: values}}` of the enabled plugins. */}}
{{- define "pagoda.plugins" -}}
{{- $values := dict -}}
{{- $keys := list -}}
{{- range $id, $own := .Values.plugins -}}
{{- $merged := include "pagoda.podValues" (dict "root" $ "own" (list $.Values.pluginDefaults (default (dict) $own))) | fromJson -}}
{{- if $merged.enabled -}}
{{- $_ := set $values $id $merged -}}
{{- $keys = append $keys (printf "%06d %s" (int $merged.loadOrder) $id) -}}
{{- end -}}
{{- end -}}
{{- $order := list -}}
{{- range sortAlpha $keys -}}
{{- $order = append $order (splitList " " . | last) -}}
{{- end -}}
{{- dict "order" $order "values" $values | toJson -}}
{{- end -}}

{{/* Seconds that a stopping worker lets its jobs finish; the setting's own default when it is not given. */}}
{{- define "pagoda.softShutdownSeconds" -}}
{{- .Values.config.JOB_SOFT_SHUTDOWN_SECONDS | default 20 | ceil | int -}}
{{- end -}}

{{/* Seconds that a worker needs to end by itself: its soft shutdown, then 10 to end what is left, and a margin. */}}
{{- define "pagoda.drainSeconds" -}}
{{- add (include "pagoda.softShutdownSeconds" .) 20 -}}
{{- end -}}
