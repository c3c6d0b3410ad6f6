# The four images for naive.sh. Without provenance, so that nothing changed means nothing pushed.
variable "TAG" {}
variable "REGISTRY" {}
variable "DEBIAN" {} # where the bytes of debian:trixie-slim are
variable "CA" { default = "/etc/ssl/certs/ca-certificates.crt" }

group "default" {
  targets = ["base-python", "backend", "base-node", "frontend"]
}

target "common" {
  contexts = { "debian:trixie-slim" = DEBIAN }
  attest   = ["type=provenance,disabled=true"]
  output   = ["type=docker"]
  secret   = ["id=ca,src=${CA}"]
}

target "base-python" {
  inherits   = ["common"]
  context    = "images/base-python"
  dockerfile = "../../dockerfiles/base-python.Dockerfile"
  tags       = ["${REGISTRY}/todo/base-python:${TAG}", "todo/base-python:${TAG}"]
}

target "backend" {
  inherits   = ["common"]
  context    = "images/backend"
  dockerfile = "../../dockerfiles/backend.Dockerfile"
  contexts   = { "base-python" = "target:base-python" }
  tags       = ["${REGISTRY}/todo/backend:${TAG}", "todo/backend:${TAG}"]
}

target "base-node" {
  inherits   = ["common"]
  context    = "images/base-node"
  dockerfile = "../../dockerfiles/base-node.Dockerfile"
  tags       = ["${REGISTRY}/todo/base-node:${TAG}", "todo/base-node:${TAG}"]
}

target "frontend" {
  inherits   = ["common"]
  context    = "images/frontend"
  dockerfile = "../../dockerfiles/frontend.Dockerfile"
  contexts   = { "base-node" = "target:base-node" }
  tags       = ["${REGISTRY}/todo/frontend:${TAG}", "todo/frontend:${TAG}"]
}
