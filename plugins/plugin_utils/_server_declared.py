# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server's host is held against: the files, accounts and addresses that follow from what is declared. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ansible.plugins.filter.core import to_nice_json

from ansible_collections.secretops.vault_eso.plugins.module_utils._host import state
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server_config.declaration import plain
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server_config.problems import problems
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server_config.render import (
    audit_directories,
    build,
    seal_type,
    static_keys,
    written_directories,
)


def vault_server_problems(
    declaration: Mapping[str, Any], missing: Iterable[Mapping[str, Any]] = (), ephemeral: Iterable[str] = ()
) -> list[str]:
    """Return why the declaration cannot be carried out, one sentence each.

    ``missing`` are files that the controller does not have, each with its ``variable`` and ``path``; ``ephemeral`` are
    those that would be made there and end with the job.
    """
    lost = [
        "the key of the private CA, %s, would be lost when this job's container ends; put vault_server_tls_ca_dir into"
        " a mounted directory that lasts, and name that in vault_eso_durable_directories. Nothing was changed"
        % ", ".join(ephemeral)
    ]
    files = ["%(variable)s: there is no file %(path)s on the controller; give an existing one" % one for one in missing]
    return (lost if ephemeral else []) + problems(declaration) + files


def vault_server_resolved(
    declaration: Mapping[str, Any],
    places: Mapping[str, Any],
    missing: Iterable[Mapping[str, Any]] = (),
    ephemeral: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what a host is held against, without a secret in it: ``problems``, and where there are none the rest.

    ``read`` are the options of the module vault_host_state, ``files`` the declared files, ``wanted`` is the rest.
    """
    # each look at a value renders its template anew
    declaration, places = plain(declaration), plain(places)
    found = vault_server_problems(declaration, missing, ephemeral)
    if found:
        return {"problems": found}
    declared = {**{name: declaration.get(name) for name in _WANTED}, **places}
    keys = static_keys(declaration)
    declared["audit_directories"] = audit_directories(declaration)
    declared["written"] = list(dict.fromkeys([str(places["log_dir"]), *written_directories(declaration)]))
    files = [
        {"step": step, "paths": found, "type": kind, "owner": owner, "group": group, "mode": mode}
        for step, kind, owner, group, mode, paths in _files(declared, [key["dest"] for key in keys])
        if (found := [str(path) for path in paths if path])
    ]
    config = build(declaration)
    generated = declared["tls_mode"] == "generated"
    copied = not generated and not declared["tls_on_node"]
    listener = _listens(declaration.get("listener") or {})
    names = _names(places) if listener else []
    watched = {
        "started": places["started_file"],
        "loaded": places["loaded_file"],
        "restart": [places["environment_file"], places["unit_file"], places["dropin_file"]],
        "reload": [places["tls_cert_file"], places["tls_key_file"]],
    }
    read = {
        "files": [path for file in files for path in file["paths"]],
        "sources": [
            {"path": places["config_file"], "sha256": hashlib.sha256(_rendered(config).encode()).hexdigest()},
            *({"path": key["dest"], "src": key["src"]} for key in keys),
            *_sources(declared),
        ],
        "user": places["user"],
        "group": places["group"],
        "writable": declared["written"],
        "commands": list(places["packages"]),
        "swap": bool(places["swap_off"]),
        "certificate": "" if copied else places["tls_cert_file"],
        "key": "" if copied else places["tls_key_file"],
        "names": [] if generated or copied else names,
        "names_ca": "" if generated or copied else places["tls_ca_file"],
        "provided": {
            "certificate": declaration["tls_cert_src"],
            "key": declaration["tls_key_src"],
            "ca": places["tls_ca_src"],
            "names": names,
        }
        if copied
        else {},
        "peers": [peer_url(peer) for peer in places.get("peers") or []],
        "listener": listener,
        "served": str((declaration.get("listener") or {}).get("tls_cert_file") or "") if listener else "",
        "binary": places["binary"],
        "unit": places["unit"],
        "started": watched["started"],
        "loaded": watched["loaded"],
        "times": [*watched["restart"], *watched["reload"], watched["started"], watched["loaded"]],
        "url": places["url"],
        "port": state.port(config),
        "ca": places["tls_ca_file"] if places["has_ca"] else "",
    }
    return {
        "problems": [],
        "read": read,
        "files": files,
        "watched": watched,
        "fingerprints": state.fingerprints(config),
        "seal": seal_type(declaration),
        "wanted": declared,
    }


def peer_url(peer: Mapping[str, Any], port: int = 8200) -> str:
    """Return the API address of a peer; ``port`` is for one that names none."""
    address = str(peer.get("address") or "")
    host = "[%s]" % address if ":" in address else address
    return str(peer.get("api_addr") or "https://%s:%s" % (host, peer.get("port") or port))


#: where a listener on all addresses is found
_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]", "::": "[::1]"}  # noqa: S104


def _listens(listener: Mapping[str, Any]) -> str:
    """Return where a host finds its own listener, empty where that presents no certificate from a file."""
    address = str(listener.get("address") or "")
    host, _colon, port = address.rpartition(":")
    # "{{" opens a template of the server's own
    if not port.isdigit() or "{{" in address:
        return ""
    if any(listener.get(name) for name in ("tls_disable", "tls_acme_domains", "proxy_protocol_behavior")):
        return ""
    host = _LOOPBACK.get(host, host)
    return "https://%s:%s" % (host, port)


def _names(places: Mapping[str, Any]) -> list[str]:
    """Return the names by which a server's certificate is checked: by its peers, and by the role itself."""
    url = urlsplit(str(places["url"]))
    names = [str(places["tls_server_name"]), (url.hostname or "") if url.scheme == "https" else ""]
    return list(dict.fromkeys(name for name in names if name))


def _rendered(config: Mapping[str, Any]) -> str:
    """Return a configuration as the template config.json.j2 of the role writes it."""
    return "%s\n" % to_nice_json(config, indent=2)


#: of the declaration, which may hold secrets, that what follows is told
_WANTED = (
    *("product", "version", "install_method", "file", "file_checksum", "config_dir", "plugin_dir", "license_path"),
    *("tls_mode", "tls_on_node", "tls_cert_src", "tls_key_src", "tls_ca_dir"),
)

_File = tuple[str, str, str, str, str, list[Any]]


def _files(wanted: Mapping[str, Any], keys: list[str]) -> Iterator[_File]:
    """Yield what the tasks of each step write: step, type, owner, group, mode, and the paths; an empty one is no file.

    A file that is told otherwise here than in its task costs time alone: the step has always something to do.
    """
    user, group, folder = wanted["user"], wanted["group"], wanted["config_dir"]
    certificate, key, ca = wanted["tls_cert_file"], wanted["tls_key_file"], wanted["tls_ca_file"]
    own_unit = wanted["install_method"] != "repository"
    yield "tls", "directory", "root", group, "0750", [folder, wanted["tls_dir"]]
    if wanted["tls_on_node"] and wanted["tls_mode"] == "provided":
        yield "tls", "any", "", "", "", [certificate, key]
    else:
        has_ca = wanted["tls_mode"] == "generated" or wanted["tls_ca_src"]
        yield "tls", "file", "root", group, "0644", [certificate, ca if has_ca else ""]
        yield "tls", "file", "root", group, "0640", [key]
    yield "configure", "directory", user, group, "0700", [wanted["data_dir"], "%s/seal" % folder if keys else ""]
    yield "configure", "directory", user, group, "0750", wanted["written"]
    yield "configure", "directory", "root", group, "0750", [wanted["plugin_dir"]]
    yield "configure", "file", user, group, "0600", list(keys)
    yield "configure", "file", "root", group, "0640", [wanted["config_file"], wanted["license_path"]]
    yield "configure", "file", "root", "root", "0600", [wanted["environment_file"]]
    yield "configure", "file", "root", "root", "0644", [wanted["unit_file"] if own_unit else ""]
    folders = [wanted["dropin_file"], wanted["logrotate_file"], wanted["coredump_file"]]
    yield "harden", "directory", "root", "root", "0755", [path.rpartition("/")[0] for path in folders]
    yield "harden", "file", "root", "root", "0644", [*folders, *wanted["rotate_files"]]
    # that the timer is enabled
    yield "harden", "link", "root", "root", "0777", [wanted["rotate_link"]]


def _sources(wanted: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the files of the controller that are copied as they are."""
    copied = []
    if wanted["license_path"]:
        copied.append((wanted["license_path"], wanted["license_file"]))
    if wanted["tls_mode"] == "generated":
        copied.append((wanted["tls_ca_file"], "%s/ca.crt" % wanted["tls_ca_dir"]))
    elif not wanted["tls_on_node"]:
        copied.append((wanted["tls_cert_file"], wanted["tls_cert_src"]))
        copied.append((wanted["tls_key_file"], wanted["tls_key_src"]))
        if wanted["tls_ca_src"]:
            copied.append((wanted["tls_ca_file"], wanted["tls_ca_src"]))
    return [{"path": str(path), "src": str(source)} for path, source in copied]
