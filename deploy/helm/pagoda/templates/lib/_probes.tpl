{{/* Probes. Liveness asks no server and loads no Django: it may only fail where a restart helps. */}}

{{/* (values, handlers: {startup, liveness, readiness}) -> the three probes. A process that answers slowly under load is not
     dead: liveness takes two minutes to say so. */}}
{{- define "pagoda.probes" -}}
{{- $startup := dict "periodSeconds" 5 "timeoutSeconds" 10 "failureThreshold" (div .values.startupSeconds 5) -}}
{{- $liveness := dict "periodSeconds" 20 "timeoutSeconds" 10 "failureThreshold" 6 -}}
{{- $readiness := dict "periodSeconds" 10 "timeoutSeconds" 5 "failureThreshold" 3 -}}
startupProbe: {{- include "pagoda.probe" (dict "given" .values.probes.startup "times" $startup "handler" .handlers.startup) | nindent 2 }}
livenessProbe: {{- include "pagoda.probe" (dict "given" .values.probes.liveness "times" $liveness "handler" .handlers.liveness) | nindent 2 }}
readinessProbe: {{- include "pagoda.probe" (dict "given" .values.probes.readiness "times" $readiness "handler" .handlers.readiness) | nindent 2 }}
{{- end -}}

{{/* (given, times, handler) -> a probe; one that asks in another way, such as `tcpSocket`, loses the chart's own way. */}}
{{- define "pagoda.probe" -}}
{{- $other := pick .given "exec" "grpc" "httpGet" "tcpSocket" -}}
{{- $isOther := and $other (not (hasKey $other (keys .handler | first))) -}}
{{- merge (dict) .given .times (ternary (dict) .handler (not (empty $isOther))) | toYaml -}}
{{- end -}}

{{/* A path -> a request for it that PAGODA_ALLOWED_HOSTS accepts, whatever the Pod's address. */}}
{{- define "pagoda.httpProbe" -}}
httpGet:
  path: {{ . }}
  port: http
  httpHeaders:
    - {name: Host, value: localhost}
{{- end -}}

{{/* The file that a worker or dispatcher touches while it is well. */}}
{{- define "pagoda.aliveFile" -}}
/var/lib/pagoda/alive
{{- end -}}

{{- define "pagoda.aliveProbe" -}}
exec: {command: [pagoda-worker, alive, {{ include "pagoda.aliveFile" . }}]}
{{- end -}}

{{- define "pagoda.workerProbes" -}}
{{- $alive := include "pagoda.aliveProbe" . | fromYaml -}}
{{- include "pagoda.probes" (dict "values" .values "handlers" (dict "startup" $alive "liveness" $alive "readiness" $alive)) -}}
{{- end -}}
