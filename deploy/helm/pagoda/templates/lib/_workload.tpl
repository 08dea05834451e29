{{/* The objects around a Pod that every workload has. */}}

{{/* As `pagoda.pod`, and (replicas, scaled, ingress, egress) -> ServiceAccount, Deployment, PodDisruptionBudget,
     NetworkPolicy. With `scaled` somebody else sets the number of Pods. */}}
{{- define "pagoda.workload" -}}
{{ include "pagoda.serviceAccount" . }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{- include "pagoda.metadata" (merge (dict "annotations" .values.annotations) .) | nindent 2 }}
spec:
  {{- if not .scaled }}
  replicas: {{ int .replicas }}
  {{- end }}
  revisionHistoryLimit: {{ int .values.revisionHistoryLimit }}
  # Longer than a Pod may wait for the database and take to start, so that a slow start is not called a failure.
  progressDeadlineSeconds: {{ add .values.startupSeconds .root.Values.migrations.waitSeconds 300 }}
  strategy: {{- .values.strategy | default (dict "type" "RollingUpdate" "rollingUpdate" (dict "maxUnavailable" 0 "maxSurge" 1)) | toYaml | nindent 4 }}
  selector:
    matchLabels: {{- include "pagoda.selector" . | nindent 6 }}
  template: {{- include "pagoda.pod" . | nindent 4 }}
{{ include "pagoda.disruptionBudget" . }}
{{ include "pagoda.networkPolicy" . }}
{{ end -}}

{{- define "pagoda.serviceAccount" -}}
{{- if not .values.serviceAccount.name }}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{- include "pagoda.metadata" (merge (dict "annotations" (merge (dict) .values.serviceAccountAnnotations (.annotations | default dict))) .) | nindent 2 }}
automountServiceAccountToken: {{ .values.serviceAccount.automountToken }}
{{- end }}
{{- end -}}

{{- define "pagoda.disruptionBudget" -}}
{{- if .values.podDisruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{- include "pagoda.metadata" . | nindent 2 }}
spec:
  {{- if toString .values.podDisruptionBudget.minAvailable }}
  minAvailable: {{ toJson .values.podDisruptionBudget.minAvailable }}
  {{- else }}
  maxUnavailable: {{ toJson .values.podDisruptionBudget.maxUnavailable }}
  {{- end }}
  selector:
    matchLabels: {{- include "pagoda.selector" . | nindent 6 }}
{{- end }}
{{- end -}}

{{/* (root, component, scaling[, plugin]) -> a HorizontalPodAutoscaler. */}}
{{- define "pagoda.autoscaler" -}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{- include "pagoda.metadata" . | nindent 2 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ include "pagoda.objectName" . }}}
  minReplicas: {{ int .scaling.minReplicas }}
  maxReplicas: {{ int .scaling.maxReplicas }}
  metrics:
    {{- with .scaling.targetCPUPercent }}
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: {{ int . }}}}
    {{- end }}
    {{- with .scaling.targetMemoryPercent }}
    - type: Resource
      resource: {name: memory, target: {type: Utilization, averageUtilization: {{ int . }}}}
    {{- end }}
  {{- with .scaling.behavior }}
  behavior: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* (root, component, port, target[, type, annotations, nodePort, loadBalancerClass, loadBalancerSourceRanges]) -> a Service;
     `target` names the port of the container. */}}
{{- define "pagoda.service" -}}
---
apiVersion: v1
kind: Service
metadata: {{- include "pagoda.metadata" (merge (dict "annotations" (default (dict) .annotations)) .) | nindent 2 }}
spec:
  type: {{ .type | default "ClusterIP" }}
  {{- if eq (.type | default "") "LoadBalancer" }}{{/* `pluginApi` inherits them, whatever its own type is */}}
  {{- with .loadBalancerClass }}
  loadBalancerClass: {{ quote . }}
  {{- end }}
  {{- with .loadBalancerSourceRanges }}
  loadBalancerSourceRanges: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  selector: {{- include "pagoda.selector" . | nindent 4 }}
  ports:
    - name: {{ .target }}
      port: {{ int .port }}
      targetPort: {{ .target }}
      protocol: TCP
      {{- with .nodePort }}
      nodePort: {{ int . }}
      {{- end }}
{{- end -}}
