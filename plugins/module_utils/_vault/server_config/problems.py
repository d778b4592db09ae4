# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Why a declaration of one server node cannot come true. Pure: no I/O.

One sentence each, naming the variable and the remedy, without a value that may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ..._engine.errors import InvalidInput
from ..._engine.normalise import seconds
from ..._engine.secret_patterns import shown_url
from .. import products
from . import stanzas
from .declaration import PLAIN, PREFIX, VARIABLE_OF_KEY, Declaration, unset, without_unset
from .render import environment

_CHECKSUM = re.compile(r"^sha256:[0-9a-fA-F]{64}$")
_FLOATING = re.compile(r"\$\{")


def problems(declared: Mapping[str, Any]) -> list[str]:
    """Return why the declaration cannot come true: one sentence each, naming the variable and the remedy."""
    try:
        node = Declaration(declared)
    except ValueError as error:
        return ["%sproduct: %s" % (PREFIX, error)]
    if node.version:
        try:
            products.parse_version(node.version)
        except ValueError as error:
            return ["%sversion: %s" % (PREFIX, error)]
    found: list[str] = []
    for check in (
        _install,
        _addresses,
        stanzas.storage,
        stanzas.seals,
        stanzas.listeners,
        stanzas.telemetry,
        _log_problems,
        stanzas.audit,
        _tls_problems,
        _key_problems,
        _lease_problems,
        _interpolation,
    ):
        found.extend(check(node))
    return found


def _install(node: Declaration) -> Iterator[str]:
    method = node.get("install_method")
    if not node.version:
        yield "%sversion: no version is given; pin one, such as 2.7.2" % PREFIX
    needed: dict[str, tuple[str, ...]] = {
        "archive": ("archive_url", "archive_checksum"),
        "file": ("file", "file_checksum"),
    }
    for name in needed.get(method or "", ()):
        if not node.get(name):
            yield "%s%s: not set, but %sinstall_method is %s; set it" % (PREFIX, name, PREFIX, method)
    for name in needed.get(method or "", ())[1:]:
        value = node.get(name)
        if value and not _CHECKSUM.match(value):
            yield "%s%s: must be 'sha256:' and 64 hexadecimal digits; take it from the vendor's SHA256SUMS" % (
                PREFIX,
                name,
            )
    if method == "repository":
        repository = node.options("repository")
        for name in ("url", "key_url", "key_checksum"):
            if not repository.get(name):
                yield "%srepository.%s: not set, but %sinstall_method is repository; set it" % (PREFIX, name, PREFIX)
        if repository.get("key_checksum") and not _CHECKSUM.match(repository["key_checksum"]):
            yield "%srepository.key_checksum: must be 'sha256:' and 64 hexadecimal digits" % PREFIX


def _addresses(node: Declaration) -> Iterator[str]:
    for name in ("api_addr", "cluster_addr"):
        value = node.get(name)
        if not value:
            if name == "api_addr" or node.storage_type == "raft":
                yield "%s%s: not set; give the full URL at which the other nodes and clients reach this node" % (
                    PREFIX,
                    name,
                )
            continue
        parts, shown = urlsplit(value), shown_url(value)
        try:
            port = parts.port
        except ValueError:
            port = None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            yield "%s%s: %r is not a URL; write it as https://host:port" % (PREFIX, name, shown)
        elif parts.hostname in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
            yield "%s%s: %r is not an address that others can reach; use this node's own" % (PREFIX, name, shown)
        elif port is None:
            yield "%s%s: %r has no port; write it as https://host:port" % (PREFIX, name, shown)
    peers = ["%s:%s" % (peer.get("address"), peer.get("port") or 8200) for peer in node.get("peers") or []]
    for address in sorted({address for address in peers if peers.count(address) > 1}):
        yield "%speers: two nodes have the address %s; give each its own" % (PREFIX, address)
    names = [peer.get("name") for peer in node.get("peers") or []]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        yield "%speers: two nodes are named %s; node ids must differ" % (PREFIX, name)


def _log_problems(node: Declaration) -> Iterator[str]:
    log = node.options("log")
    if not log.get("file"):
        rotation = sorted(key for key in log if key.startswith("rotate_"))
        if rotation:
            yield "%slog.%s: has no effect without log.file (the journal rotates itself); set log.file or drop it" % (
                PREFIX,
                rotation[0],
            )


def _tls_problems(node: Declaration) -> Iterator[str]:
    mode = node.get("tls_mode")
    if mode == "provided":
        if not node.get("tls_on_node"):
            for name in ("tls_cert_src", "tls_key_src"):
                if not node.get(name):
                    yield (
                        "%s%s: not set, but %stls_mode is provided; set it, or say %stls_on_node: true when the files "
                        "are on the node already" % (PREFIX, name, PREFIX, PREFIX)
                    )
    elif mode == "generated" and not node.get("tls_ca_dir"):
        yield "%stls_ca_dir: not set; give the controller's directory that holds the private CA" % PREFIX


def _key_problems(node: Declaration) -> Iterator[str]:
    if not unset(node.get("license_path")) and "license" not in node.product.features:
        yield "%slicense_file: %s" % (PREFIX, node.product.config_remedies["license_path"])
    for variable, key in PLAIN.items():
        if not unset(node.get(variable)) and key not in node.product.config_keys:
            yield "%s%s: %s" % (
                PREFIX,
                variable,
                node.product.config_remedies.get(key, "%s does not know it; leave it unset" % stanzas.title(node)),
            )
    for key in sorted(without_unset(node.get("extra_config"))):
        where = "%sextra_config.%s" % (PREFIX, key)
        if key in VARIABLE_OF_KEY:
            yield "%s: this key has a variable of its own; set %s" % (where, VARIABLE_OF_KEY[key])
        elif key not in node.product.config_keys:
            yield "%s: %s" % (
                where,
                node.product.config_remedies.get(key, "%s does not know it; remove it" % stanzas.title(node)),
            )
    for name in sorted(node.get("environment") or {}):
        if not re.match(r"^[A-Za-z_][A-Za-z0-9_]*$", name):
            yield "%senvironment: %r is not the name of an environment variable" % (PREFIX, name)
    for name, value in sorted(environment(node.values).items()):
        if "\n" in value:
            yield "%senvironment: the value of %s has more than one line; put it into a file and name the file" % (
                PREFIX,
                name,
            )


def _lease_problems(node: Declaration) -> Iterator[str]:
    found = {}
    for name in ("default_lease_ttl", "max_lease_ttl"):
        value = node.get(name)
        if unset(value):
            continue
        try:
            found[name] = seconds(value)
        except InvalidInput as error:
            yield "%s%s: %s" % (PREFIX, name, error)
    default, longest = found.get("default_lease_ttl"), found.get("max_lease_ttl")
    if default is not None and longest is not None and default > longest:
        yield "%sdefault_lease_ttl: is longer than %smax_lease_ttl; lower it" % (PREFIX, PREFIX)


def _interpolation(node: Declaration) -> Iterator[str]:
    for name in ("api_addr", "cluster_addr", "cluster_name", "raft", "consul", "listener", "telemetry", "extra_config"):
        if any(_FLOATING.search(text) for text in _texts(node.get(name))):
            yield "%s%s: the server does not expand ${…}; write the value with a template of Ansible" % (PREFIX, name)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
