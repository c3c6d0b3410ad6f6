#!/bin/sh
# The pipeline without imagewright, as a careful engineer writes it: bake for everything that can go side by side,
# one scan an image with its layers cached, every other format converted from that scan, a gate on the exit code.
#
#   naive.sh lint build scan push     in the root of a checkout, after which out/ holds reports, SARIF and SBOMs
#
# Needs DOCKER_HOST, REGISTRY (host:port), DATABASE (folder of a Trivy database); docker, hadolint, trivy in PATH.
set -eu

IMAGES="base-python backend base-node frontend"
TAG=$(git rev-parse --short=12 HEAD)
export TAG REGISTRY
mkdir -p out

# Every background job's exit code counts, the last one's as well as the first one's.
all() { # jobs
    failed=0
    for job in "$@"; do wait "$job" || failed=1; done
    return "$failed"
}

lint() {
    jobs=
    for image in $IMAGES; do
        # DL3006: base-python and base-node are targets of the same bake file.
        hadolint --ignore DL3006 "dockerfiles/$image.Dockerfile" & jobs="$jobs $!"
    done
    all $jobs
}

build() {
    docker buildx bake --file "$(dirname "$0")/docker-bake.hcl" --progress quiet
}

scan_one() { # image
    cache=out/trivy/$1
    mkdir -p "$cache"
    ln -sfn "$DATABASE" "$cache/db"
    # By its name without a registry: converting to SARIF, Trivy 0.76 breaks down over a name with a port.
    trivy image --quiet --image-src docker --cache-dir "$cache" --format json --list-all-pkgs --output "out/$1.json" \
        --scanners vuln,secret,license --image-config-scanners misconfig,secret --skip-db-update \
        --skip-java-db-update --skip-version-check --skip-check-update --skip-vex-repo-update --offline-scan \
        --disable-telemetry "todo/$1:$TAG"
    trivy convert --quiet --format sarif --output "out/$1.sarif" "out/$1.json"
    trivy convert --quiet --format cyclonedx --output "out/$1.cdx.json" "out/$1.json"
    trivy convert --quiet --format spdx-json --output "out/$1.spdx.json" "out/$1.json"
    trivy convert --quiet --format table --output "out/$1.txt" --scanners vuln --severity CRITICAL \
        --exit-code 1 "out/$1.json"
}

scan() {
    # Two at once, as many as there are cores here.
    scan_one base-python & one=$!
    scan_one base-node & two=$!
    all $one $two
    scan_one backend & one=$!
    scan_one frontend & two=$!
    all $one $two
}

push() {
    jobs=
    for image in $IMAGES; do
        docker push --quiet "$REGISTRY/todo/$image:$TAG" & jobs="$jobs $!"
    done
    all $jobs
}

for verb in "$@"; do "$verb"; done
