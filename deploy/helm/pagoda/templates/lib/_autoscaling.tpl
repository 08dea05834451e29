{{/* How many workers a plugin gets. */}}

{{/* (root, component, plugin, scaling) -> a HorizontalPodAutoscaler, a ScaledObject, or nothing. */}}
{{- define "pagoda.pluginAutoscaler" -}}
{{- if eq .scaling.kind "cpu" }}
{{ include "pagoda.autoscaler" . }}
{{- else if eq .scaling.kind "queue" }}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {{- include "pagoda.metadata" . | nindent 2 }}
spec:
  scaleTargetRef: {name: {{ include "pagoda.objectName" . }}}
  minReplicaCount: {{ int .scaling.minReplicas }}
  maxReplicaCount: {{ int .scaling.maxReplicas }}
  pollingInterval: {{ int .scaling.pollingSeconds }}
  cooldownPeriod: {{ int .scaling.cooldownSeconds }}
  triggers:
    - type: postgresql
      authenticationRef: {name: {{ include "pagoda.objectName" (dict "root" .root "component" "database") }}}
      metadata:
        targetQueryValue: {{ .scaling.jobsPerReplica | int | quote }}
        activationTargetQueryValue: "0"
        # Running jobs count too: their worker must not go while they run.
        query: >-
          SELECT count(*) FROM job_job WHERE queue = 'plugin.{{ .plugin }}' AND status = 5
          AND NOT is_waiting AND (run_at IS NULL OR run_at <= now())
{{- end }}
{{- end -}}
