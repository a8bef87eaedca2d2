{{/* Labels that select the pods of one role: (dict "root" $ "role" "trainer"). */}}
{{- define "rootstock.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "rootstock.labels" -}}
{{ include "rootstock.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "rootstock.name" -}}
{{ printf "%s-%s" .root.Release.Name .role | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The gRPC service whose health decides over a role's pods. */}}
{{- define "rootstock.service" -}}
{{- get (dict "checkpoint" "rootstock.checkpoint.v1.CheckpointService" "tokenizer" "rootstock.tokenization.v1.TokenizationService" "trainer" "rootstock.training.v1.TrainingService" "inference" "rootstock.inference.v1.GenerationService") . -}}
{{- end }}
