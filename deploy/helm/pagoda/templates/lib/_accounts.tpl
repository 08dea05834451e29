{{/* Accounts at the database and at the Redis of the chart: who has which, and the Secrets that say so. */}}

{{/* A plugin's id -> its account, as `pagoda.config.accounts` names it. */}}
{{- define "pagoda.pluginAccount" -}}
{{- $name := printf "pagoda_plugin_%s" . -}}
{{- if gt (len $name) 63 -}}{{- printf "pagoda_plugin_%s" (sha256sum . | trunc 49) -}}{{- else -}}{{- $name -}}{{- end -}}
{{- end -}}

{{/* root -> "yes" when processes have accounts of their own. A server of the user's may be others', too, or keep its owner
     from making roles, so that it takes a word. */}}
{{- define "pagoda.hasAccounts" -}}
{{- $isOwn := and .Values.postgresql.enabled (not .Values.postgresql.existingSecret) (not .Values.database.existingSecret) -}}
{{- if or (eq .Values.accounts.mode "always") (and $isOwn (eq .Values.accounts.mode "auto")) -}}yes{{- end -}}
{{- end -}}

{{/* root -> "yes" when the chart makes their passwords, and so knows their URLs. */}}
{{- define "pagoda.makesAccounts" -}}
{{- if and (include "pagoda.hasAccounts" .) (not .Values.accounts.existingSecret) -}}yes{{- end -}}
{{- end -}}

{{/* root -> "yes" when they have accounts at the Redis of the chart, too: it is the broker, the cache, or both. A worker that
     has the account of the database's owner would be held by nothing, so that these come with those of the database. */}}
{{- define "pagoda.hasRedisAccounts" -}}
{{- $isUsed := or (include "pagoda.hasOwnBroker" .) (include "pagoda.hasOwnCache" .) -}}
{{- if and (include "pagoda.makesAccounts" .) .Values.redis.enabled (not .Values.redis.existingSecret) $isUsed -}}yes{{- end -}}
{{- end -}}

{{- define "pagoda.accountsSecret" -}}
{{- include "pagoda.secretName" (dict "root" . "component" "accounts" "existing" .Values.accounts.existingSecret) -}}
{{- end -}}

{{/* (root, account) -> its password. */}}
{{- define "pagoda.accountPassword" -}}
{{- include "pagoda.random" (dict "root" .root "component" "accounts" "key" .account "length" 32) -}}
{{- end -}}

{{/* (root, account) -> the database's URL for it. */}}
{{- define "pagoda.accountUrl" -}}
{{- $login := printf "${1}%s:%s@" .account (include "pagoda.accountPassword" .) -}}
{{- regexReplaceAll "^(postgres(?:ql)?://)(?:[^@/]*@)?" (include "pagoda.databaseUrl" .root) $login -}}
{{- end -}}

{{/* (root, account) -> JSON of `{variable: URL}` of what it logs in to at the Redis of the chart. */}}
{{- define "pagoda.redisUrls" -}}
{{- $urls := dict -}}
{{- if include "pagoda.hasRedisAccounts" .root -}}
{{- $login := print .account ":" (include "pagoda.accountPassword" .) -}}
{{- $url := dict "root" .root "login" $login -}}
{{- if include "pagoda.hasOwnBroker" .root -}}
{{- $_ := set $urls "BROKER_URL" (include "pagoda.redisUrl" (merge (dict "number" 0) $url)) -}}
{{- end -}}
{{- if include "pagoda.hasOwnCache" .root -}}
{{- $_ := set $urls "CACHE_URL" (include "pagoda.redisUrl" (merge (dict "number" 1) $url)) -}}
{{- end -}}
{{- end -}}
{{- toJson $urls -}}
{{- end -}}

{{/* root -> JSON of the data of the Secret of all accounts: `<account>`, a password, for the Job that makes them, and of the host's
     processes `<account>.url` of the database, `<account>.BROKER_URL` and `<account>.CACHE_URL`. */}}
{{- define "pagoda.accounts" -}}
{{- $data := dict -}}
{{- $names := list "pagoda_api" "pagoda_dispatcher" "pagoda_core" -}}
{{- range $names -}}
{{- $_ := set $data (print . ".url") (include "pagoda.accountUrl" (dict "root" $ "account" .)) -}}
{{- end -}}
{{- if include "pagoda.hasRedisAccounts" . -}}{{- $names = append $names "pagoda_flower" -}}{{- end -}}
{{- range $account := $names -}}
{{- $_ := set $data $account (include "pagoda.accountPassword" (dict "root" $ "account" $account)) -}}
{{- range $variable, $url := include "pagoda.redisUrls" (dict "root" $ "account" $account) | fromJson -}}
{{- $_ := set $data (printf "%s.%s" $account $variable) $url -}}
{{- end -}}
{{- end -}}
{{- range (include "pagoda.plugins" . | fromJson).order -}}
{{- $account := include "pagoda.pluginAccount" . -}}
{{- $_ := set $data $account (include "pagoda.accountPassword" (dict "root" $ "account" $account)) -}}
{{- end -}}
{{- toJson $data -}}
{{- end -}}

{{/* root -> the accounts as a Redis reads them when it starts. Their rules are those that `pagoda broker acl` has. */}}
{{- define "pagoda.redisAccounts" -}}
{{- $rules := .Files.Get "files/redis_accounts.json" | fromJson -}}
{{- $accounts := omit $rules "plugin" -}}
{{- range (include "pagoda.plugins" . | fromJson).order -}}
{{- $_ := set $accounts (include "pagoda.pluginAccount" .) (replace "PLUGIN_ID" . $rules.plugin) -}}
{{- end -}}
{{- $operator := include "pagoda.random" (dict "root" . "component" "redis" "key" "REDIS_PASSWORD" "length" 32) -}}
{{- printf "user default on #%s ~* &* +@all\n" (sha256sum $operator) -}}
{{- range $account, $rule := $accounts -}}
{{- $password := include "pagoda.accountPassword" (dict "root" $ "account" $account) -}}
{{- printf "user %s on #%s %s\n" $account (sha256sum $password) $rule -}}
{{- end -}}
{{- end -}}

{{/* (root, account[, redis]) -> JSON of `{"env": [...]}` with the URLs of a process of the host's; `redis` is its account there
     when it is another. */}}
{{- define "pagoda.accountEnv" -}}
{{- $env := list -}}
{{- if include "pagoda.makesAccounts" .root -}}
{{- $reference := dict "name" (include "pagoda.accountsSecret" .root) "key" (print .account ".url") -}}
{{- $env = list (dict "name" "DATABASE_URL" "valueFrom" (dict "secretKeyRef" $reference)) -}}
{{- end -}}
{{- $account := .redis | default .account -}}
{{- range $variable, $_ := include "pagoda.redisUrls" (dict "root" .root "account" $account) | fromJson -}}
{{- $reference := dict "name" (include "pagoda.accountsSecret" $.root) "key" (printf "%s.%s" $account $variable) -}}
{{- $env = append $env (dict "name" $variable "valueFrom" (dict "secretKeyRef" $reference)) -}}
{{- end -}}
{{- dict "env" $env | toJson -}}
{{- end -}}

{{/* (root, id, values, secret) -> JSON of `{"env", "envFrom", "data"}` of a plugin's worker: what it reads, and its Secret's data.
     With an account of its own it gets nothing of the host's but where errors are reported to. */}}
{{- define "pagoda.pluginEnvironment" -}}
{{- $root := .root -}}
{{- $v := $root.Values -}}
{{- $env := list -}}
{{- $data := dict -}}
{{- $components := list -}}
{{- if include "pagoda.hasAccounts" $root -}}
{{- $components = list "config" -}}
{{- if $v.broker.existingSecret -}}
{{- $components = append $components "broker" -}}
{{- else -}}
{{- $_ := set $data "BROKER_URL" (include "pagoda.brokerUrl" $root) -}}
{{- end -}}
{{- $redis := include "pagoda.redisUrls" (dict "root" $root "account" (include "pagoda.pluginAccount" .id)) | fromJson -}}
{{- $data = mergeOverwrite $data $redis -}}
{{- if and (include "pagoda.hasCache" $root) (not $redis.CACHE_URL) -}}{{- $components = append $components "cache" -}}{{- end -}}
{{- $_ := set $data "PLUGIN_SETTINGS" (toJson (ternary (dict .id .values.settings) (dict) (not (empty .values.settings)))) -}}
{{- if include "pagoda.makesAccounts" $root -}}
{{- $account := include "pagoda.pluginAccount" .id -}}
{{- $_ := set $data "DATABASE_URL" (include "pagoda.accountUrl" (dict "root" $root "account" $account)) -}}
{{- end -}}
{{- $secrets := include "pagoda.secretName" (dict "root" $root "component" "secrets" "existing" $v.secrets.existingSecret) -}}
{{- $env = list (dict "name" "SENTRY_DSN" "valueFrom" (dict "secretKeyRef" (dict "name" $secrets "key" ($v.secrets.existingSecretKeys.SENTRY_DSN | default "SENTRY_DSN") "optional" true))) -}}
{{- end -}}
{{- $environment := include "pagoda.environment" (dict "root" $root "components" $components) | fromJson -}}
{{- $env = concat $env $environment.env (list (include "pagoda.workerSize" (dict "name" .id "values" .values) | fromJson)) -}}
{{- $env = append $env (dict "name" "NODE_NAME" "valueFrom" (dict "fieldRef" (dict "fieldPath" "spec.nodeName"))) -}}
{{- $envFrom := $environment.envFrom -}}
{{- if not .values.existingSecret -}}{{- $data = mergeOverwrite $data .values.secretEnv -}}{{- end -}}
{{- if or $data (not .values.existingSecret) -}}
{{- $envFrom = append $envFrom (dict "secretRef" (dict "name" .secret)) -}}
{{- end -}}
{{- with .values.existingSecret -}}{{- $envFrom = append $envFrom (dict "secretRef" (dict "name" .)) -}}{{- end -}}
{{- dict "env" $env "envFrom" $envFrom "data" $data | toJson -}}
{{- end -}}
