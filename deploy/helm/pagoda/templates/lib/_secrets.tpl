{{/* Secrets: those of the user by name, else one of the chart whose random parts are kept over upgrades. */}}

{{/* (root, component, existing) -> the name of a Secret. */}}
{{- define "pagoda.secretName" -}}
{{- default (include "pagoda.objectName" (dict "root" .root "component" .component)) .existing -}}
{{- end -}}

{{/* (root, component, key, length) -> a random value: that of the cluster when it is there already. It is made once for
     all templates of a rendering. */}}
{{- define "pagoda.random" -}}
{{- $name := include "pagoda.objectName" (dict "root" .root "component" .component) -}}
{{- $memory := get .root.Values "_random" | default dict -}}
{{- $place := printf "%s/%s" $name .key -}}
{{- if not (hasKey $memory $place) -}}
{{- $held := (lookup "v1" "Secret" .root.Release.Namespace $name).data | default dict -}}
{{- $value := ternary (get $held .key | b64dec) (randAlphaNum (int .length)) (hasKey $held .key) -}}
{{- $_ := set $memory $place $value -}}
{{- $_ := set .root.Values "_random" $memory -}}
{{- end -}}
{{- get $memory $place -}}
{{- end -}}

{{/* (root, component, data[, plugin][, keep][, annotations]) -> a Secret. With `keep` it outlives the release, as data may that it opens. */}}
{{- define "pagoda.secret" -}}
---
apiVersion: v1
kind: Secret
metadata:
  {{- $annotations := ternary (dict "helm.sh/resource-policy" "keep") (.annotations | default dict) (default false .keep) }}
  {{- include "pagoda.metadata" (dict "root" .root "component" .component "plugin" .plugin "annotations" $annotations) | nindent 2 }}
type: Opaque
data:
  {{- range $key, $value := .data }}
  {{ $key }}: {{ toString $value | b64enc | quote }}
  {{- else }} {}
  {{- end }}
{{ end -}}

{{- define "pagoda.databaseUrl" -}}
{{- if .Values.database.url -}}
{{- .Values.database.url -}}
{{- else -}}
{{- $password := include "pagoda.random" (dict "root" . "component" "postgresql" "key" "POSTGRES_PASSWORD" "length" 32) -}}
{{- printf "postgres://pagoda:%s@%s:5432/pagoda" $password (include "pagoda.objectName" (dict "root" . "component" "postgresql")) -}}
{{- end -}}
{{- end -}}

{{/* (root, number[, login]) -> URL of a database of the chart's own Redis, by default for its operator. */}}
{{- define "pagoda.redisUrl" -}}
{{- $password := include "pagoda.random" (dict "root" .root "component" "redis" "key" "REDIS_PASSWORD" "length" 32) -}}
{{- printf "redis://%s@%s:6379/%d" (.login | default (print ":" $password)) (include "pagoda.objectName" (dict "root" .root "component" "redis")) (int .number) -}}
{{- end -}}

{{- define "pagoda.brokerUrl" -}}
{{- .Values.broker.url | default (include "pagoda.redisUrl" (dict "root" . "number" 0)) -}}
{{- end -}}

{{/* "yes" when there is a cache besides the database. */}}
{{- define "pagoda.hasCache" -}}
{{- if or .Values.cache.url .Values.cache.existingSecret (and .Values.redis.enabled (not .Values.redis.existingSecret)) -}}yes{{- end -}}
{{- end -}}

{{/* "yes" when the Redis of the chart is the cache, with a password that the chart knows. */}}
{{- define "pagoda.hasOwnCache" -}}
{{- if and (include "pagoda.hasCache" .) (not .Values.cache.url) (not .Values.cache.existingSecret) -}}yes{{- end -}}
{{- end -}}

{{- define "pagoda.cacheUrl" -}}
{{- .Values.cache.url | default (include "pagoda.redisUrl" (dict "root" . "number" 1)) -}}
{{- end -}}

{{/* "yes" when the Redis of the chart is the broker; beside a broker of the user's it is the cache alone. */}}
{{- define "pagoda.hasOwnBroker" -}}
{{- if and .Values.redis.enabled (not .Values.broker.url) (or .Values.redis.existingSecret (not .Values.broker.existingSecret)) -}}yes{{- end -}}
{{- end -}}

{{/* root -> JSON of the servers that processes of Pagoda talk to, as `pagoda.pod` takes them. */}}
{{- define "pagoda.clients" -}}
{{- $clients := list "database" "broker" -}}
{{- if include "pagoda.hasCache" . -}}{{- $clients = append $clients "cache" -}}{{- end -}}
{{- dict "all" $clients | toJson -}}
{{- end -}}
