{{- define "tfserving-operator.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{- define "tfserving-operator.fullname" -}}
{{- $name := include "tfserving-operator.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "tfserving-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "tfserving-operator.fullname" .) -}}
{{- else -}}
{{- required "serviceAccount.name names the account when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "tfserving-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tfserving-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* A common label or a pod's cannot replace one of the chart's own: later keys would, so that ours are merged over. */}}
{{- define "tfserving-operator.ownLabels" -}}
{{ include "tfserving-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "tfserving-operator.labels" -}}
{{- $own := fromYaml (include "tfserving-operator.ownLabels" .) -}}
{{- toYaml (merge $own .Values.commonLabels) -}}
{{- end -}}

{{/* Names, labels and annotations of an object: (list . NAME), with a namespace or "" and further labels and annotations. */}}
{{- define "tfserving-operator.metadata" -}}
{{- $root := index . 0 -}}
{{- $given := index . 1 -}}
name: {{ $given.name }}
{{- with $given.namespace }}
namespace: {{ . }}
{{- end }}
labels:
  {{- $own := fromYaml (include "tfserving-operator.labels" $root) }}
  {{- toYaml (merge $own ($given.labels | default dict)) | nindent 2 }}
{{- with merge (dict) ($given.annotations | default dict) $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "tfserving-operator.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* What the operator does with each kind, and nothing else. No Secrets: the kubelet mounts them. */}}
{{- define "tfserving-operator.rules" -}}
- apiGroups: [tfserving.dev]
  resources: [modeldeployments]
  verbs: [get, list, watch]
- apiGroups: [tfserving.dev]
  resources: [modeldeployments/status]
  verbs: [patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [pods, persistentvolumeclaims, resourcequotas, limitranges]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- if .Values.policy.disruptionBudgets }}
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}
{{- if .Values.networkPolicies.models.byOperator }}
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch]
{{- end }}
{{- if .Values.metrics.podMetrics }}
- apiGroups: [metrics.k8s.io]
  resources: [pods]
  verbs: [list]
{{- end }}
{{- end -}}

{{- define "tfserving-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "tfserving-operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{- define "tfserving-operator.webhookName" -}}
{{ include "tfserving-operator.fullname" . }}-webhook
{{- end -}}

{{/* The operator's pods as a NetworkPolicy peer. */}}
{{- define "tfserving-operator.ownPeer" -}}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ .Release.Namespace }}
  podSelector:
    matchLabels:
      {{- include "tfserving-operator.selectorLabels" . | nindent 6 }}
{{- end -}}

{{- define "tfserving-operator.modelNamespaces" -}}
{{- toYaml (.Values.networkPolicies.models.namespaces | default .Values.watchNamespaces) -}}
{{- end -}}
