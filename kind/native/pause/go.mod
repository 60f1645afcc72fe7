// The process that holds a pod's namespaces open.
module appstack.dev/tools/pause

go 1.24.0

tool appstack.dev/tools/pause
