{{/* A worker of one queue, and the dispatcher, which is watched in the same way. */}}

{{/* (root, component, values, args, env, envFrom[, plugin, replicas, scaled, own]) -> the objects of `pagoda.workload`. */}}
{{- define "pagoda.worker" -}}
{{- $root := .root -}}
{{- $env := list -}}
{{- $ports := list -}}
{{- $ingress := list -}}
{{- if $root.Values.metrics.enabled -}}
{{- $env = list (dict "name" "METRICS_BIND" "value" "0.0.0.0:9100") -}}
{{- $ports = list (dict "name" "metrics" "containerPort" 9100 "protocol" "TCP") -}}
{{- $ingress = list (include "pagoda.ingressRule" (dict "port" 9100 "peers" $root.Values.networkPolicy.metricsPeers) | fromYaml) -}}
{{- end -}}
{{ include "pagoda.workload" (merge (dict
  "containerName" "worker"
  "image" (include "pagoda.image" (dict "root" $root "which" "worker"))
  "args" (concat .args (list "--alive-file" (include "pagoda.aliveFile" $root)))
  "env" (concat $env (default (list) .env))
  "ports" $ports
  "ingress" $ingress
  "probes" (include "pagoda.workerProbes" . | fromYaml)
  "init" (include "pagoda.initContainers" (dict "root" $root "isWorker" true) | fromYamlArray)
  "clients" (include "pagoda.clients" $root | fromJson).all
  "graceSeconds" (include "pagoda.drainSeconds" $root | int)
) .) }}
{{- end -}}
