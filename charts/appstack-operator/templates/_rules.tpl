{{- /*
Every right of the operator, in one place: what it may do in the namespaces of AppStacks, in the
cluster, and in its own namespace. Plain YAML without templating, so that a test can read it.
*/}}
{{- define "appstack-operator.rules.namespaced" -}}
# Of an AppStack itself only a finalizer is written, for as long as something changes its data: a migration is not broken
# off by a deletion.
- apiGroups: [appstack.dev]
  resources: [appstacks]
  verbs: [get, list, watch, patch]
- apiGroups: [appstack.dev]
  resources: [appstacks/status]
  verbs: [get, patch]
# Lets a child name its AppStack as the owner that waits for it, where the API server asks for it.
- apiGroups: [appstack.dev]
  resources: [appstacks/finalizers]
  verbs: [update]
# Server-side apply needs create for what is new and patch for what is there.
- apiGroups: [""]
  resources: [configmaps, secrets, serviceaccounts, services]
  verbs: [get, list, watch, create, patch, delete]
# Volumes hold data: the operator makes them and never deletes one.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, watch, create, patch]
# A pod of a database that is in the way of its own correction is deleted, so that it is made anew.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, delete]
# The last lines of a failed migration go into the status.
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
# Why a pod is not ready is often told by a Warning Event alone: a probe that fails, a volume that does not mount.
- apiGroups: [""]
  resources: [events]
  verbs: [list]
- apiGroups: [apps]
  resources: [controllerrevisions, deployments, statefulsets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [batch]
  resources: [cronjobs, jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [traefik.io]
  resources: [middlewares, serverstransports]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [cert-manager.io]
  resources: [certificates]
  verbs: [get, list, watch, create, patch, delete]
# What keeps a certificate from being issued is told by these alone.
- apiGroups: [cert-manager.io]
  resources: [issuers]
  verbs: [get]
- apiGroups: [cert-manager.io]
  resources: [certificaterequests]
  verbs: [list]
- apiGroups: [acme.cert-manager.io]
  resources: [challenges, orders]
  verbs: [list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{- define "appstack-operator.rules.cluster" -}}
- apiGroups: [networking.k8s.io]
  resources: [ingressclasses]
  verbs: [get, list, watch]
# Which hosts a Gateway takes, and what implements it: it is mostly in another namespace than the stacks.
- apiGroups: [gateway.networking.k8s.io]
  resources: [gatewayclasses, gateways]
  verbs: [get, list, watch]
# Why an issuer of the whole cluster is not ready.
- apiGroups: [cert-manager.io]
  resources: [clusterissuers]
  verbs: [get]
# Whether a kind of another project is served. No other definition is read, and none is written. Without this right discovery
# is asked instead.
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  resourceNames:
    - certificates.cert-manager.io
    - gatewayclasses.gateway.networking.k8s.io
    - gateways.gateway.networking.k8s.io
    - httproutes.gateway.networking.k8s.io
    - middlewares.traefik.io
    - serverstransports.traefik.io
  verbs: [get, list, watch]
{{- end }}

{{- define "appstack-operator.rules.own" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, create, update]
{{- end }}
