# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at what is on the controller, and runs the module of the same name on the host."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.secretops.vault_eso.plugins.module_utils._host import state, tls
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


#: seconds that a host's clock may be off without a word
_PUNCTUAL = 60


def _lateness(clock: int, before: float, after: float) -> str:
    """Return how far a clock is off that was read between two moments; empty when it is not."""
    behind, ahead = int(before - clock), int(clock - after)
    if max(behind, ahead) <= _PUNCTUAL:
        return ""
    return "%d seconds %s the controller's" % (max(behind, ahead), "behind" if behind > 0 else "ahead of")


def _authority(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what there is of the certificate authority."""
    folder = str(given["directory"])
    certificate, key = folder + "/ca.crt", folder + "/ca.key"
    return {
        **tls.examine(certificate, key, str(given.get("passphrase") or "")),
        "files": {path: state.place(path) for path in (folder, key, certificate)},
    }


class ActionModule(ModuleInWorker):
    """The module, without the contents of files and without the authority, which stay on the controller."""

    MODULE = vault_host_state

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result and what was found on the controller."""
        asked = dict(self._task.args)
        given, provided = asked.pop("authority", None), asked.pop("provided", None)
        authority = _authority(given) if given else {}
        if not given or authority["has_key"]:
            asked.pop("peers", None)
        asked["contents"] = [_digest(one) for one in asked.get("contents") or []]
        self._task.args = asked
        before = time.time()
        result: dict[str, Any] = super().run(tmp, task_vars)
        off = _lateness(result["clock"], before, time.time()) if "clock" in result else ""
        if off:
            result.setdefault("warnings", []).append(
                "%s: its clock is %s; certificates, tokens and leases end by it, so let both follow a time server"
                % ((task_vars or {}).get("inventory_hostname", "the host"), off)
            )
        if given:
            result["authority"] = authority
        if provided:
            result["provided"] = self._provided(provided)
        return result

    def _provided(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what there is of a certificate that is to be copied; Ansible Vault's files are decrypted."""
        names = ("certificate", "key", "ca")
        opened: dict[str, str] = {}
        try:
            for name in names:
                if given.get(name):
                    opened[name] = self._loader.get_real_file(str(given[name]))
            return tls.examine(
                opened["certificate"], opened["key"], names=given.get("names") or [], ca=opened.get("ca", "")
            )
        except AnsibleError:
            return {"pem": "", "has_key": False, "key": "", "refused": []}
        finally:
            for path in opened.values():
                self._loader.cleanup_tmp_file(path)
