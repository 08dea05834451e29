{{/* Probes. Liveness asks no server and loads no Django: it may only fail where a restart helps. */}}

{{/* (values, handlers: {startup, liveness, readiness}) -> the three probes. A process that answers slowly under load is not
     dead: liveness takes two minutes to say so. */}}
{{- define "pagoda.probes" -}}
{{- $startup := dict "periodSeconds" 5 "timeoutSeconds" 10 "failureThreshold" (div .values.startupSeconds 5) -}}
{{- $liveness := dict "periodSeconds" 20 "timeoutSeconds" 10 "failureThreshold" 6 -}}
{{- $readiness := dict "periodSeconds" 10 "timeoutSeconds" 5 "failureThreshold" 3 -}}
startupProbe: {{- merge (dict) .values.probes.startup $startup .handlers.startup | toYaml | nindent 2 }}
livenessProbe: {{- merge (dict) .values.probes.liveness $liveness .handlers.liveness | toYaml | nindent 2 }}
readinessProbe: {{- merge (dict) .values.probes.readiness $readiness .handlers.readiness | toYaml | nindent 2 }}
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
