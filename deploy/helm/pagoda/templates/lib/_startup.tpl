{{/* What happens before the first process of a Pod starts. */}}

{{/* (root[, isWorker]) -> the init containers of everything that needs the database. The first keeps a wrong configuration from
     replacing a good release, the second lets the Pods of a release start before its migrations are done, and workers before
     their accounts are made. */}}
{{- define "pagoda.initContainers" -}}
- name: check
  args: [pagoda, plugins, check]
- name: wait
  {{- $broker := list }}
  {{- if and .isWorker (include "pagoda.hasRedisAccounts" .root) }}{{ $broker = list "--for" "broker" }}{{ end }}
  args: {{ concat (list "pagoda" "wait" "--for" "database" "--for" "migrations") $broker (list "--timeout" (toString (int .root.Values.migrations.waitSeconds))) | toJson }}
{{- end -}}
