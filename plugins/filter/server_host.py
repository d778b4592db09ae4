# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that hold what the module vault_host_state read against what is declared for the host. Pure."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.secretops.vault_eso.plugins.module_utils._host import state
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault import products
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server_config.pending import (
    Fingerprints,
    changed_devices,
    pending,
)
from ansible_collections.secretops.vault_eso.plugins.plugin_utils._server_certificate import (
    refused,
    tls_problems,
    tls_reasons,
    vault_server_sans,
)
from ansible_collections.secretops.vault_eso.plugins.plugin_utils._server_declared import vault_server_resolved

#: the steps of the role vault_server, in the order in which they run
STEPS = ("install", "tls", "configure", "harden", "service")
#: how a server answers the question for its health: sealed and uninitialised nodes and standbys answer too
ACTIVE = 200
SERVING = (ACTIVE, 429, 472, 473)
SEALED = (501, 503)
NOLOGIN = "/usr/sbin/nologin"
_ARCHIVE = re.compile(r"[.](zip|tar[.]gz|tgz)$")
# an error in the standard format; the part of the server that says it stands before the colon
_LOGGED = re.compile(r"\[ERROR\] +(?:core: )?((?![\w.-]+: ).*|(?<=core: ).*)")


# --- the binary ---------------------------------------------------------------------------------------------------


def _build(host: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, bool]:
    """Return whether another build is ``wanted`` than the host has, and whether to ``install`` it or leave it ``pending``.

    A node that runs is not upgraded, unless that is allowed.
    """
    binary = host.get("binary") or {}
    runs = bool(binary.get("exists")) and (host.get("unit") or {}).get("active") in state.RUNNING
    differs = not binary.get("exists") or not _is_build(binary, wanted)
    allowed = bool(wanted.get("allow_upgrade")) or not runs
    return {"differs": differs, "install": differs and allowed, "pending": differs and not allowed}


def _is_build(binary: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    if wanted.get("install_method") == "file" and not _ARCHIVE.search(str(wanted.get("file") or "")):
        checksum = str(wanted.get("file_checksum") or "").lower()
        return bool(binary.get("sha256")) and binary["sha256"] == re.sub("^sha256:", "", checksum)
    version = re.escape(str(wanted.get("version") or ""))
    return bool(re.search(r" v%s(\s|,|$)" % version, str(binary.get("version") or "")))


def _host_problems(host: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return why a host cannot become what is declared, one sentence each."""
    found = []
    if not host.get("systemd"):
        found.append("the role runs the server under systemd, which this host does not use; choose another host")
    said = str((host.get("binary") or {}).get("version") or "")
    if re.search("(OpenBao|Vault) v", said):
        present, declared = _release(products.detect(said)[1]), _release(str(wanted["version"]))
        if products.parse_version(declared) < products.parse_version(present):
            found.append(
                "vault_server_version: the host has %s, and %s is older; a downgrade means restoring a snapshot into new nodes,"
                " so declare %s or later" % (present, declared, present)
            )
    found.extend(_audit_problems(host, wanted))
    return found


#: bytes below which a file system counts as full
FULL = 1 << 20


def _audit_problems(host: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield why no audit device could be written: then the server answers every request with an error."""
    places, disks = wanted.get("audit_directories") or [], host.get("disks") or {}
    if places and all(disks.get(path, {}).get("free", FULL) < FULL for path in places):
        yield (
            "the audit devices write to %s, where the file system is full; the server answers every request with an internal error"
            " until one of them can be written, so free space there" % " and ".join(dict.fromkeys(places))
        )


def _audit_advice(host: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield what may stop all audit devices at once."""
    places, disks = wanted.get("audit_directories") or [], host.get("disks") or {}
    devices = {disks.get(path, {}).get("device") for path in places}
    if places and len(devices) == 1 and None not in devices:
        yield (
            "every audit device writes to one file system, %s; when it is full the server answers no request, so put a second device"
            " on another disk, or give it the file_path stdout, which the journal takes"
            % " and ".join(dict.fromkeys(places))
        )
    if len(set(places)) > 1 or "" in places:
        for path in dict.fromkeys(places):
            if path and disks.get(path, {}).get("free", FULL) < FULL:
                yield "the file system of %s is full, so that an audit device there loses entries; free space" % path


def _device_problems(resolved: Mapping[str, Any], peers: Iterable[Any]) -> Iterator[str]:
    """Yield why the audit devices cannot become what is declared.

    What the active node runs with has been accepted by the server. A standby may wait with what it will never be given.
    """
    for peer in peers:
        if not isinstance(peer, Mapping) or peer.get("health") != ACTIVE or not peer.get("loaded"):
            continue
        for path in changed_devices(resolved["fingerprints"], peer["loaded"]):
            yield (
                'vault_server_audit: the device "%s" differs from what the server has, and the server adds and removes devices but'
                " changes none: it would refuse the reload, and no restarted node could lead. Declare the changed device under another"
                " path beside the unchanged one and run this again; then remove the old one and run once more" % path
            )


def _seal_problems(host: Mapping[str, Any], resolved: Mapping[str, Any]) -> Iterator[str]:
    """Yield why the seal cannot become what is declared: a server with another one stays sealed until it is migrated.

    A seal that the server has from elsewhere, such as its environment, is not about to change.
    """
    has, declared = host.get("seal") or {}, resolved["seal"]
    started = host.get("started") or {}
    changes = not started or started.get("seal") != resolved["fingerprints"].get("seal")
    migrates = resolved["wanted"].get("seal_migration")
    if changes and not migrates and has.get("initialized") and has.get("type") not in ("", declared):
        yield (
            "vault_server_seals: %s is declared, and the server is sealed by %s; another seal is a migration, in which a restarted node stays"
            " sealed until the key shares are given with the order to migrate. Declare the former seal again, or run the"
            " playbook migrate_seal.yml" % (declared, has.get("type"))
        )


def _release(version: str) -> str:
    return version.partition("+")[0]


# --- what the process waits for -----------------------------------------------------------------------------------


def vault_server_state(
    host: Mapping[str, Any], config: Mapping[str, Any], product: str, watched: Mapping[str, Any]
) -> dict[str, Any]:
    """Return whether the process runs, is sealed, and waits for a reload or a restart to run as declared, and why.

    ``port`` is where it listens, ``new_port`` where it will after the restart; 0 when that is the same, or unknown.

    ``watched`` are paths: those of the unit and its environment (``restart``) and of the certificate (``reload``), and the
    records of the configuration at the start (``started``) and when it was last read (``loaded``).
    """
    return _state(host, state.fingerprints(config), product, watched)


def _state(host: Mapping[str, Any], desired: Fingerprints, product: str, watched: Mapping[str, Any]) -> dict[str, Any]:
    if (host.get("unit") or {}).get("active") not in state.RUNNING:
        nothing = {"reload": False, "restart": False, "reload_reasons": [], "restart_reasons": []}
        return {"runs": False, "sealed": False, "port": 0, "new_port": 0, **nothing}
    times = host.get("times") or {}

    def newer(paths: Sequence[str], record: str) -> bool:
        return any(times.get(path, 0) > times.get(record, 0) for path in paths)

    known = bool(host.get("started") and host.get("loaded"))
    waits = pending(
        str(product),
        desired,
        host["started"] if known else None,
        host["loaded"] if known else None,
        (["binary"] if host.get("other_binary") else [])
        + (["unit or environment"] if newer(watched["restart"], watched["started"]) else []),
        ["certificate"] if newer(watched["reload"], watched["loaded"]) or host.get("serves_another") else [],
    )
    # a node whose answer cannot be had counts as serving: clients may see more than this host does
    ports = {name: int(host.get(name) or 0) for name in ("port", "new_port")}
    return {"runs": True, "sealed": host.get("health") in SEALED, **ports, **waits}


def vault_server_silence(host: Mapping[str, Any]) -> str:
    """Return why a server gives no answer, with a colon before it, from what the module read; empty when that is unknown."""
    active = (host.get("unit") or {}).get("active")
    reason = refused(host) or ("" if active in ("active", None) else "the service is %s" % active)
    return ": %s" % reason if reason else ""


def vault_server_reload_refused(lines: Iterable[Any]) -> list[str]:
    """Return what a server logged as an error of its core while it read its configuration again; nothing when it took it.

    A server answers a reload in its log alone. Other parts of it, such as raft or the leases, log errors at any time.
    """
    return [found for line in lines if (found := _core_error(str(line).strip()))]


def _core_error(line: str) -> str:
    with suppress(ValueError):
        entry = json.loads(line)
        if not isinstance(entry, Mapping):
            return ""
        of_core = entry.get("@level") == "error" and entry.get("@module", "core") == "core"
        return ": ".join(str(entry[key]) for key in ("@message", "error") if entry.get(key)) if of_core else ""
    found = _LOGGED.search(line)
    if found:
        return found.group(1)
    return line if line.startswith("Error") else ""


# --- the steps ----------------------------------------------------------------------------------------------------


def vault_server_steps(
    host: Mapping[str, Any],
    resolved: Mapping[str, Any],
    now: datetime.datetime | None = None,
    others: Mapping[str, Any] | None = None,
    peers: Iterable[Any] = (),
) -> dict[str, Any]:
    """Return the steps of the role that have something to do on a host, each with its reasons, and what else was concluded.

    ``peers`` is what the module read on the servers of the cluster, this one included.

    A step that has something to do takes those after it along, which see the host as it left it.
    ``resolved`` is the result of the filter vault_server_resolved, ``others`` are the certificates of the other servers of the
    cluster by their names. Returns ``steps``, ``problems`` (why the host cannot become
    what is declared), ``advice`` (what may go wrong later), ``build`` (whether another one ``differs``, and is to ``install`` or left ``pending``),
    ``state`` (as vault_server_state does) and ``refused`` (why clients refuse the server's certificate, empty when they do not).
    """
    wanted = resolved["wanted"]
    waits = _state(host, resolved["fingerprints"], wanted["product"], resolved["watched"])
    reasons: dict[str, list[str]] = {step: [] for step in STEPS}
    for file in resolved["files"]:
        for path in file["paths"]:
            different = list(_different((host.get("files") or {}).get(path) or {}, file))
            if different:
                reasons[file["step"]].append("%s: %s" % (path, ", ".join(different)))
    reasons["install"] += _install_reasons(host, wanted)
    reasons["configure"] += ["%s cannot be written to" % path for path in host.get("unwritable") or []]
    if wanted["tls_mode"] == "generated":
        reasons["tls"] += tls_reasons(host, wanted, now or datetime.datetime.now(datetime.timezone.utc))
    swap = host.get("swap") or {}
    if not swap.get("container") and (swap.get("active") or swap.get("at_boot")):
        reasons["harden"].append("swap")
    reasons["service"] += _service_reasons(host, waits)
    found: dict[str, list[str]] = {}
    for step in STEPS:
        if reasons[step]:
            found[step] = reasons[step]
        elif found:
            found[step] = ["%s comes before it" % next(reversed(found))]
    return {
        "steps": found,
        "problems": [
            *_host_problems(host, wanted),
            *tls_problems(host, wanted, others or {}),
            *_device_problems(resolved, peers),
            *_seal_problems(host, resolved),
        ],
        "advice": list(_audit_advice(host, wanted)),
        "build": _build(host, wanted),
        "state": waits,
        "refused": refused(host),
    }


def _different(place: Mapping[str, Any], file: Mapping[str, Any]) -> Iterator[str]:
    if place.get("type", "missing") == "missing":
        yield "missing"
        return
    if file["type"] not in ("any", place["type"]):
        yield "no %s" % file["type"]
        return
    for name in ("owner", "group", "mode"):
        if file.get(name) and place.get(name) != str(file[name]):
            yield name
    if place.get("same") is False:
        yield "contents"


def _install_reasons(host: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    account = {"group": wanted["group"], "home": wanted["config_dir"], "shell": NOLOGIN}
    if not host.get("group"):
        yield "group %s" % wanted["group"]
    if host.get("user") != account:
        yield "user %s" % wanted["user"]
    for command in host.get("missing_commands") or []:
        yield "%s is missing" % command
    if _build(host, wanted)["differs"]:
        yield "binary"


def _service_reasons(host: Mapping[str, Any], waits: Mapping[str, Any]) -> Iterator[str]:
    unit = host.get("unit") or {}
    if unit.get("active") != "active":
        yield "the service does not run"
    if unit.get("file") != "enabled":
        yield "the service is not enabled"
    if unit.get("needs_daemon_reload"):
        yield "systemd has not read the unit"
    if waits.get("restart"):
        yield "a restart is pending"
    if waits.get("reload"):
        yield "a reload is pending"
    if unit.get("active") == "active" and host.get("health") not in SERVING + SEALED:
        yield refused(host) or "the API does not answer"


def _checked(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that says of what does not come from the module that it does not."""

    def filtered(host: Any, *arguments: Any, **named: Any) -> Any:
        if not isinstance(host, Mapping):
            raise AnsibleFilterError("%s: takes the result of the module vault_host_state" % name)
        return function(host, *arguments, **named)

    return filtered


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "vault_server_reload_refused": vault_server_reload_refused,
            "vault_server_sans": vault_server_sans,
            "vault_server_resolved": vault_server_resolved,
            "vault_server_silence": _checked("vault_server_silence", vault_server_silence),
            "vault_server_state": _checked("vault_server_state", vault_server_state),
            "vault_server_steps": _checked("vault_server_steps", vault_server_steps),
        }
