# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What an inventory declares for one server node. Pure: no I/O.

A declaration is a mapping whose keys are the variables of the role C(vault_server) without their prefix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import products

PREFIX = "vault_server_"

# Top-level configuration keys that have a variable of their own: variable -> key.
PLAIN = {
    "api_addr": "api_addr",
    "cluster_addr": "cluster_addr",
    "cluster_name": "cluster_name",
    "ui": "ui",
    "cache_size": "cache_size",
    "disable_cache": "disable_cache",
    "disable_mlock": "disable_mlock",
    "disable_clustering": "disable_clustering",
    "disable_sealwrap": "disable_sealwrap",
    "disable_indexing": "disable_indexing",
    "disable_sentinel_trace": "disable_sentinel_trace",
    "raw_storage_endpoint": "raw_storage_endpoint",
    "introspection_endpoint": "introspection_endpoint",
    "default_lease_ttl": "default_lease_ttl",
    "max_lease_ttl": "max_lease_ttl",
    "default_max_request_duration": "default_max_request_duration",
    "log_requests_level": "log_requests_level",
    "enable_response_header_hostname": "enable_response_header_hostname",
    "enable_response_header_raft_node_id": "enable_response_header_raft_node_id",
    "plugin_dir": "plugin_directory",
}
LOG = {
    "level": "log_level",
    "format": "log_format",
    "file": "log_file",
    "rotate_bytes": "log_rotate_bytes",
    "rotate_duration": "log_rotate_duration",
    "rotate_max_files": "log_rotate_max_files",
}
_STANZAS = {
    "audit": "audit",
    "license_path": "license_file",
    "listener": "listener",
    "seal": "seals",
    "storage": "storage",
    "telemetry": "telemetry",
    "user_lockout": "user_lockout",
}
# Role variables for configuration keys, so that a message can name the variable.
VARIABLE_OF_KEY = {key: PREFIX + name for name, key in PLAIN.items()}
VARIABLE_OF_KEY.update({key: "%slog.%s" % (PREFIX, name) for name, key in LOG.items()})
VARIABLE_OF_KEY.update({key: PREFIX + name for key, name in _STANZAS.items()})
STORAGE_VARIABLES = ("raft", "consul", "postgresql")


def plain(value: Any) -> Any:
    """Turn what the templating engine hands over into plain Python types."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (str, bytes)):
        return str(value) if isinstance(value, str) else value.decode()
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    return str(value)


def unset(value: Any) -> bool:
    return value is None or value in ("", {}, [])


def without_unset(mapping: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the entries that were set: null, empty text, empty list and empty mapping mean "the server's default"."""
    return {key: value for key, value in (mapping or {}).items() if not unset(value)}


def text_of(value: Any) -> str:
    """Storage and seal stanzas are maps of strings in both products."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class Declaration:
    """What an inventory declares for one node."""

    def __init__(self, declared: Mapping[str, Any]) -> None:
        self.values: dict[str, Any] = plain(declared)
        self.product = products.product(self.get("product") or "")
        self.version: str = self.get("version") or ""

    def get(self, name: str, default: Any = None) -> Any:
        value = self.values.get(name)
        return default if value is None else value

    def options(self, name: str) -> dict[str, Any]:
        return without_unset(self.get(name) or {})

    @property
    def storage_type(self) -> str:
        return self.get("storage_type") or "raft"

    @property
    def storage(self) -> dict[str, Any]:
        if self.storage_type in STORAGE_VARIABLES:
            return self.options(self.storage_type)
        return self.options("storage_options")

    @property
    def seals(self) -> list[dict[str, Any]]:
        """Return the seal stanzas, each as type, disabled and options. C(shamir) needs none."""
        found = []
        for seal in self.get("seals") or []:
            kind = seal.get("type") or ""
            found.append(
                {"type": kind, "disabled": bool(seal.get("disabled")), "options": without_unset(seal.get(kind))}
            )
        return found

    @property
    def plugins(self) -> set[str]:
        """Return the names of the KMS plugins that the additional configuration declares."""
        names: set[str] = set()
        for entry in _as_list((self.get("extra_config") or {}).get("plugin")):
            if isinstance(entry, Mapping):
                names.update(str(name) for name in _as_mapping(entry.get("kms")))
        return names

    @property
    def listeners(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Return variable, type and options of each listener."""
        found = [(PREFIX + "listener", "tcp", self.options("listener"))]
        for number, extra in enumerate(self.get("extra_listeners") or []):
            options = without_unset(extra)
            kind = options.pop("type", "tcp")
            found.append(("%sextra_listeners[%d]" % (PREFIX, number), kind, options))
        return found


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _as_mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
