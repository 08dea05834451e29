{{/* NetworkPolicies: nothing but what is named here, and in a Pod's `networkPolicy`. */}}

{{/* As `pagoda.pod`, and (ingress: [rule], egress: [rule]) -> what the Pods of one workload may do. */}}
{{- define "pagoda.networkPolicy" -}}
{{- if .root.Values.networkPolicy.enabled }}
{{- $ingress := concat (default (list) .ingress) .values.networkPolicy.ingress }}
{{- $egress := default (list) .egress }}
{{- range .clients }}{{ $egress = append $egress (include (printf "pagoda.%sEgress" .) $.root | fromYaml) }}{{ end }}
{{- if or $egress .values.networkPolicy.egress }}{{ $egress = append $egress (include "pagoda.dnsEgress" .root | fromYaml) }}{{ end }}
{{- $egress = concat $egress .values.networkPolicy.egress }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{- include "pagoda.metadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels: {{- include "pagoda.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- with $ingress }}
  ingress: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $egress }}
  egress: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* (port[, peers]) -> ports and, where there are any, `from` of a rule for incoming traffic. */}}
{{- define "pagoda.ingressRule" -}}
ports: [{port: {{ .port }}, protocol: TCP}]
{{- with .peers }}
from: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* (root, component) -> a peer: the Pods of one workload of this release. */}}
{{- define "pagoda.peer" -}}
podSelector:
  matchLabels: {{- include "pagoda.selector" . | nindent 4 }}
{{- end -}}

{{/* (root, server) -> a peer: the Pods of this release that talk to the server. */}}
{{- define "pagoda.clientPeer" -}}
podSelector:
  matchLabels:
    app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
    pagoda/{{ .server }}: client
{{- end -}}

{{- define "pagoda.dnsEgress" -}}
ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
{{- with .Values.networkPolicy.dnsPeers }}
to: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* (root, server, port, peers, isOwn, ownPort) -> a rule that leads to a server: of this chart, or of the user's. */}}
{{- define "pagoda.serverEgress" -}}
{{- $own := list (include "pagoda.peer" (dict "root" .root "component" .server) | fromYaml) -}}
ports: [{port: {{ ternary .ownPort .port .isOwn | int }}, protocol: TCP}]
{{- with ternary $own .peers .isOwn }}
to: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "pagoda.databaseEgress" -}}
{{- include "pagoda.serverEgress" (dict "root" . "server" "postgresql" "ownPort" 5432 "isOwn" .Values.postgresql.enabled "port" .Values.database.port "peers" .Values.database.peers) -}}
{{- end -}}

{{- define "pagoda.brokerEgress" -}}
{{- $isOwn := not (empty (include "pagoda.hasOwnBroker" .)) -}}
{{- include "pagoda.serverEgress" (dict "root" . "server" "redis" "ownPort" 6379 "isOwn" $isOwn "port" .Values.broker.port "peers" .Values.broker.peers) -}}
{{- end -}}

{{- define "pagoda.cacheEgress" -}}
{{- $isOwn := not (or .Values.cache.url .Values.cache.existingSecret) -}}
{{- include "pagoda.serverEgress" (dict "root" . "server" "redis" "ownPort" 6379 "isOwn" $isOwn "port" .Values.cache.port "peers" .Values.cache.peers) -}}
{{- end -}}

{{/* The network outside, for a plugin that may reach it; private networks are named in its `networkPolicy`. */}}
{{- define "pagoda.outsideEgress" -}}
to:
  - ipBlock:
      cidr: 0.0.0.0/0
      except: [10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]
  - ipBlock:
      cidr: ::/0
      except: ["::1/128", "fc00::/7", "fe80::/10"]
{{- end -}}

{{- define "pagoda.apiEgress" -}}
ports: [{port: 8000, protocol: TCP}]
to:
  - {{- include "pagoda.peer" (dict "root" . "component" "api") | nindent 4 }}
{{- end -}}
