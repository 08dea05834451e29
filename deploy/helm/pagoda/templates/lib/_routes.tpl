{{/* Which path leads to which Service. */}}

{{/* root -> JSON of `{"routes": [{path, service, port}]}`, the longest paths first. */}}
{{- define "pagoda.routes" -}}
{{- $prefix := .Values.api.pathPrefix -}}
{{- $port := int .Values.api.service.port -}}
{{- $api := include "pagoda.objectName" (dict "root" . "component" "api") -}}
{{- $routes := list (dict "path" (default "/" $prefix) "service" $api "port" $port) -}}
{{- if .Values.pluginApi.enabled -}}
{{- $plugins := include "pagoda.objectName" (dict "root" . "component" "plugin-api") -}}
{{- $routes = list
  (dict "path" (print $prefix "/api/v2/plugins/") "service" $plugins "port" $port)
  (dict "path" (print $prefix "/plugins/") "service" $plugins "port" $port)
  (first $routes)
-}}
{{- end -}}
{{- dict "routes" $routes | toJson -}}
{{- end -}}
