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
{{- $sizes := dict "core" (dict "concurrency" .Values.coreWorker.concurrency "memory_mb" .Values.coreWorker.memoryMb) -}}
{{- range $id, $plugin := $plugins.values -}}
{{- if $plugin.operationIds -}}{{- $_ := set $ranges $id $plugin.operationIds -}}{{- end -}}
{{- if $plugin.permissions -}}{{- $_ := set $permissions $id $plugin.permissions -}}{{- end -}}
{{- $_ := set $sizes $id (dict "concurrency" $plugin.concurrency "memory_mb" $plugin.memoryMb) -}}
{{- end -}}
{{- $settings := dict
  "PAGODA_ENV" "production"
  "PAGODA_DATA_DIR" "/var/lib/pagoda"
  "ENABLED_PLUGINS" (join "," $plugins.order)
  "PLUGIN_OPERATION_ID_CONFIG" (toJson $ranges)
  "PLUGIN_PERMISSIONS" (toJson $permissions)
  "PLUGIN_WORKER_CONFIG" (toJson $sizes)
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
{{- if and .Values.ingress.enabled .Values.ingress.tlsSecret -}}
{{- range .Values.ingress.hosts -}}{{- $origins = append $origins (printf "https://%s" .) -}}{{- end -}}
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
{{- printf "%s://%s" (ternary "http" "https" (empty .Values.ingress.tlsSecret)) .Values.ingress.flowerHost -}}
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

{{/* root -> what every process of Pagoda reads its settings from; what comes later wins. */}}
{{- define "pagoda.envFrom" -}}
- configMapRef: {name: {{ include "pagoda.objectName" (dict "root" . "component" "config") }}}
- secretRef: {name: {{ include "pagoda.secretName" (dict "root" . "component" "secrets" "existing" .Values.secrets.existingSecret) }}}
- secretRef: {name: {{ include "pagoda.secretName" (dict "root" . "component" "database" "existing" .Values.database.existingSecret) }}}
- secretRef: {name: {{ include "pagoda.secretName" (dict "root" . "component" "broker" "existing" .Values.broker.existingSecret) }}}
{{- if include "pagoda.hasCache" . }}
- secretRef: {name: {{ include "pagoda.secretName" (dict "root" . "component" "cache" "existing" .Values.cache.existingSecret) }}}
{{- end }}
- secretRef: {name: {{ include "pagoda.objectName" (dict "root" . "component" "plugins") }}}
{{- end -}}

{{/* root -> a digest that changes with what the chart knows of settings and secrets. */}}
{{- define "pagoda.configChecksum" -}}
{{- list (include (print .Template.BasePath "/config.yaml") .) (include (print .Template.BasePath "/secrets.yaml") .) | join "\n" | sha256sum -}}
{{- end -}}
