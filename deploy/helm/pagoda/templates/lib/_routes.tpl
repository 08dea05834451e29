{{/* Which path leads to which Service. */}}

{{/* root -> JSON of `{"routes": [{path, service, port}]}`, the longest paths first. */}}
{{- define "pagoda.routes" -}}
{{- $port := int .Values.api.service.port -}}
{{- $api := include "pagoda.objectName" (dict "root" . "component" "api") -}}
{{- $routes := list (dict "path" "/" "service" $api "port" $port) -}}
{{- if .Values.pluginApi.enabled -}}
{{- $plugins := include "pagoda.objectName" (dict "root" . "component" "plugin-api") -}}
{{- $routes = list
  (dict "path" "/api/v2/plugins/" "service" $plugins "port" $port)
  (dict "path" "/plugins/" "service" $plugins "port" $port)
  (first $routes)
-}}
{{- end -}}
{{- dict "routes" $routes | toJson -}}
{{- end -}}
