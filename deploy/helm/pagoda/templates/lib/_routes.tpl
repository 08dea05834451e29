{{/* Which path leads to which Service. `/metrics`, `/readyz` and Flower's `/metrics` are not among them: they ask for no login. */}}

{{/* root -> JSON of `{"routes": [{path, exact, service, port}]}` of the API, the longest paths first. */}}
{{- define "pagoda.routes" -}}
{{- $prefix := .Values.api.pathPrefix -}}
{{- $port := int .Values.api.service.port -}}
{{- $api := include "pagoda.objectName" (dict "root" . "component" "api") -}}
{{- $plugins := ternary (include "pagoda.objectName" (dict "root" . "component" "plugin-api")) $api .Values.pluginApi.enabled -}}
{{- $routes := list (dict "path" (print $prefix "/api/v2/plugins/") "service" $plugins "port" $port) -}}
{{- $routes = append $routes (dict "path" (print $prefix "/plugins/") "service" $plugins "port" $port) -}}
{{- range concat (list "/api" "/console" "/admin" "/accounts" "/static" "/healthz") .Values.ingress.paths | uniq -}}
{{- $routes = append $routes (dict "path" (print $prefix .) "service" $api "port" $port) -}}
{{- end -}}
{{- $routes = append $routes (dict "path" (print $prefix "/") "exact" true "service" $api "port" $port) -}}
{{- with $prefix -}}{{- $routes = append $routes (dict "path" . "exact" true "service" $api "port" $port) -}}{{- end -}}
{{- dict "routes" $routes | toJson -}}
{{- end -}}

{{/* root -> JSON of the same of Flower. */}}
{{- define "pagoda.flowerRoutes" -}}
{{- $to := dict "service" (include "pagoda.objectName" (dict "root" . "component" "flower")) "port" (int .Values.flower.service.port) -}}
{{- $routes := list (merge (dict "path" "/" "exact" true) $to) -}}
{{- range list "/workers" "/worker" "/tasks" "/task" "/broker" "/api" "/static" "/login" "/logout" -}}
{{- $routes = append $routes (merge (dict "path" .) $to) -}}
{{- end -}}
{{- dict "routes" $routes | toJson -}}
{{- end -}}

{{/* (root, host) -> "yes" when the Ingress has a certificate for the name. */}}
{{- define "pagoda.hasTls" -}}
{{- $hosts := ternary (list .host) list (not (empty .root.Values.ingress.tlsSecret)) -}}
{{- range .root.Values.ingress.tls -}}{{- $hosts = concat $hosts (.hosts | default list) -}}{{- end -}}
{{- if has .host $hosts -}}yes{{- end -}}
{{- end -}}

{{/* root -> JSON of the annotations with which the usual controllers take requests whole, and none that the API would refuse. */}}
{{- define "pagoda.ingressAnnotations" -}}
{{- $bytes := .Values.config.API_MAX_BODY_BYTES | default 2621440 | int64 | toString -}}
{{- dict
  "nginx.ingress.kubernetes.io/proxy-request-buffering" "on"
  "nginx.ingress.kubernetes.io/proxy-buffering" "on"
  "nginx.ingress.kubernetes.io/proxy-body-size" $bytes
  "nginx.ingress.kubernetes.io/proxy-read-timeout" "65"
  "nginx.org/client-max-body-size" $bytes
  "nginx.org/proxy-buffering" "true"
  "nginx.org/proxy-read-timeout" "65s"
  "haproxy-ingress.github.io/proxy-body-size" $bytes
  "haproxy-ingress.github.io/timeout-server" "65s"
| toJson -}}
{{- end -}}
