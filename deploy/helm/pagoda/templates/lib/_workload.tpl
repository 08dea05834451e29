{{/* The objects around a Pod that every workload has. */}}

{{/* As `pagoda.pod`, and (replicas, scaled, ingress, egress) -> ServiceAccount, Deployment, PodDisruptionBudget,
     NetworkPolicy. With `scaled` somebody else sets the number of Pods. */}}
{{- define "pagoda.workload" -}}
{{ include "pagoda.serviceAccount" . }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{- include "pagoda.metadata" . | nindent 2 }}
spec:
  {{- if not .scaled }}
  replicas: {{ int .replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  # Longer than a Pod may wait for the database and take to start, so that a slow start is not called a failure.
  progressDeadlineSeconds: {{ add .values.startupSeconds .root.Values.migrations.waitSeconds 300 }}
  strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  selector:
    matchLabels: {{- include "pagoda.selector" . | nindent 6 }}
  template: {{- include "pagoda.pod" . | nindent 4 }}
{{ include "pagoda.disruptionBudget" . }}
{{ include "pagoda.networkPolicy" . }}
{{ end -}}

{{- define "pagoda.serviceAccount" -}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{- include "pagoda.metadata" (merge (dict "annotations" .values.serviceAccountAnnotations) .) | nindent 2 }}
automountServiceAccountToken: false
{{- end -}}

{{- define "pagoda.disruptionBudget" -}}
{{- if .values.podDisruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{- include "pagoda.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ toJson .values.podDisruptionBudget.maxUnavailable }}
  selector:
    matchLabels: {{- include "pagoda.selector" . | nindent 6 }}
{{- end }}
{{- end -}}

{{/* (root, component, min, max, cpu) -> a HorizontalPodAutoscaler. */}}
{{- define "pagoda.autoscaler" -}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{- include "pagoda.metadata" . | nindent 2 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ include "pagoda.objectName" . }}}
  minReplicas: {{ int .min }}
  maxReplicas: {{ int .max }}
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: {{ int .cpu }}}}
{{- end -}}

{{/* (root, component, port, target[, type, annotations]) -> a Service; `target` names the port of the container. */}}
{{- define "pagoda.service" -}}
---
apiVersion: v1
kind: Service
metadata: {{- include "pagoda.metadata" (merge (dict "annotations" (default (dict) .annotations)) .) | nindent 2 }}
spec:
  type: {{ .type | default "ClusterIP" }}
  selector: {{- include "pagoda.selector" . | nindent 4 }}
  ports:
    - {name: {{ .target }}, port: {{ int .port }}, targetPort: {{ .target }}, protocol: TCP}
{{- end -}}
