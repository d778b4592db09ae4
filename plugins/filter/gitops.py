# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter through which the role eso_gitops checks what it hands to Git."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Callable

from ansible.utils.unsafe_proxy import wrap_var

CREDENTIALS = (
    "eso_gitops_repository holds credentials, which would be seen in processes and logs; take them out and name a file by"
    ' "eso_gitops_credentials_file", or an SSH key by "eso_gitops_ssh_key_file"'
)
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://(.*)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
# Source: git-check-ref-format
_NO_BRANCH = re.compile(r"^[-/]|^refs/|\.\.|@\{|[\x00-\x20\x7f~^:?*\[\\]|//|/\.|^\.|\.lock(?:/|$)|[./]$|^@?$")


def _has_credentials(address: str) -> bool:
    """Tell whether there is a password or a token in an address, in whatever spelling.

    A password may hold what ends an authority (``https://user:p/w@host``), so every ``@`` of an address counts. The user
    name alone is one of SSH: ``ssh://git@host/x``, ``git@host:x``.
    """
    found = _SCHEME.fullmatch(address)
    if found is None:
        # host:path as SSH knows it; "@" within a path of this machine is none
        before, at, _rest = address.partition("@")
        return bool(at) and ":" in before and not before.startswith(("/", "."))
    scheme, rest = found.group(1).lower(), found.group(2)
    if scheme == "file":
        return False
    if "?" in rest or "#" in rest:
        # ?private_token=x: no address of a repository needs a query
        return True
    if scheme not in ("ssh", "git+ssh", "ssh+git"):
        return "@" in rest
    authority = rest.split("/", 1)[0]
    user, at, host = authority.rpartition("@")
    if ":" in user:
        return True
    port = re.sub(r"^\[[^\]]*\]", "", host).partition(":")[2]
    return ("@" in rest[len(authority) :] and not at and bool(port)) or (bool(port) and not port.isdecimal())


def _repository(address: str) -> list[str]:
    if _has_credentials(address):
        return [CREDENTIALS]
    found = _SCHEME.fullmatch(address)
    scheme = found.group(1).lower() if found else ""
    host = (found.group(2) if found else address).rpartition("@")[2]
    if (
        address.startswith("-")
        or host.startswith("-")
        or _CONTROL.search(address)
        or re.match(r"[\w+.-]+::", address)
        or scheme not in ("", "https", "http", "ssh", "git+ssh", "ssh+git", "git", "file")
    ):
        return [
            "eso_gitops_repository is not an address of a repository: Git would take it for an option or a command; "
            "write an SSH or HTTPS URL, or a path"
        ]
    return []


def _path(path: str) -> list[str]:
    parts = path.split("/")
    if (
        path.startswith((":", "-"))
        or {"", ".", ".."} & set(parts)
        or ".git" in [part.lower().rstrip(". ") for part in parts]
        or re.search(r"[\x00-\x1f\x7f\\]", path)
    ):
        return [
            'eso_gitops_path "%s" is not a directory inside the repository; write one such as clusters/eu-1/external-secrets'
            % re.sub(r"[\x00-\x1f\x7f]", "?", path)[:200]
        ]
    return []


def eso_gitops_problems(declared: Mapping[str, Any]) -> list[str]:
    """Return why Git may not be given the ``repository``, ``branch`` and ``path``; none of it holds a secret."""
    problems = _repository(str(declared["repository"])) + _path(str(declared["path"]))
    branch = str(declared["branch"])
    if _NO_BRANCH.search(branch):
        problems.append("eso_gitops_branch is not a name of a branch; write one such as main")
    return wrap_var(problems)


class FilterModule:
    """Ansible finds the filter here."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"eso_gitops_problems": eso_gitops_problems}
