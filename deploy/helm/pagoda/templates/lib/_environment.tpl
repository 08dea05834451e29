{{/* Where the software's settings come from: a ConfigMap and Secrets, named after their environment variables. */}}

{{/* A value -> the text that the settings read: lists with commas, maps as JSON. */}}
{{- define "pagoda.settingText" -}}
{{- if kindIs "string" . -}}{{ . }}
{{- else if kindIs "slice" . -}}{{ join "," . }}
{{- else -}}{{ toJson . }}
{{- end -}}
{{- end -}}

{{/* root -> JSON of the plain settings, `{name: text}`. What the chart works out itself wins over nothing: the schema
     keeps those names out of `config`. */}}
{{- define "pagoda.settings" -}}
{{- $plugins := include "pagoda.plugins" . | fromJson -}}
{{- $ranges := dict -}}
{{- $permissions := dict -}}
{{- range $id, $plugin := $plugins.values -}}
{{- if $plugin.operationIds -}}{{- $_ := set $ranges $id $plugin.operationIds -}}{{- end -}}
{{- if $plugin.permissions -}}{{- $_ := set $permissions $id $plugin.permissions -}}{{- end -}}
{{- end -}}
{{- $settings := dict
  "PAGODA_ENV" "production"
  "PAGODA_DATA_DIR" "/var/lib/pagoda"
  "ENABLED_PLUGINS" (join "," $plugins.order)
  "PLUGIN_OPERATION_ID_CONFIG" (toJson $ranges)
  "PLUGIN_PERMISSIONS" (toJson $permissions)
-}}
{{- with include "pagoda.trustedOrigins" . -}}{{- $_ := set $settings "PAGODA_CSRF_TRUSTED_ORIGINS" . -}}{{- end -}}
{{- with .Values.api.trustedProxies -}}{{- $_ := set $settings "PAGODA_TRUSTED_PROXIES" (join "," .) -}}{{- end -}}
{{- with .Values.api.pathPrefix -}}{{- $_ := set $settings "PAGODA_PATH_PREFIX" . -}}{{- end -}}
{{- with include "pagoda.flowerUrl" . -}}{{- $_ := set $settings "FLOWER_URL" . -}}{{- end -}}
{{- range $name, $value := .Values.config -}}
{{- $_ := set $settings $name (include "pagoda.settingText" $value) -}}
{{- end -}}
{{- toJson $settings -}}
{{- end -}}

{{/* root -> JSON of `{plugin id: settings}`. */}}
{{- define "pagoda.pluginSettings" -}}
{{- $settings := dict -}}
{{- range $id, $plugin := (include "pagoda.plugins" . | fromJson).values -}}
{{- if $plugin.settings -}}{{- $_ := set $settings $id $plugin.settings -}}{{- end -}}
{{- end -}}
{{- toJson $settings -}}
{{- end -}}

{{- define "pagoda.trustedOrigins" -}}
{{- $origins := .Values.api.trustedOrigins -}}
{{- if .Values.ingress.enabled -}}
{{- range .Values.ingress.hosts -}}
{{- if include "pagoda.hasTls" (dict "root" $ "host" .) -}}{{- $origins = append $origins (printf "https://%s" .) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if .Values.httpRoute.enabled -}}
{{- range .Values.httpRoute.hostnames -}}{{- $origins = append $origins (printf "https://%s" .) -}}{{- end -}}
{{- end -}}
{{- uniq $origins | join "," -}}
{{- end -}}

{{- define "pagoda.flowerUrl" -}}
{{- if .Values.flower.url -}}
{{- .Values.flower.url -}}
{{- else if and .Values.flower.enabled .Values.ingress.enabled .Values.ingress.flowerHost -}}
{{- printf "%s://%s" (ternary "http" "https" (empty (include "pagoda.hasTls" (dict "root" . "host" .Values.ingress.flowerHost)))) .Values.ingress.flowerHost -}}
{{- end -}}
{{- end -}}

{{/* root -> names that the API answers to. The Pod's own address is what Prometheus asks for. */}}
{{- define "pagoda.allowedHosts" -}}
{{- $hosts := list "localhost" "127.0.0.1" "$(POD_IP)" "[$(POD_IP)]" -}}
{{- range list "api" "plugin-api" -}}
{{- $service := include "pagoda.objectName" (dict "root" $ "component" .) -}}
{{- $hosts = concat $hosts (list $service (printf "%s.%s" $service $.Release.Namespace) (printf "%s.%s.svc" $service $.Release.Namespace)) -}}
{{- end -}}
{{- if .Values.ingress.enabled -}}{{- $hosts = concat $hosts .Values.ingress.hosts -}}{{- end -}}
{{- if .Values.httpRoute.enabled -}}{{- $hosts = concat $hosts .Values.httpRoute.hostnames -}}{{- end -}}
{{- concat $hosts .Values.api.allowedHosts | uniq | join "," -}}
{{- end -}}

{{/* (root[, components]) -> JSON of `{"env", "envFrom"}`: what every process of Pagoda reads its settings from; what comes later
     wins. Keys of a Secret of the user's that have names of their own are read one by one. */}}
{{- define "pagoda.environment" -}}
{{- $root := .root -}}
{{- $env := list -}}
{{- $envFrom := list -}}
{{- $cache := ternary (list "cache") list (not (empty (include "pagoda.hasCache" $root))) -}}
{{- range $component := .components | default (concat (list "config" "secrets" "database" "broker") $cache (list "plugins")) -}}
{{- $given := ternary dict (get $root.Values $component) (has $component (list "config" "plugins")) -}}
{{- $keys := $given.existingSecretKeys | default dict -}}
{{- with $given.existingSecretKey -}}{{- $keys = dict (printf "%s_URL" (upper $component)) . -}}{{- end -}}
{{- $name := include "pagoda.secretName" (dict "root" $root "component" $component "existing" $given.existingSecret) -}}
{{- if and $given.existingSecret $keys -}}
{{- range $variable, $key := $keys -}}
{{- $env = append $env (dict "name" $variable "valueFrom" (dict "secretKeyRef" (dict "name" $name "key" $key))) -}}
{{- end -}}
{{- else -}}
{{- $envFrom = append $envFrom (dict (ternary "configMapRef" "secretRef" (eq $component "config")) (dict "name" $name)) -}}
{{- end -}}
{{- end -}}
{{- dict "env" $env "envFrom" $envFrom | toJson -}}
{{- end -}}

{{/* (name, values) -> JSON of the variable with which the worker of a plugin, or of `core`, has its size. */}}
{{- define "pagoda.workerSize" -}}
{{- $size := dict "concurrency" .values.concurrency "memory_mb" .values.memoryMb -}}
{{- dict "name" "PLUGIN_WORKER_CONFIG" "value" (dict .name $size | toJson) | toJson -}}
{{- end -}}
