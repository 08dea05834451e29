{{/* What happens before the first process of a Pod starts. */}}

{{/* root -> the init containers of everything that needs the database. The first keeps a wrong configuration from
     replacing a good release, the second lets the Pods of a release start before its migrations are done. */}}
{{- define "pagoda.initContainers" -}}
- name: check
  args: [pagoda, plugins, check]
- name: wait
  args: [pagoda, wait, --for, database, --for, migrations, --timeout, {{ .Values.migrations.waitSeconds | int | quote }}]
{{- end -}}
