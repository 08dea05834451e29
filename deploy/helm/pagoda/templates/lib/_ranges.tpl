{{/* The rules of PLUGIN_OPERATION_ID_CONFIG, in the words of the host (`pagoda_plugin_sdk.operation_ranges`), which a
     test compares. */}}

{{/* A value -> it as Python shows it, as the host's messages do. */}}
{{- define "pagoda.repr" -}}
{{- if kindIs "invalid" . -}}None
{{- else if kindIs "bool" . -}}{{ ternary "True" "False" . }}
{{- else if kindIs "string" . -}}
{{- if and (contains "'" .) (not (contains "\"" .)) -}}"{{ . }}"{{- else -}}'{{ replace "'" "\\'" . }}'{{- end -}}
{{- else if kindIs "slice" . -}}
[{{- range $i, $item := . -}}{{- if $i }}, {{ end -}}{{- include "pagoda.repr" $item -}}{{- end -}}]
{{- else if kindIs "map" . -}}
{ {{- $first := true -}}
{{- range $key, $item := . -}}{{- if not $first }}, {{ end -}}{{- $first = false -}}
{{- include "pagoda.repr" $key }}: {{ include "pagoda.repr" $item -}}{{- end -}} }
{{- else -}}{{ toJson . }}
{{- end -}}
{{- end -}}

{{/* A value -> "yes" when it is a whole number. */}}
{{- define "pagoda.isWhole" -}}
{{- if or (kindIs "float64" .) (kindIs "int64" .) (kindIs "int" .) -}}
{{- if eq (float64 .) (floor .) -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{/* (id, value) -> what is wrong with a range on its own, or nothing. */}}
{{- define "pagoda.rangeFault" -}}
{{- $isPair := and (kindIs "slice" .value) (eq (len (default (list) .value)) 2) -}}
{{- if $isPair -}}
{{- range .value -}}{{- if not (include "pagoda.isWhole" .) -}}{{- $isPair = false -}}{{- end -}}{{- end -}}
{{- end -}}
{{- if not $isPair -}}
The range of plugin '{{ .id }}' is {{ include "pagoda.repr" .value }}, expected [first id, last id], such as [200, 299].
{{- else -}}
{{- $first := int64 (first .value) -}}
{{- $last := int64 (last .value) -}}
{{- if gt $first $last -}}
The range of plugin '{{ .id }}' is [{{ $first }}, {{ $last }}], first id above the last. Swap them.
{{- else if or (lt $first 200) (gt $last 9999) -}}
The range of plugin '{{ .id }}' is [{{ $first }}, {{ $last }}], outside 200-9999 (1-99 are the host's, 100-199 custom operations). Choose ids from 200 to 9999.
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What `pagoda.plugins` returns -> JSON of `{"faults": [sentence]}`. */}}
{{- define "pagoda.rangeFaults" -}}
{{- $faults := list -}}
{{- $missing := list -}}
{{- $right := list -}}
{{- range $id := .order -}}
{{- $plugin := get $.values $id -}}
{{- if and $plugin.hasTasks (kindIs "slice" $plugin.operationIds) (empty $plugin.operationIds) -}}
{{- $missing = append $missing (printf "Plugin '%s' has tasks but no range of operation ids. Add \"%s\": [first, last] to PLUGIN_OPERATION_ID_CONFIG." $id $id) -}}
{{- end -}}
{{- end -}}
{{- range $id, $plugin := .values -}}
{{- if not (and (kindIs "slice" $plugin.operationIds) (empty $plugin.operationIds)) -}}
{{- $fault := include "pagoda.rangeFault" (dict "id" $id "value" $plugin.operationIds) -}}
{{- if $fault -}}
{{- $faults = append $faults $fault -}}
{{- else -}}
{{- $right = append $right (printf "%04d %s" (int (first $plugin.operationIds)) $id) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $right = sortAlpha $right -}}
{{- range $i, $one := $right -}}
{{- range slice $right (add1 $i) -}}
{{- $a := splitList " " $one | last -}}
{{- $b := splitList " " . | last -}}
{{- $left := (get $.values $a).operationIds -}}
{{- $other := (get $.values $b).operationIds -}}
{{- if ge (int (last $left)) (int (first $other)) -}}
{{- $faults = append $faults (printf "The ranges of plugins '%s' [%d, %d] and '%s' [%d, %d] overlap. Move one of them." $a (int (first $left)) (int (last $left)) $b (int (first $other)) (int (last $other))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "faults" (concat $faults $missing) | toJson -}}
{{- end -}}
