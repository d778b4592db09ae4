# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Why a node cannot have the storage, seals, listeners, telemetry or audit devices that are declared. Pure: no I/O.

One sentence each, naming the variable and the remedy, without a value that may be a secret.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ..._engine.errors import InvalidInput
from ..._engine.normalise import file_mode
from ..._engine.secret_patterns import shown_url
from .. import products
from .declaration import PREFIX, Declaration, unset, without_unset

SEAL_REQUIRED: dict[str, tuple[str, ...]] = {
    "transit": ("address", "key_name", "mount_path"),
    "static": ("current_key_id",),
    "awskms": ("kms_key_id",),
    "azurekeyvault": ("tenant_id", "vault_name", "key_name"),
    "gcpckms": ("project", "region", "key_ring", "crypto_key"),
    "ocikms": ("key_id", "crypto_endpoint", "management_endpoint"),
    "pkcs11": ("lib", "key_label"),
    "kmip": ("endpoint", "kms_key_id", "client_cert", "client_key"),
}
_STORAGE_REQUIRED: dict[str, tuple[str, ...]] = {"consul": ("address",), "postgresql": ("connection_url",)}
_NODE_KEY = re.compile(r"^(file|env)://.+")


def title(node: Declaration) -> str:
    return ("%s %s" % (node.product.title, node.version)).strip()


def storage(node: Declaration) -> Iterator[str]:
    kind = node.storage_type
    span = node.product.storage.get(kind)
    variable = PREFIX + "storage_type"
    if span is None:
        usable = ", ".join(node.product.describe(node.version)["storage"])
        yield "%s: %s has no %s storage; use one of %s" % (variable, title(node), kind, usable)
        return
    if not span.covers(node.version):
        yield "%s: %s has %s storage only %s; %s" % (variable, node.product.title, kind, span, span.remedy)
    for name in _STORAGE_REQUIRED.get(kind, ()):
        if not node.storage.get(name):
            yield "%s%s.%s: not set, but %s is %s; set it" % (PREFIX, kind, name, variable, kind)
    if kind == "raft":
        if node.get("disable_clustering"):
            yield "%sdisable_clustering: raft storage needs clustering; leave it unset" % PREFIX
        for name in ("path", "node_id"):
            if not node.storage.get(name):
                yield "%sraft.%s: not set; raft needs it" % (PREFIX, name)
        for number, peer in enumerate(node.storage.get("retry_join") or []):
            where = "%sraft.retry_join[%d]" % (PREFIX, number)
            if bool(peer.get("leader_api_addr")) == bool(peer.get("auto_join")):
                yield "%s: needs exactly one of leader_api_addr and auto_join" % where
            for name in ("ca_cert", "client_cert", "client_key"):
                if peer.get("leader_" + name) and peer.get("leader_%s_file" % name):
                    yield "%s: leader_%s and leader_%s_file exclude each other; keep the file" % (where, name, name)
            if peer.get("leader_client_key"):
                yield "%s: leader_client_key would stand in the configuration; use leader_client_key_file" % where


def seals(node: Declaration) -> Iterator[str]:
    variable = PREFIX + "seals"
    enabled = [seal["type"] for seal in node.seals if not seal["disabled"]]
    if len(enabled) > 1:
        yield (
            "%s: %s are enabled, but a node has one enabled seal; keep one, or mark the old one disabled: true "
            "to migrate from it" % (variable, " and ".join(enabled))
        )
    if node.get("restart") == "when_changed" and not [kind for kind in enabled if kind != "shamir"]:
        yield (
            "%srestart: when_changed would leave this node sealed, because it is unsealed by key shares; leave it at "
            "when_sealed and use the rolling playbook" % PREFIX
        )
    for raw, seal in zip(node.get("seals") or [], node.seals):
        kind = seal["type"]
        span = node.product.seals.get(kind)
        if span is None:
            usable = ", ".join(node.product.describe(node.version)["seals"])
            yield "%s: %s has no %s seal; use one of %s" % (variable, title(node), kind or "(unnamed)", usable)
            continue
        if not span.covers(node.version) and kind not in node.plugins:
            yield "%s: the %s seal is built into %s only %s; %s" % (
                variable,
                kind,
                node.product.title,
                span,
                span.remedy,
            )
        others = sorted(name for name in raw if name not in ("type", "disabled", kind) and not unset(raw[name]))
        if others:
            yield "%s: the %s seal has options of another type (%s); move them or drop them" % (
                variable,
                kind,
                ", ".join(others),
            )
        for name in SEAL_REQUIRED.get(kind, ()):
            if not seal["options"].get(name):
                yield "%s: the %s seal needs %s.%s; set it" % (variable, kind, kind, name)
        if kind == "static":
            yield from _static_problems(node, seal["options"], variable)


def _static_problems(node: Declaration, options: Mapping[str, Any], variable: str) -> Iterator[str]:
    for name in ("current", "previous"):
        key, key_file, key_id = (options.get(name + suffix) for suffix in ("_key", "_key_file", "_key_id"))
        if key and key_file:
            yield "%s: static.%s_key and static.%s_key_file exclude each other; keep one" % (variable, name, name)
        if key and not _NODE_KEY.match(str(key)):
            yield (
                "%s: static.%s_key would put the key itself into the configuration; give a file:// or env:// "
                "reference, or %s_key_file" % (variable, name, name)
            )
        if key and str(key).startswith("env://") and str(key)[6:] not in (node.get("environment") or {}):
            yield (
                "%s: static.%s_key refers to the environment variable %s, which %senvironment does not set; add it"
                % (variable, name, str(key)[6:], PREFIX)
            )
        if (key or key_file) and not key_id:
            yield "%s: the static seal needs static.%s_key_id beside its key" % (variable, name)
    if not options.get("current_key") and not options.get("current_key_file"):
        yield "%s: the static seal needs static.current_key_file (on the controller) or static.current_key" % variable


def _mode_problems(where: str, mode: Any) -> Iterator[str]:
    if mode not in (None, ""):
        try:
            file_mode(mode)
        except InvalidInput as error:
            yield "%s: %s" % (where, error.sentence())


def listeners(node: Declaration) -> Iterator[str]:
    cluster_port = _port(node.get("cluster_addr")) or 8201
    for number, (where, kind, options) in enumerate(node.listeners):
        if kind not in ("tcp", "unix"):
            yield "%s: there is no %s listener; use tcp or unix" % (where, kind)
        for key in sorted(options):
            if key in products.REMOVED_LISTENER_KEYS:
                yield "%s.%s: %s" % (where, key, products.REMOVED_LISTENER_KEYS[key])
            elif key not in node.product.listener_keys:
                yield "%s.%s: %s does not know it; remove it" % (where, key, title(node))
        yield from _mode_problems("%s.socket_mode" % where, options.get("socket_mode"))
        if not options.get("address"):
            yield "%s.address: not set; give host:port, or the socket's path for a unix listener" % where
        if kind == "tcp" and not number:
            for key, variable in (("address", "api_addr"), ("cluster_address", "cluster_addr")):
                if not _takes(options.get(key), node.get(variable)):
                    yield (
                        "%s.%s: %s does not take connections to %s%s, %s; listen on [::], which takes IPv4 and IPv6"
                        % (where, key, options[key], PREFIX, variable, shown_url(node.get(variable)))
                    )
        if kind == "tcp" and number and _port("//" + str(options.get("address", ""))) == cluster_port:
            yield (
                "%s.address: port %d is the cluster port, which the server opens itself; drop this listener and set "
                "%slistener.cluster_address" % (where, cluster_port, PREFIX)
            )
        if number and options.get("cluster_address"):
            yield "%s.cluster_address: only the first listener may have one; remove it" % where
        if kind == "tcp" and not options.get("tls_disable") and not options.get("tls_acme_domains"):
            for key in ("tls_cert_file", "tls_key_file"):
                if not options.get(key):
                    yield "%s.%s: not set; a tcp listener needs a certificate and its key" % (where, key)
        if options.get("tls_require_and_verify_client_cert") and options.get("tls_disable_client_certs"):
            yield "%s: tls_require_and_verify_client_cert and tls_disable_client_certs exclude each other" % where
        if (
            kind == "tcp"
            and options.get("tls_disable")
            and str(node.get("api_addr") or "").startswith("https:")
            and not number
        ):
            yield "%s.tls_disable: the listener would speak plain HTTP, but %sapi_addr says https; remove it" % (
                where,
                PREFIX,
            )


def _takes(address: Any, url: Any) -> bool:
    """Tell whether a listener's address can take connections to a URL; a name may be of either kind of address."""
    try:
        listens = ipaddress.ip_address(urlsplit("//" + str(address or "")).hostname or "")
        asked = ipaddress.ip_address(urlsplit(str(url or "")).hostname or "")
    except ValueError:
        return True
    return listens.version == asked.version or (listens.version == 6 and listens.is_unspecified)


def _port(address: Any) -> int | None:
    try:
        return urlsplit(str(address or "")).port
    except ValueError:
        return None


def telemetry(node: Declaration) -> Iterator[str]:
    telemetry = node.options("telemetry")
    for key in sorted(telemetry):
        if key not in node.product.telemetry_keys:
            yield "%stelemetry.%s: %s does not know it; remove it" % (PREFIX, key, title(node))
    if telemetry.get("dogstatsd_tags") and not telemetry.get("dogstatsd_addr"):
        yield "%stelemetry.dogstatsd_tags: has no effect without dogstatsd_addr; set it" % PREFIX


def audit(node: Declaration) -> Iterator[str]:
    devices = node.get("audit") or []
    if not devices:
        return
    variable = PREFIX + "audit"
    span = node.product.audit_by_config
    if span is None:
        yield "%s: %s" % (variable, node.product.config_remedies["audit"])
        return
    if not span.covers(node.version):
        yield "%s: %s takes audit devices from the configuration only %s; enable them by API" % (
            variable,
            node.product.title,
            span,
        )
    paths = [str(device.get("path") or "").strip("/") for device in devices]
    for path in sorted({path for path in paths if paths.count(path) > 1}):
        yield "%s: two devices have the path %r; give each its own" % (variable, path)
    files = []
    for device, path in zip(devices, paths):
        options = without_unset(device.get("options"))
        yield from _mode_problems("%s: device %s: options.mode" % (variable, path), options.get("mode"))
        if (device.get("type") or "file") == "file":
            name = str(options.get("file_path") or "")
            if not name.startswith("/") and name not in ("stdout", "discard"):
                yield "%s: device %s needs options.file_path, an absolute path, 'stdout' or 'discard'" % (
                    variable,
                    path,
                )
            files.append(name)
        if str(options.get("log_raw", "")).lower() == "true":
            yield "%s: device %s has log_raw, which writes secrets in plain text; remove it" % (variable, path)
    for name in sorted({name for name in files if name.startswith("/") and files.count(name) > 1}):
        yield "%s: two devices write to %s; give each its own file" % (variable, name)
