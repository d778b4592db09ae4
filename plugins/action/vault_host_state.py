# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at what is on the controller, and runs the module of the same name on the host."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.secretops.vault_eso.plugins.module_utils._host import state
from ansible_collections.secretops.vault_eso.plugins.modules import vault_host_state
from ansible_collections.secretops.vault_eso.plugins.plugin_utils._in_worker import ModuleInWorker


def _digest(given: Mapping[str, Any]) -> dict[str, str]:
    """Return a path on the host with the digest of the contents that it is to have."""
    if given.get("content") is not None:
        found = hashlib.sha256(str(given["content"]).encode()).hexdigest()
    elif given.get("src"):
        try:
            found = state.digest(str(given["src"]))
        except OSError:
            # yet to be made: nothing on the host can be the same
            found = "missing"
    else:
        found = str(given.get("sha256") or "")
    return {"path": str(given.get("path") or given["dest"]), "sha256": found}


def _authority(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what there is of the certificate authority."""
    folder = str(given["directory"])
    certificate, key = folder + "/ca.crt", folder + "/ca.key"
    return {
        **state.certificate(certificate, key, str(given.get("passphrase") or "")),
        "files": {path: state.place(path) for path in (folder, key, certificate)},
    }


class ActionModule(ModuleInWorker):
    """The module, without the contents of files and without the authority, which stay on the controller."""

    MODULE = vault_host_state

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result and what was found on the controller."""
        asked = dict(self._task.args)
        authority = asked.pop("authority", None)
        asked["contents"] = [_digest(one) for one in asked.get("contents") or []]
        self._task.args = asked
        result: dict[str, Any] = super().run(tmp, task_vars)
        if authority:
            result["authority"] = _authority(authority)
        return result
