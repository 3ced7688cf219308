{{- define "dify-openapi.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* 50 characters leave room for the longest suffix, -migrate, within the 63 of a Service name. */}}
{{- define "dify-openapi.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- $name := include "dify-openapi.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "dify-openapi.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "dify-openapi.releaseLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The `annotations` of an object. Argument: root, and optionally own, which wins over the common ones. */}}
{{- define "dify-openapi.annotations" -}}
{{- with merge (dict) (default dict .own) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "dify-openapi.releaseLabels" -}}
app.kubernetes.io/name: {{ include "dify-openapi.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The component excludes the pods of the Job and of the test from Services, policies and the disruption budget. */}}
{{- define "dify-openapi.selectorLabels" -}}
{{ include "dify-openapi.releaseLabels" . }}
app.kubernetes.io/component: server
{{- end }}

{{- define "dify-openapi.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "dify-openapi.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "dify-openapi.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ printf "%s@%s" .repository .digest }}{{ else }}{{ printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}{{ end }}
{{- end }}
{{- end }}

{{/* The host of CONSOLE_WEB_URL, without its port. */}}
{{- define "dify-openapi.host" -}}
{{- $url := required "config.CONSOLE_WEB_URL is not set; set it to the URL people open in a browser, like https://dify.example.com" .Values.config.CONSOLE_WEB_URL }}
{{- regexReplaceAll ":[0-9]+$" (urlParse $url).host "" }}
{{- end }}

{{/* The paths of public routes. Never includes a path under /inner/api. */}}
{{- define "dify-openapi.paths" -}}
- {type: Prefix, path: /openapi}
- {type: Prefix, path: /device}
- {type: Exact, path: /.well-known/oauth-authorization-server}
{{- if .Values.standalone }}
- {type: Prefix, path: /signin}
- {type: Prefix, path: /console/api}
- {type: Exact, path: /oauth-callback}
{{- end }}
{{- end }}

{{/* The host of the callbacks of connections, without its port: that of CONSOLE_API_URL. */}}
{{- define "dify-openapi.apiHost" -}}
{{- with .Values.config.CONSOLE_API_URL }}{{ regexReplaceAll ":[0-9]+$" (urlParse .).host "" }}{{ else }}{{ include "dify-openapi.host" . }}{{ end }}
{{- end }}

{{/* The routes of connections to one provider beside Dify. Dify keeps its other routes below the same prefixes. */}}
{{- define "dify-openapi.connectionPaths" -}}
{{- $provider := . }}
{{- range list "authorization-url" "callback" }}
- /console/api/oauth/plugin/{{ $provider }}/tool/{{ . }}
{{- end }}
{{- range list "add" "credential/info" "credential/schema/api-key" "credential/schema/oauth2" "credentials" "default-credential" "delete" "oauth/client-schema" "oauth/custom-client" "update" }}
- /console/api/workspaces/current/tool-provider/builtin/{{ $provider }}/{{ . }}
{{- end }}
{{- end }}

{{/* The providers whose routes are made: none standalone, where all of /console/api is routed here. */}}
{{- define "dify-openapi.connectionProviders" -}}
{{- if and .Values.connections.enabled (not .Values.standalone) }}
{{- toYaml .Values.connections.providers }}
{{- else }}
{{- toYaml list }}
{{- end }}
{{- end }}

{{/* Public gRPC services, without TokenService, which is served on the inner listener only. */}}
{{- define "dify-openapi.grpcServices" -}}
- dify.openapi.v1.AppService
- dify.openapi.v1.DeviceFlowService
- dify.openapi.v1.DslService
- dify.openapi.v1.FileService
- dify.openapi.v1.IdentityService
- dify.openapi.v1.MemberService
- dify.openapi.v1.MetaService
- dify.openapi.v1.PermittedExternalAppService
- dify.openapi.v1.RunService
- dify.openapi.v1.SessionService
- dify.openapi.v1.WorkspaceService
{{- end }}

{{- define "dify-openapi.configData" -}}
{{- $_ := include "dify-openapi.host" . -}}
BESIDE_DIFY: {{ not .Values.standalone | quote }}
{{- $stored := or .Values.connections.privateKeys.existingClaim .Values.config.OPENDAL_FS_ROOT (eq (toString .Values.config.STORAGE_TYPE) "s3") }}
{{- if and .Values.connections.enabled (not .Values.standalone) (not $stored) }}{{ fail "connections.enabled needs the private keys of Dify's workspaces; set connections.privateKeys.existingClaim, or config.STORAGE_TYPE to s3" }}{{ end }}
ENABLE_CONNECTIONS: {{ .Values.connections.enabled | quote }}
{{- if .Values.connections.privateKeys.existingClaim }}
{{- if .Values.config.OPENDAL_FS_ROOT }}{{ fail "connections.privateKeys.existingClaim and config.OPENDAL_FS_ROOT are both set; remove one of them" }}{{ end }}
OPENDAL_FS_ROOT: /var/lib/dify-storage
{{- end }}
{{- range $name, $value := .Values.config }}
{{- /* Helm reads numbers as floats and would print a large one as 1e+06. */}}
{{ $name }}: {{ if kindIs "float64" $value }}{{ int64 $value | quote }}{{ else }}{{ $value | quote }}{{ end }}
{{- end }}
{{- end }}

{{/* The secret variables by reference, so that values are in Secrets only. */}}
{{- define "dify-openapi.secretEnv" -}}
{{- $root := .root }}
{{- $secret := $root.Values.secret }}
{{- $refs := dict }}
{{- if $secret.existingSecret }}
{{- range $secret.variables }}{{ $_ := set $refs . (dict "name" $secret.existingSecret "key" .) }}{{ end }}
{{- else }}
{{- range $variable, $_ := $secret.data }}{{ $_ := set $refs $variable (dict "name" $.secretName "key" $variable) }}{{ end }}
{{- end }}
{{- range $variable, $ref := $secret.from }}{{ $_ := set $refs $variable $ref }}{{ end }}
{{- $_ := required "SECRET_KEY is not in the secret; set secret.existingSecret to a Secret that has it, or secret.data.SECRET_KEY" (get $refs "SECRET_KEY") }}
{{- if not (or (hasKey $refs "DATABASE_URL") $root.Values.config.DB_HOST) }}
{{- $_ := required "the database is not named; put DATABASE_URL in the secret, or set config.DB_HOST and put DB_PASSWORD in the secret" "" }}
{{- end }}
{{- if and $root.Values.inner.enabled (not (hasKey $refs "INNER_API_KEY")) }}
{{- $_ := required "inner.enabled needs INNER_API_KEY in the secret; add it, or turn inner.enabled off" "" }}
{{- end }}
{{- range $variable, $ref := $refs }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef:
      name: {{ $ref.name }}
      key: {{ $ref.key }}
{{- end }}
{{- end }}

{{- define "dify-openapi.ipFamilies" -}}
{{- with .Values.service.ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .Values.service.ipFamilies }}
ipFamilies:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The mount and the volume of the private keys of Dify's workspaces. */}}
{{- define "dify-openapi.privateKeysMount" -}}
{{- with .Values.connections.privateKeys }}
{{- if .existingClaim }}
- name: private-keys
  mountPath: /var/lib/dify-storage/privkeys
  subPath: {{ .subPath }}
  readOnly: true
{{- end }}
{{- end }}
{{- end }}

{{- define "dify-openapi.privateKeysVolume" -}}
{{- with .Values.connections.privateKeys.existingClaim }}
- name: private-keys
  persistentVolumeClaim:
    claimName: {{ . }}
    readOnly: true
{{- end }}
{{- end }}

{{/* The environment, the mount and the volume of the private authorities. */}}
{{- define "dify-openapi.caBundleEnv" -}}
{{- if .Values.caBundle.existingSecret }}
- name: SSL_CERT_FILE
  value: /etc/dify-openapi/ca/{{ .Values.caBundle.key }}
{{- end }}
{{- end }}

{{/* The same of the client certificate, for the server only: migrations call no HTTPS server. */}}
{{- define "dify-openapi.clientCertificateEnv" -}}
{{- if .Values.caBundle.clientCertificate.existingSecret }}
- name: SSL_CLIENT_CERT_FILE
  value: /etc/dify-openapi/client-tls/tls.crt
- name: SSL_CLIENT_KEY_FILE
  value: /etc/dify-openapi/client-tls/tls.key
{{- end }}
{{- end }}

{{- define "dify-openapi.clientCertificateMount" -}}
{{- if .Values.caBundle.clientCertificate.existingSecret }}
- name: client-tls
  mountPath: /etc/dify-openapi/client-tls
  readOnly: true
{{- end }}
{{- end }}

{{- define "dify-openapi.clientCertificateVolume" -}}
{{- if .Values.caBundle.clientCertificate.existingSecret }}
- name: client-tls
  secret:
    secretName: {{ .Values.caBundle.clientCertificate.existingSecret }}
{{- end }}
{{- end }}

{{- define "dify-openapi.caBundleMount" -}}
{{- if .Values.caBundle.existingSecret }}
- name: ca-bundle
  mountPath: /etc/dify-openapi/ca
  readOnly: true
{{- end }}
{{- end }}

{{- define "dify-openapi.caBundleVolume" -}}
{{- if .Values.caBundle.existingSecret }}
- name: ca-bundle
  secret:
    secretName: {{ .Values.caBundle.existingSecret }}
    items:
      - key: {{ .Values.caBundle.key }}
        path: {{ .Values.caBundle.key }}
{{- end }}
{{- end }}
