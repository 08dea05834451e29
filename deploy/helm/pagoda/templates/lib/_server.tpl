{{/* A server of the chart's own: one Pod with a volume, for evaluation. */}}

{{/* As `pagoda.pod`, and (port, ingress, claim: {size, storageClass}) -> the objects of a server. */}}
{{- define "pagoda.server" -}}
{{ include "pagoda.serviceAccount" . }}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{- include "pagoda.metadata" (merge (dict "annotations" .values.annotations) .) | nindent 2 }}
spec:
  replicas: 1
  revisionHistoryLimit: {{ int .values.revisionHistoryLimit }}
  serviceName: {{ include "pagoda.objectName" . }}
  selector:
    matchLabels: {{- include "pagoda.selector" . | nindent 6 }}
  template: {{- include "pagoda.pod" . | nindent 4 }}
  {{- with .claim }}
  volumeClaimTemplates:
    - metadata: {name: storage}
      spec:
        accessModes: [ReadWriteOnce]
        resources: {requests: {storage: {{ .size }}}}
        {{- with .storageClass }}
        storageClassName: {{ quote . }}
        {{- end }}
  {{- end }}
{{ include "pagoda.service" (dict "root" .root "component" .component "port" .port "target" .target) }}
{{ include "pagoda.disruptionBudget" . }}
{{ include "pagoda.networkPolicy" . }}
{{- end -}}

{{/* (command) -> a probe that runs it. */}}
{{- define "pagoda.commandProbe" -}}
exec: {command: {{ toJson .command }}}
{{- end -}}
