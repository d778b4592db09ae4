#!/bin/bash
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Build a current Kubernetes control plane from the Go modules that Kubernetes publishes, in steps that can be repeated.
#   build_kubernetes.sh WORK download         etcd from Debian 12, a Go toolchain where none is new enough, the modules
#   build_kubernetes.sh WORK build COMMAND    build COMMAND into WORK/out
# kubernetes/ beside this script says which version, and go.sum there holds the digest of every module.
# LAB_MIRROR is the package mirror, LAB_PYTHON the Python whose pip gets the Go toolchain. Needs about 3 GB in WORK.
set -euo pipefail
work=$(realpath -m "$1") step=$2 command=${3:-} files=$(dirname "$(realpath "$0")")
mkdir -p "$work/out"
cd "$work"
# shellcheck source=molecule/lab/files/build_common.sh
. "$files/build_common.sh"

# new_enough GO: whether a Go toolchain is at least of the version that go.mod asks for
new_enough() {
  local wanted found
  wanted=$(sed -n 's/^go //p' "$files/kubernetes/go.mod")
  found=$("$1" env GOVERSION 2>/dev/null) || return 1
  [ "$(printf '%s\n' "$wanted" "${found#go}" | sort -V | head -n 1)" = "$wanted" ]
}

download() {
  update_suite
  fetch etcd.deb '*.deb' download etcd-server
  dpkg -x etcd.deb etcd
  install etcd/usr/bin/etcd out/etcd
  new_enough go || go_toolchain 1.26.6 565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff \
    ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8
  # downloads the modules that the build needs, and no other
  (cd "$files/kubernetes" && go list -deps ./... >"$work/go.list")
}

build() {
  local version minor flags package=k8s.io/component-base/version
  version=$(sed -n 's/^\tk8s.io\/kubernetes v//p' "$files/kubernetes/go.mod")
  minor=${version#*.}
  flags="-s -w -X $package.gitVersion=v$version -X $package.gitMajor=${version%%.*} -X $package.gitMinor=${minor%%.*}"
  (cd "$files/kubernetes" && go build -trimpath -ldflags "$flags" -o "$work/out/$command" "./$command")
}

export GOTOOLCHAIN=local GO111MODULE=on GOWORK=off GOFLAGS='-mod=readonly -modcacherw -buildvcs=false' CGO_ENABLED=0 GOCACHE=$work/gocache GOPATH=$work/gopath
[ ! -x go/go/bin/go ] || export PATH=$work/go/go/bin:$PATH
case $step in
  download | build) "$step" ;;
  *) echo "build_kubernetes.sh: no such step: $step" >&2 && exit 2 ;;
esac
