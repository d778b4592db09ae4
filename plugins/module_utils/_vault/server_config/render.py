# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The configuration of one server node as JSON, and what goes beside it: environment, key files, directories.

Pure: no I/O. Secrets go to the environment, never to the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..._engine.normalise import file_mode
from .declaration import LOG, PLAIN, Declaration, text_of, unset, without_unset


def build(declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the server's configuration as a data structure; call L(problems) first.

    The storage and seal stanzas carry text only and no secret: see L(environment).
    """
    node = Declaration(declared)
    config: dict[str, Any] = {}
    for variable, key in PLAIN.items():
        value = node.get(variable)
        if not unset(value):
            config[key] = int(value) if key == "cache_size" else value
    for option, key in LOG.items():
        value = (node.get("log") or {}).get(option)
        if not unset(value):
            config[key] = value
    if "mlock" in node.product.features and "disable_mlock" not in config and node.storage_type == "raft":
        # Raft maps its database into memory; with mlock all of it would be locked there.
        config["disable_mlock"] = True

    config["listener"] = [{kind: _listener(options)} for _where, kind, options in node.listeners]
    config["storage"] = {node.storage_type: _storage(node)}
    seals = [{seal["type"]: _seal(node, seal)} for seal in node.seals if seal["type"] != "shamir" or seal["disabled"]]
    if seals:
        config["seal"] = seals
    telemetry = node.options("telemetry")
    if telemetry:
        config["telemetry"] = telemetry
    if not unset(node.get("license_path")):
        config["license_path"] = node.get("license_path")
    audit = [_audit(device) for device in node.get("audit") or []]
    if audit:
        config["audit"] = audit
    if node.options("user_lockout"):
        config["user_lockout"] = [
            {kind: without_unset(options)} for kind, options in node.options("user_lockout").items()
        ]
    config.update(without_unset(node.get("extra_config")))
    return config


def _listener(options: Mapping[str, Any]) -> dict[str, Any]:
    rendered: dict[str, Any] = {}
    for key, value in options.items():
        if key == "tls_cipher_suites" and isinstance(value, list):
            rendered[key] = ",".join(value)
        elif key == "socket_mode" and value not in (None, ""):
            rendered[key] = file_mode(value)
        elif key in ("telemetry", "profiling", "inflight_requests_logging"):
            given = without_unset(value)
            if given:
                rendered[key] = given
        else:
            rendered[key] = value
    return rendered


def _storage(node: Declaration) -> dict[str, Any]:
    secret = node.product.storage_environment.get(node.storage_type, {})
    rendered: dict[str, Any] = {
        key: text_of(value) for key, value in node.storage.items() if key not in secret and key != "retry_join"
    }
    if node.storage_type == "raft":
        join = [without_unset(peer) for peer in node.storage.get("retry_join") or []]
        if join:
            rendered["retry_join"] = join
    return rendered


def _seal(node: Declaration, seal: Mapping[str, Any]) -> dict[str, str]:
    secret = node.product.seal_environment.get(seal["type"], {})
    rendered = {
        key: text_of(value)
        for key, value in seal["options"].items()
        if key not in secret and key not in ("current_key_file", "previous_key_file")
    }
    if seal["type"] == "static":
        for name in ("current", "previous"):
            if seal["options"].get(name + "_key_file"):
                rendered[name + "_key"] = "file://" + static_key_path(node, seal["options"][name + "_key_id"])
    if seal["disabled"]:
        rendered["disabled"] = "true"
    return rendered


def seal_type(declaration: Mapping[str, Any]) -> str:
    """Return the type of the enabled seal, as a server that runs with it tells it."""
    return next((str(seal["type"]) for seal in Declaration(declaration).seals if not seal["disabled"]), "shamir")


def static_key_path(node: Declaration, key_id: str) -> str:
    """Return the file on the node that holds the static seal key of this id."""
    return "%s/seal/%s.key" % (node.get("config_dir"), re.sub(r"[^A-Za-z0-9._-]", "_", str(key_id)))


def _audit(device: Mapping[str, Any]) -> dict[str, Any]:
    # A description is always there: a mapping with one nested mapping only would be folded by the JSON reader.
    body = {
        "description": device.get("description") or "declared by the inventory",
        "options": {
            key: file_mode(value) if key == "mode" else text_of(value)
            for key, value in without_unset(device.get("options")).items()
        },
    }
    return {device.get("type") or "file": {str(device["path"]).strip("/"): body}}


def environment(declared: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment of the service: the secrets of seals and storage, and what the inventory adds."""
    node = Declaration(declared)
    found: dict[str, str] = {}
    for option, variable in node.product.storage_environment.get(node.storage_type, {}).items():
        if node.storage.get(option):
            found[variable] = text_of(node.storage[option])
    for seal in node.seals:
        for option, variable in node.product.seal_environment.get(seal["type"], {}).items():
            if seal["options"].get(option):
                found[variable] = text_of(seal["options"][option])
    found.update({key: text_of(value) for key, value in (node.get("environment") or {}).items()})
    return dict(sorted(found.items()))


def static_keys(declared: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the static seal's key files to place: C(src) on the controller, C(dest) on the node."""
    node = Declaration(declared)
    return [
        {"src": seal["options"][name + "_key_file"], "dest": static_key_path(node, seal["options"][name + "_key_id"])}
        for seal in node.seals
        if seal["type"] == "static"
        for name in ("current", "previous")
        if seal["options"].get(name + "_key_file") and seal["options"].get(name + "_key_id")
    ]


def audit_directories(declared: Mapping[str, Any]) -> list[str]:
    """Return the directory of each audit device's file, in order; "" for a device that writes no file."""
    node = Declaration(declared)
    files = [
        str((device.get("options") or {}).get("file_path") or "") if (device.get("type") or "file") == "file" else ""
        for device in node.get("audit") or []
    ]
    return [
        (name.rsplit("/", 1)[0] or "/") if name.startswith("/") and not name.startswith("/dev/") else ""
        for name in files
    ]


def written_directories(declared: Mapping[str, Any]) -> list[str]:
    """Return the directories in which the server writes logs and audit files, in order, each once."""
    node = Declaration(declared)
    files = [(device.get("options") or {}).get("file_path") for device in node.get("audit") or []]
    files.append((node.get("log") or {}).get("file"))
    found: list[str] = []
    for name in files:
        if name and str(name).startswith("/") and not str(name).startswith("/dev/"):
            parent = str(name).rsplit("/", 1)[0] or "/"
            if parent not in found:
                found.append(parent)
    return found
