{{/* What can be wrong with values that are right one by one; each sentence says how to mend it. */}}

{{/* root -> JSON of `{"faults": [sentence]}`. */}}
{{- define "pagoda.valueFaults" -}}
{{- $v := .Values -}}
{{- $faults := list -}}
{{- range list
  (dict "url" "database.url" "given" $v.database.url "secret" "database.existingSecret" "held" $v.database.existingSecret
        "server" "postgresql" "enabled" $v.postgresql.enabled "password" $v.postgresql.existingSecret "isExclusive" true)
  (dict "url" "broker.url" "given" $v.broker.url "secret" "broker.existingSecret" "held" $v.broker.existingSecret
        "server" "redis" "enabled" $v.redis.enabled "password" $v.redis.existingSecret "isExclusive" false)
-}}
{{- if and (not .enabled) (not .given) (not .held) -}}
{{- $faults = append $faults (printf "%s.enabled is false and there is no other server. Set %s or %s." .server .url .secret) -}}
{{- else if and .given .held -}}
{{- $faults = append $faults (printf "%s and %s are both set. Keep one of the two." .url .secret) -}}
{{- else if and .enabled .password (not .held) -}}
{{- $faults = append $faults (printf "%s.existingSecret hides the password from the chart. Set %s to a Secret with the whole URL." .server .secret) -}}
{{- else if and .isExclusive .enabled .given -}}
{{- $faults = append $faults (printf "%s is set beside the server of the chart. Set %s.enabled to false." .url .server) -}}
{{- else if and .isExclusive .enabled .held (not .password) -}}
{{- $faults = append $faults (printf "%s is set beside the server of the chart. Set %s.enabled to false, or %s.existingSecret to a Secret with its password." .secret .server .server) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $v.accounts.mode "always") $v.database.existingSecret (not $v.accounts.existingSecret) -}}
{{- $faults = append $faults "accounts.mode is always, and database.existingSecret hides the URL that accounts would log in with. Set accounts.existingSecret to a Secret with a password per account." -}}
{{- end -}}
{{- if and $v.accounts.existingSecret (ne $v.accounts.mode "always") -}}
{{- $faults = append $faults (printf "accounts.existingSecret is set, and accounts.mode is %s. Set it to always." $v.accounts.mode) -}}
{{- end -}}
{{- $slugs := dict -}}
{{- $plugins := (include "pagoda.plugins" . | fromJson).values -}}
{{- range $id, $plugin := $plugins -}}
{{- $slug := include "pagoda.slug" $id -}}
{{- if hasKey $slugs $slug -}}
{{- $faults = append $faults (printf "plugins.%s and plugins.%s give objects of the same name (%s). Rename one of the plugins." (get $slugs $slug) $id $slug) -}}
{{- end -}}
{{- $_ := set $slugs $slug $id -}}
{{- if and $v.accounts.existingSecret (not $plugin.existingSecret) (not $plugin.secretEnv.DATABASE_URL) -}}
{{- $faults = append $faults (printf "accounts.existingSecret hides the password of %s. Give its DATABASE_URL in plugins.%s.existingSecret or secretEnv." (include "pagoda.pluginAccount" $id) $id) -}}
{{- end -}}
{{- $scaling := $plugin.autoscaling -}}
{{- if and (ne $scaling.kind "none") (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- $faults = append $faults (printf "plugins.%s.autoscaling.minReplicas is %d, above maxReplicas (%d). Lower it." $id (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- if and (eq $scaling.kind "cpu") (not $scaling.targetCPUPercent) (not $scaling.targetMemoryPercent) -}}
{{- $faults = append $faults (printf "plugins.%s.autoscaling looks at nothing. Set targetCPUPercent or targetMemoryPercent." $id) -}}
{{- end -}}
{{- if and (eq $scaling.kind "cpu") (eq (int $scaling.minReplicas) 0) -}}
{{- $faults = append $faults (printf "plugins.%s.autoscaling.minReplicas is 0, which only `kind: queue` can do. Set it to 1 or more." $id) -}}
{{- end -}}
{{- end -}}
{{- $needed := include "pagoda.drainSeconds" . | int -}}
{{- $draining := dict "coreWorker" $v.coreWorker -}}
{{- range $id, $plugin := $plugins -}}{{- $_ := set $draining (printf "plugins.%s" $id) $plugin -}}{{- end -}}
{{- range $where, $values := $draining -}}
{{- $given := $values.terminationGracePeriodSeconds | default $v.podDefaults.terminationGracePeriodSeconds | default 0 | int -}}
{{- if and $given (lt $given $needed) -}}
{{- $faults = append $faults (printf "%s.terminationGracePeriodSeconds is %d, less than the %d s that a worker needs to drain (JOB_SOFT_SHUTDOWN_SECONDS and 20). Raise it, or leave it at 0." $where $given $needed) -}}
{{- end -}}
{{- end -}}
{{- $scaled := dict "api" $v.api.autoscaling -}}
{{- if $v.pluginApi.enabled -}}{{- $_ := set $scaled "pluginApi" (mergeOverwrite (deepCopy $v.api.autoscaling) (deepCopy ($v.pluginApi.autoscaling | default dict))) -}}{{- end -}}
{{- range $where, $scaling := $scaled -}}
{{- if and $scaling.enabled (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- $faults = append $faults (printf "%s.autoscaling.minReplicas is %d, above maxReplicas (%d). Lower it." $where (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- if and $scaling.enabled (not $scaling.targetCPUPercent) (not $scaling.targetMemoryPercent) -}}
{{- $faults = append $faults (printf "%s.autoscaling looks at nothing. Set targetCPUPercent or targetMemoryPercent." $where) -}}
{{- end -}}
{{- end -}}
{{- $labelled := dict "commonLabels" $v.commonLabels -}}
{{- range $where, $values := $v -}}{{- if kindIs "map" $values -}}{{- $_ := set $labelled (print $where ".podLabels") $values.podLabels -}}{{- end -}}{{- end -}}
{{- range $id, $values := $v.plugins -}}{{- $_ := set $labelled (printf "plugins.%s.podLabels" $id) ($values | default dict).podLabels -}}{{- end -}}
{{- range $where, $labels := $labelled -}}
{{- range $label, $_ := $labels -}}
{{- if regexMatch "^(app[.]kubernetes[.]io/(name|instance|component|managed-by)|pagoda/.*)$" $label -}}
{{- $faults = append $faults (printf "%s has %s, by which the chart finds its own Pods and objects. Choose another label." $where $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $where, $service := dict "api" $v.api.service "pluginApi" (dig "service" (dict) $v.pluginApi) -}}
{{- $type := $service.type | default $v.api.service.type -}}
{{- if and $service.nodePort (eq $type "ClusterIP") -}}
{{- $faults = append $faults (printf "%s.service.nodePort is set, and the Service has none as a ClusterIP. Set type to NodePort or LoadBalancer." $where) -}}
{{- end -}}
{{- if and (or $service.loadBalancerClass $service.loadBalancerSourceRanges) (ne $type "LoadBalancer") -}}
{{- $faults = append $faults (printf "%s.service has values of a load balancer, and is none. Set type to LoadBalancer." $where) -}}
{{- end -}}
{{- end -}}
{{- range $v.ingress.paths -}}
{{- if regexMatch "^/+((metrics|readyz)(/.*)?)?$" . -}}
{{- $faults = append $faults (printf "ingress.paths: %s leads to /metrics or /readyz, which ask for no login. Name the paths that are missing." .) -}}
{{- end -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) -}}
{{- $faults = append $faults "ingress.enabled is true without a name. Set ingress.hosts." -}}
{{- end -}}
{{- if and $v.ingress.enabled $v.flower.enabled (has $v.ingress.flowerHost $v.ingress.hosts) -}}
{{- $faults = append $faults (printf "ingress.flowerHost is %s, one of ingress.hosts. Give Flower a name of its own." $v.ingress.flowerHost) -}}
{{- end -}}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) -}}
{{- $faults = append $faults "httpRoute.enabled is true without a gateway. Set httpRoute.parentRefs." -}}
{{- end -}}
{{- range $where := list "database" "broker" "cache" "postgresql" "redis" "admin" "flower" -}}
{{- $values := get $v $where -}}
{{- if and $values.existingSecretKey (not $values.existingSecret) -}}
{{- $faults = append $faults (printf "%s.existingSecretKey is set, and there is no Secret of yours. Set %s.existingSecret, too." $where $where) -}}
{{- end -}}
{{- end -}}
{{- if and $v.secrets.existingSecretKeys (not $v.secrets.existingSecret) -}}
{{- $faults = append $faults "secrets.existingSecretKeys is set, and there is no Secret of yours. Set secrets.existingSecret, too." -}}
{{- else if and $v.secrets.existingSecretKeys (not $v.secrets.existingSecretKeys.PAGODA_SECRET_KEY) -}}
{{- $faults = append $faults "secrets.existingSecretKeys names no key for PAGODA_SECRET_KEY, and nothing else is read of the Secret. Name it, too." -}}
{{- end -}}
{{- if and $v.secrets.existingSecret $v.secrets.values -}}
{{- $faults = append $faults "secrets.existingSecret and secrets.values are both set. Put the values into the Secret." -}}
{{- end -}}
{{- dict "faults" $faults | toJson -}}
{{- end -}}
