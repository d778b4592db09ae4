# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The fields of a secrets engine, and their names here and in the API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..._engine import normalise
from ..._engine.field import Field, fixed_names, normalisers
from ..base.mounts import split_type
from ..base.normalisers import count


def ttl(value: Any) -> int | float | None:
    """Return a lease duration in seconds; ``system`` and empty mean the server's default, stored as 0."""
    return 0 if value is None or value == "system" else normalise.seconds(value, signed=True)


def version_ttl(value: Any) -> int | float:
    """Return how long a version is kept, in seconds: the server stores every negative value ("never") as -1."""
    return max(normalise.seconds(value or 0, signed=True) or 0, -1)


def visibility(value: Any) -> str:
    """Return a listing visibility: a missing one is ``hidden``."""
    return normalise.scalar(value) or "hidden"


TUNE = (
    Field(
        "default_lease_ttl",
        "Default TTL of leases, a duration; V(0), V(system) or an empty text for the server's default.",
        normaliser=ttl,
    ),
    Field(
        "max_lease_ttl",
        "Maximum TTL of leases, a duration; V(0), V(system) or an empty text for the server's limit.",
        normaliser=ttl,
    ),
    Field(
        "listing_visibility",
        "Whether the mount is shown to clients without a token.",
        choices=("hidden", "unauth"),
        normaliser=visibility,
    ),
    Field(
        "audit_non_hmac_request_keys",
        "Keys of requests that audit devices write in the clear.",
        type="list",
        elements="str",
    ),
    Field(
        "audit_non_hmac_response_keys",
        "Keys of answers that audit devices write in the clear.",
        type="list",
        elements="str",
    ),
    Field(
        "passthrough_request_headers",
        "Request headers that are passed to the engine.",
        type="list",
        elements="str",
    ),
    Field(
        "allowed_response_headers",
        "Response headers that the engine may set.",
        type="list",
        elements="str",
    ),
    Field(
        "allowed_managed_keys",
        "Managed keys that the engine may use (HashiCorp Vault Enterprise). Refused for OpenBao.",
        type="list",
        elements="str",
    ),
    Field(
        "delegated_auth_accessors",
        "Accessors of auth methods that the engine may delegate to (HashiCorp Vault). Refused for OpenBao.",
        type="list",
        elements="str",
    ),
    Field(
        "identity_token_key",
        "Key that signs the engine's plugin identity tokens (HashiCorp Vault). Refused for OpenBao.",
    ),
    Field(
        "plugin_version",
        "Version of the plugin, such as V(v1.2.3). The one that runs counts where none is pinned.",
    ),
)
CONFIG = (
    Field(
        "max_versions",
        "How many versions of a secret are kept; V(0) for the server's default of 10.",
        type="int",
        normaliser=count,
    ),
    Field("cas_required", "Refuse writes without the version that they are based on.", type="bool"),
    Field(
        "metadata_cas_required",
        "Refuse changes of a secret's metadata without the version that they are based on (OpenBao).",
        type="bool",
    ),
    Field(
        "delete_version_after",
        ("How long a version is kept, a duration; V(0) for ever, V(-1s) for ever even against a secret's metadata."),
        normaliser=version_ttl,
    ),
)
FIELDS = (
    Field(
        "path",
        (
            "Path at which the engine is mounted.",
            (
                "For the built-in mounts V(identity), V(sys) and V(cubbyhole), C(audit_non_hmac_request_keys) and "
                "C(audit_non_hmac_response_keys) of O(tune) can be declared, nothing else."
            ),
        ),
        sent=False,
    ),
    Field(
        "type",
        (
            "Type of the engine, such as V(kv), V(pki) or V(transit). V(kv-v1) and V(kv-v2) are V(kv) with a version. "
            "Needed unless it is to be absent."
        ),
    ),
    Field("description", "Description for people."),
    Field(
        "options",
        "Mount options, such as C(version) for V(kv). Without a version a new V(kv) engine has version 1.",
        type="dict",
        sent=False,
    ),
    Field(
        "local",
        "Keep the engine out of replication. Fixed after creation.",
        type="bool",
        fixed=True,
    ),
    Field(
        "seal_wrap",
        "Wrap critical values by the seal. Fixed after creation.",
        type="bool",
        fixed=True,
    ),
    Field(
        "external_entropy_access",
        "Let the engine use an external source of entropy. Fixed after creation.",
        type="bool",
        fixed=True,
    ),
    Field(
        "upgrade",
        (
            "Permit the upgrade of a KV engine from version 1 to version 2, which cannot be undone and changes the "
            "API paths of its secrets."
        ),
        type="bool",
        default=False,
        sent=False,
    ),
    Field(
        "tune",
        "Settings that can be changed at any time. Fields that are left out stay unchanged.",
        type="dict",
        fields=TUNE,
        sent=False,
    ),
    Field(
        "config",
        "Configuration of a KV engine of version 2. Fields that are left out stay unchanged.",
        type="dict",
        fields=CONFIG,
        sent=False,
    ),
)
#: settings that are fixed after creation
FIXED = tuple(sorted(fixed_names(FIELDS)))
TTLS = ("default_lease_ttl", "max_lease_ttl")
#: normaliser of each setting, by its name in the form of `flatten`
NORMALISERS: dict[str, normalise.Normaliser] = {
    **normalisers(FIELDS),
    **{"tune." + name: function for name, function in normalisers(TUNE).items()},
    **{"config." + name: function for name, function in normalisers(CONFIG).items()},
}


def flatten(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the declared settings of one engine as ``type``, ``description``, ``options.x``, ``tune.x``, …"""
    kind, version = split_type(item.get("type"))
    options = normalise.string_map(item.get("options"))
    if version:
        options.setdefault("version", version)
    desired: dict[str, Any] = {"type": kind}
    desired.update({name: item.get(name) for name in ("description", *FIXED)})
    for group, values in (("options", options), ("tune", item.get("tune")), ("config", item.get("config"))):
        desired.update({"%s.%s" % (group, name): value for name, value in (values or {}).items()})
    return {name: value for name, value in desired.items() if value is not None}


def part(fields: Mapping[str, Any], group: str, only: Iterable[str] | None = None) -> dict[str, Any]:
    """Return the settings of one group without its prefix; ``only``: limited to these names."""
    prefix = group + "."
    return {
        name[len(prefix) :]: value
        for name, value in fields.items()
        if name.startswith(prefix) and (only is None or name in only)
    }


def sent_tune(tune: Mapping[str, Any]) -> dict[str, Any]:
    """Return tuning in the server's form: it ignores an empty lease duration."""
    return {
        name: "system" if name in TTLS and not ttl(value) else value
        for name, value in normalise.spans(tune, TTLS).items()
    }


def settings(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of one mount from ``sys/mounts``, in the form of `flatten`."""
    # the server does not store a version when the built-in one is chosen at the mount
    version = entry.get("plugin_version") or entry.get("running_plugin_version")
    return flatten({**entry, "tune": {**(entry.get("config") or {}), "plugin_version": version}, "config": None})
