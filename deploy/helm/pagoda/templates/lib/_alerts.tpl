{{/* (root) -> the alert rules. Gauges are of the whole host and the same from every process: their maximum counts. */}}
{{- define "pagoda.alertRules" -}}
{{- $alerts := .Values.alerts -}}
{{- $here := printf "namespace=%q" .Release.Namespace -}}
- alert: PagodaPluginOpen
  expr: max by (plugin, surface) (pagoda_breaker_state{ {{- $here -}} }) == 2
  summary: "Plugin {{ "{{ $labels.plugin }}" }} is switched off: its {{ "{{ $labels.surface }}" }} failed too often."
  severity: warning
- alert: PagodaQueueOld
  expr: max by (queue) (pagoda_queue_oldest_seconds{ {{- $here -}} }) > {{ int $alerts.queueAgeSeconds }}
  summary: "A job waits in queue {{ "{{ $labels.queue }}" }} for {{ "{{ $value | humanizeDuration }}" }}."
  severity: warning
- alert: PagodaQueueWithoutWorker
  expr: >-
    max by (queue) (pagoda_queue_consumers{ {{- $here -}} }) == 0
    and on (queue) sum by (queue) (max by (queue, phase) (pagoda_queue_jobs{ {{- $here -}} })) > 0
  summary: "Nobody runs the jobs of queue {{ "{{ $labels.queue }}" }}."
  severity: critical
- alert: PagodaQueueDeep
  expr: max by (queue) (pagoda_queue_jobs{ {{- $here -}} , phase="queued"}) > {{ int $alerts.queueDepth }}
  summary: "{{ "{{ $value }}" }} jobs wait in queue {{ "{{ $labels.queue }}" }}."
  severity: warning
- alert: PagodaEndpointsFail
  expr: >-
    sum by (plugin) (rate(pagoda_endpoint_requests_total{ {{- $here -}} , status=~"5.."}[15m]))
    / sum by (plugin) (rate(pagoda_endpoint_requests_total{ {{- $here -}} }[15m])) > {{ $alerts.errorRatio }}
  summary: "{{ "{{ $value | humanizePercentage }}" }} of the requests to {{ "{{ $labels.plugin }}" }} fail."
  severity: warning
- alert: PagodaEndpointsSlow
  expr: >-
    histogram_quantile(0.95, sum by (plugin, le) (rate(pagoda_endpoint_seconds_bucket{ {{- $here -}} }[15m])))
    > {{ $alerts.p95Seconds }}
  summary: "5 % of the requests to {{ "{{ $labels.plugin }}" }} take {{ "{{ $value | humanizeDuration }}" }} and more."
  severity: warning
- alert: PagodaHooksFail
  expr: >-
    sum by (plugin) (rate(pagoda_hook_calls_total{ {{- $here -}} , outcome=~"raised|timeout"}[15m]))
    / sum by (plugin) (rate(pagoda_hook_calls_total{ {{- $here -}} }[15m])) > {{ $alerts.errorRatio }}
  summary: "{{ "{{ $value | humanizePercentage }}" }} of the calls of handlers of {{ "{{ $labels.plugin }}" }} fail."
  severity: warning
- alert: PagodaHooksSlow
  expr: >-
    histogram_quantile(0.95, sum by (plugin, le) (rate(pagoda_hook_seconds_bucket{ {{- $here -}} }[15m])))
    > {{ $alerts.p95Seconds }}
  summary: "5 % of the calls of handlers of {{ "{{ $labels.plugin }}" }} take {{ "{{ $value | humanizeDuration }}" }} and more."
  severity: warning
- alert: PagodaJobsFail
  expr: >-
    sum by (plugin) (increase(pagoda_jobs_total{ {{- $here -}} , status=~"(?i)error|timeout"}[15m]))
    / sum by (plugin) (increase(pagoda_jobs_total{ {{- $here -}} }[15m])) > {{ $alerts.jobErrorRatio }}
  summary: "{{ "{{ $value | humanizePercentage }}" }} of the jobs of {{ "{{ $labels.plugin }}" }} fail."
  severity: warning
- alert: PagodaDigestMismatch
  expr: count(count by (digest) (pagoda_registry_info{ {{- $here -}} })) > 1
  summary: "Processes run different plugins: their registry digests differ. A release is stuck half way."
  severity: critical
- alert: PagodaAbsent
  expr: absent(pagoda_build_info{ {{- $here -}} })
  summary: "No process of Pagoda tells its metrics."
  severity: critical
{{- end -}}
