{{/* A digest of what a Pod reads of the ConfigMaps and Secrets that the chart makes, so that it starts anew when that changes. */}}

{{/* root -> JSON of `{"ConfigMap/name" or "Secret/name": data}` of those that several workloads read. */}}
{{- define "pagoda.made" -}}
{{- if not (hasKey .Values "_made") -}}
{{- $made := dict -}}
{{- range $file := list "config" "secrets" -}}
{{- range regexSplit "(?m)^---$" (include (printf "%s/%s.yaml" $.Template.BasePath $file) $) -1 -}}
{{- with fromYaml . -}}{{- $_ := set $made (printf "%s/%s" .kind .metadata.name) (.data | default dict) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- $_ := set .Values "_made" $made -}}
{{- end -}}
{{- toJson (get .Values "_made") -}}
{{- end -}}

{{/* As `pagoda.pod`, and (own: {"Secret/name": data} of this workload alone) -> the digest: of whole objects in `envFrom` and
     `volumes`, of keys in `env`. */}}
{{- define "pagoda.checksum" -}}
{{- $made := merge (dict) (.own | default dict) (include "pagoda.made" .root | fromJson) -}}
{{- $read := list -}}
{{- range .envFrom -}}
{{- with .configMapRef -}}{{- $read = append $read (get $made (print "ConfigMap/" .name)) -}}{{- end -}}
{{- with .secretRef -}}{{- $read = append $read (get $made (print "Secret/" .name)) -}}{{- end -}}
{{- end -}}
{{- range .env -}}
{{- with dig "valueFrom" "secretKeyRef" dict . -}}{{- $read = append $read (get (get $made (print "Secret/" .name) | default dict) .key) -}}{{- end -}}
{{- end -}}
{{- range .volumes -}}
{{- with .secret -}}{{- $read = append $read (get $made (print "Secret/" .secretName)) -}}{{- end -}}
{{- end -}}
{{- toJson $read | sha256sum -}}
{{- end -}}
