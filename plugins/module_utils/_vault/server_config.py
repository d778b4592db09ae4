# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The configuration of one server node: from a wish to JSON, to an environment, or to the reasons why not.

The wish is a mapping whose keys are the variables of the role C(vault_server) without their prefix. Nothing here does
I/O. Secrets of a wish go to the environment, never to the configuration, and no message contains a value of an option
that may hold one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.looks import shown_url
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.normalise import file_mode, seconds
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault import products

PREFIX = "vault_server_"

#: for each key of a configuration a digest of its value and one of the part that only a start reads
Fingerprints = Mapping[str, Sequence[str]]
WHOLE, FIXED = 0, 1
_ABSENT = ("", "")

# Top-level configuration keys that have a variable of their own: variable -> key.
_PLAIN = {
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
_LOG = {
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
VARIABLE_OF_KEY = {key: PREFIX + name for name, key in _PLAIN.items()}
VARIABLE_OF_KEY.update({key: "%slog.%s" % (PREFIX, name) for name, key in _LOG.items()})
VARIABLE_OF_KEY.update({key: PREFIX + name for key, name in _STANZAS.items()})

_SEAL_REQUIRED: dict[str, tuple[str, ...]] = {
    "transit": ("address", "key_name", "mount_path"),
    "static": ("current_key_id",),
    "awskms": ("kms_key_id",),
    "azurekeyvault": ("tenant_id", "vault_name", "key_name"),
    "gcpckms": ("project", "region", "key_ring", "crypto_key"),
    "ocikms": ("key_id", "crypto_endpoint", "management_endpoint"),
    "pkcs11": ("lib", "key_label"),
    "kmip": ("endpoint", "kms_key_id", "client_cert", "client_key"),
}
_STORAGE_VARIABLES = ("raft", "consul", "postgresql")
_STORAGE_REQUIRED: dict[str, tuple[str, ...]] = {"consul": ("address",), "postgresql": ("connection_url",)}
_NODE_KEY = re.compile(r"^(file|env)://.+")
_CHECKSUM = re.compile(r"^sha256:[0-9a-fA-F]{64}$")
_FLOATING = re.compile(r"\$\{")


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


def _unset(value: Any) -> bool:
    return value is None or value in ("", {}, [])


def _given(mapping: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the entries that were set: null, empty text, empty list and empty mapping mean "the server's default"."""
    return {key: value for key, value in (mapping or {}).items() if not _unset(value)}


def _text(value: Any) -> str:
    """Storage and seal stanzas are maps of strings in both products."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class Wish:
    """What an inventory asks of one node."""

    def __init__(self, wish: Mapping[str, Any]) -> None:
        self.values: dict[str, Any] = plain(wish)
        self.product = products.product(self.get("product") or "")
        self.version: str = self.get("version") or ""

    def get(self, name: str, default: Any = None) -> Any:
        value = self.values.get(name)
        return default if value is None else value

    def options(self, name: str) -> dict[str, Any]:
        return _given(self.get(name) or {})

    @property
    def storage_type(self) -> str:
        return self.get("storage_type") or "raft"

    @property
    def storage(self) -> dict[str, Any]:
        if self.storage_type in _STORAGE_VARIABLES:
            return self.options(self.storage_type)
        return self.options("storage_options")

    @property
    def seals(self) -> list[dict[str, Any]]:
        """Return the seal stanzas, each as type, disabled and options. C(shamir) needs none."""
        found = []
        for seal in self.get("seals") or []:
            kind = seal.get("type") or ""
            found.append({"type": kind, "disabled": bool(seal.get("disabled")), "options": _given(seal.get(kind))})
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
            options = _given(extra)
            kind = options.pop("type", "tcp")
            found.append(("%sextra_listeners[%d]" % (PREFIX, number), kind, options))
        return found


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _as_mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


# --- building ---------------------------------------------------------------------------------------------------------


def build(wish: Mapping[str, Any]) -> dict[str, Any]:
    """Return the server's configuration as a data structure; call L(problems) first.

    The storage and seal stanzas carry text only and no secret: see L(environment).
    """
    node = Wish(wish)
    config: dict[str, Any] = {}
    for variable, key in _PLAIN.items():
        value = node.get(variable)
        if not _unset(value):
            config[key] = int(value) if key == "cache_size" else value
    for option, key in _LOG.items():
        value = (node.get("log") or {}).get(option)
        if not _unset(value):
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
    if not _unset(node.get("license_path")):
        config["license_path"] = node.get("license_path")
    audit = [_audit(device) for device in node.get("audit") or []]
    if audit:
        config["audit"] = audit
    if node.options("user_lockout"):
        config["user_lockout"] = [{kind: _given(options)} for kind, options in node.options("user_lockout").items()]
    config.update(_given(node.get("extra_config")))
    return config


def _listener(options: Mapping[str, Any]) -> dict[str, Any]:
    rendered: dict[str, Any] = {}
    for key, value in options.items():
        if key == "tls_cipher_suites" and isinstance(value, list):
            rendered[key] = ",".join(value)
        elif key == "socket_mode" and value not in (None, ""):
            rendered[key] = file_mode(value)
        elif key in ("telemetry", "profiling", "inflight_requests_logging"):
            given = _given(value)
            if given:
                rendered[key] = given
        else:
            rendered[key] = value
    return rendered


def _storage(node: Wish) -> dict[str, Any]:
    secret = node.product.storage_environment.get(node.storage_type, {})
    rendered: dict[str, Any] = {
        key: _text(value) for key, value in node.storage.items() if key not in secret and key != "retry_join"
    }
    if node.storage_type == "raft":
        join = [_given(peer) for peer in node.storage.get("retry_join") or []]
        if join:
            rendered["retry_join"] = join
    return rendered


def _seal(node: Wish, seal: Mapping[str, Any]) -> dict[str, str]:
    secret = node.product.seal_environment.get(seal["type"], {})
    rendered = {
        key: _text(value)
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


def static_key_path(node: Wish, key_id: str) -> str:
    """Return the file on the node that holds the static seal key of this id."""
    return "%s/seal/%s.key" % (node.get("config_dir"), re.sub(r"[^A-Za-z0-9._-]", "_", str(key_id)))


def _audit(device: Mapping[str, Any]) -> dict[str, Any]:
    # A description is always there: a mapping with one nested mapping only would be folded by the JSON reader.
    body = {
        "description": device.get("description") or "declared by the inventory",
        "options": {
            key: file_mode(value) if key == "mode" else _text(value)
            for key, value in _given(device.get("options")).items()
        },
    }
    return {device.get("type") or "file": {str(device["path"]).strip("/"): body}}


def environment(wish: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment of the service: the secrets of seals and storage, and what the inventory adds."""
    node = Wish(wish)
    found: dict[str, str] = {}
    for option, variable in node.product.storage_environment.get(node.storage_type, {}).items():
        if node.storage.get(option):
            found[variable] = _text(node.storage[option])
    for seal in node.seals:
        for option, variable in node.product.seal_environment.get(seal["type"], {}).items():
            if seal["options"].get(option):
                found[variable] = _text(seal["options"][option])
    found.update({key: _text(value) for key, value in (node.get("environment") or {}).items()})
    return dict(sorted(found.items()))


def static_keys(wish: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the static seal's key files to place: C(src) on the controller, C(dest) on the node."""
    node = Wish(wish)
    return [
        {"src": seal["options"][name + "_key_file"], "dest": static_key_path(node, seal["options"][name + "_key_id"])}
        for seal in node.seals
        if seal["type"] == "static"
        for name in ("current", "previous")
        if seal["options"].get(name + "_key_file") and seal["options"].get(name + "_key_id")
    ]


def written_directories(wish: Mapping[str, Any]) -> list[str]:
    """Return the directories in which the server writes logs and audit files, in order, each once."""
    node = Wish(wish)
    files = [(device.get("options") or {}).get("file_path") for device in node.get("audit") or []]
    files.append((node.get("log") or {}).get("file"))
    found: list[str] = []
    for name in files:
        if name and str(name).startswith("/") and not str(name).startswith("/dev/"):
            parent = str(name).rsplit("/", 1)[0] or "/"
            if parent not in found:
                found.append(parent)
    return found


# --- checking ---------------------------------------------------------------------------------------------------------


def problems(wish: Mapping[str, Any]) -> list[str]:
    """Return why this wish cannot come true: one sentence each, naming the variable and the remedy."""
    try:
        node = Wish(wish)
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
        _storage_problems,
        _seal_problems,
        _listener_problems,
        _telemetry_problems,
        _log_problems,
        _audit_problems,
        _tls_problems,
        _key_problems,
        _lease_problems,
        _interpolation,
    ):
        found.extend(check(node))
    return found


def _title(node: Wish) -> str:
    return ("%s %s" % (node.product.title, node.version)).strip()


def _install(node: Wish) -> Iterator[str]:
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


def _addresses(node: Wish) -> Iterator[str]:
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
            yield "%s%s: %r is no address that others can reach; use this node's own" % (PREFIX, name, shown)
        elif port is None:
            yield "%s%s: %r has no port; write it as https://host:port" % (PREFIX, name, shown)
    peers = ["%s:%s" % (peer.get("address"), peer.get("port") or 8200) for peer in node.get("peers") or []]
    for address in sorted({address for address in peers if peers.count(address) > 1}):
        yield "%speers: two nodes have the address %s; give each its own" % (PREFIX, address)
    names = [peer.get("name") for peer in node.get("peers") or []]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        yield "%speers: two nodes are named %s; node ids must differ" % (PREFIX, name)


def _storage_problems(node: Wish) -> Iterator[str]:
    kind = node.storage_type
    span = node.product.storage.get(kind)
    variable = PREFIX + "storage_type"
    if span is None:
        usable = ", ".join(node.product.describe(node.version)["storage"])
        yield "%s: %s has no %s storage; use one of %s" % (variable, _title(node), kind, usable)
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


def _seal_problems(node: Wish) -> Iterator[str]:
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
            yield "%s: %s has no %s seal; use one of %s" % (variable, _title(node), kind or "(unnamed)", usable)
            continue
        if not span.covers(node.version) and kind not in node.plugins:
            yield "%s: the %s seal is built into %s only %s; %s" % (
                variable,
                kind,
                node.product.title,
                span,
                span.remedy,
            )
        others = sorted(name for name in raw if name not in ("type", "disabled", kind) and not _unset(raw[name]))
        if others:
            yield "%s: the %s seal has options of another type (%s); move them or drop them" % (
                variable,
                kind,
                ", ".join(others),
            )
        for name in _SEAL_REQUIRED.get(kind, ()):
            if not seal["options"].get(name):
                yield "%s: the %s seal needs %s.%s; set it" % (variable, kind, kind, name)
        if kind == "static":
            yield from _static_problems(node, seal["options"], variable)


def _static_problems(node: Wish, options: Mapping[str, Any], variable: str) -> Iterator[str]:
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


def _listener_problems(node: Wish) -> Iterator[str]:
    cluster_port = _port(node.get("cluster_addr")) or 8201
    for number, (where, kind, options) in enumerate(node.listeners):
        if kind not in ("tcp", "unix"):
            yield "%s: there is no %s listener; use tcp or unix" % (where, kind)
        for key in sorted(options):
            if key in products.REMOVED_LISTENER_KEYS:
                yield "%s.%s: %s" % (where, key, products.REMOVED_LISTENER_KEYS[key])
            elif key not in node.product.listener_keys:
                yield "%s.%s: %s does not know it; remove it" % (where, key, _title(node))
        yield from _mode_problems("%s.socket_mode" % where, options.get("socket_mode"))
        if not options.get("address"):
            yield "%s.address: not set; give host:port, or the socket's path for a unix listener" % where
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


def _port(address: Any) -> int | None:
    try:
        return urlsplit(str(address or "")).port
    except ValueError:
        return None


def _telemetry_problems(node: Wish) -> Iterator[str]:
    telemetry = node.options("telemetry")
    for key in sorted(telemetry):
        if key not in node.product.telemetry_keys:
            yield "%stelemetry.%s: %s does not know it; remove it" % (PREFIX, key, _title(node))
    if telemetry.get("dogstatsd_tags") and not telemetry.get("dogstatsd_addr"):
        yield "%stelemetry.dogstatsd_tags: has no effect without dogstatsd_addr; set it" % PREFIX


def _log_problems(node: Wish) -> Iterator[str]:
    log = node.options("log")
    if not log.get("file"):
        rotation = sorted(key for key in log if key.startswith("rotate_"))
        if rotation:
            yield "%slog.%s: has no effect without log.file (the journal rotates itself); set log.file or drop it" % (
                PREFIX,
                rotation[0],
            )


def _audit_problems(node: Wish) -> Iterator[str]:
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
        options = _given(device.get("options"))
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


def _tls_problems(node: Wish) -> Iterator[str]:
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


def _key_problems(node: Wish) -> Iterator[str]:
    if not _unset(node.get("license_path")) and "license" not in node.product.features:
        yield "%slicense_file: %s" % (PREFIX, node.product.config_remedies["license_path"])
    for variable, key in _PLAIN.items():
        if not _unset(node.get(variable)) and key not in node.product.config_keys:
            yield "%s%s: %s" % (
                PREFIX,
                variable,
                node.product.config_remedies.get(key, "%s does not know it; leave it unset" % _title(node)),
            )
    for key in sorted(_given(node.get("extra_config"))):
        where = "%sextra_config.%s" % (PREFIX, key)
        if key in VARIABLE_OF_KEY:
            yield "%s: this key has a variable of its own; set %s" % (where, VARIABLE_OF_KEY[key])
        elif key not in node.product.config_keys:
            yield "%s: %s" % (
                where,
                node.product.config_remedies.get(key, "%s does not know it; remove it" % _title(node)),
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


def _lease_problems(node: Wish) -> Iterator[str]:
    found = {}
    for name in ("default_lease_ttl", "max_lease_ttl"):
        value = node.get(name)
        if _unset(value):
            continue
        try:
            found[name] = seconds(value)
        except InvalidInput as error:
            yield "%s%s: %s" % (PREFIX, name, error)
    default, longest = found.get("default_lease_ttl"), found.get("max_lease_ttl")
    if default is not None and longest is not None and default > longest:
        yield "%sdefault_lease_ttl: is longer than %smax_lease_ttl; lower it" % (PREFIX, PREFIX)


def _interpolation(node: Wish) -> Iterator[str]:
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


# --- what a running node still has to do ------------------------------------------------------------------------------


def pending(
    product: str,
    desired: Fingerprints,
    started: Fingerprints | None,
    loaded: Fingerprints | None,
    restart_because: Sequence[str] = (),
    reload_because: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what a running node needs to run as declared: C(reload), C(restart) and the reasons of each.

    The configurations are told by their `Fingerprints`. C(started) and C(loaded) are those with which the process was
    started and last reloaded; C(None) for the former means that nobody knows, which only a restart settles.
    """
    reloadable = products.product(product).reloadable_keys
    if started is None:
        return {
            "restart": True,
            "reload": False,
            "reload_reasons": [],
            "restart_reasons": ["it was started before this role recorded with which configuration"],
        }
    now = loaded if loaded is not None else started

    def differs(other: Fingerprints, key: str, which: int) -> bool:
        # without the key there is nothing to tell apart
        return desired.get(key, _ABSENT)[which] != other.get(key, _ABSENT)[which]

    restart = [
        "configuration: %s" % key
        for key in sorted(set(desired) | set(started))
        if key not in reloadable and differs(started, key, FIXED)
    ]
    reload = [
        "configuration: %s" % key
        for key in sorted(set(desired) | set(now))
        if (key in reloadable or key == "listener")
        and differs(now, key, WHOLE)
        and (key in reloadable or not differs(now, key, FIXED))
    ]
    restart += [str(reason) for reason in restart_because]
    reload += [str(reason) for reason in reload_because]
    return {"restart": bool(restart), "reload": bool(reload), "restart_reasons": restart, "reload_reasons": reload}
