# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No name leads elsewhere: it is a part of the path as it is, or it is refused before anything is sent.

Odd names go through every option of every kind that names something. A server that knows nothing keeps what it was
asked for: a path with a part of such a name and without the rest of it is one that leads elsewhere.
"""

from __future__ import annotations

import http.server
import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import SecretopsError
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.names import MAY_BE_EMPTY, NAMING, empty_names
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.reconcile import apply, plan
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.kind import Kind as KubeKind
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth.registry import LOGINS, login_for
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.base.kind import RunContext
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.configuration import KINDS
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.client import Client
from support.openbao import VaultServer
from support.specs import argument_specs, walk

#: each begins with what would be asked for if the rest of it got lost
PLAIN = "zzplain"
ODD = [f"{PLAIN}{rest}" for rest in ("?x=1", "#x", "%6f", "/../x", "/./x", "//x", "%2e%2e/x", "\nx", "/login/x?")]
#: what an entry of a kind needs beside its names
LEAST: Mapping[str, Mapping[str, Any]] = {
    "audit_devices": {"path": "x", "type": "file", "options": {"file_path": "/x"}},
    "audited_headers": {"name": "X-A", "hmac": True},
    "auth_methods": {"path": "x", "type": "userpass"},
    "auth_roles": {"mount": "x", "name": "x", "type": "approle"},
    "aws_configs": {"mount": "x", "region": "x"},
    "aws_roles": {"mount": "x", "name": "x", "credential_type": "iam_user", "policy_arns": ["arn:x"]},
    "database_connections": {"mount": "x", "name": "x", "plugin_name": "postgresql-database-plugin"},
    "database_roles": {"mount": "x", "name": "x", "db_name": "x", "creation_statements": ["x"]},
    "endpoints": {"path": "x/x"},
    "oidc": {"type": "key", "name": "x"},
    "pki_acme": {"mount": "x", "enabled": True},
    "pki_cas": {"mount": "x", "common_name": "x"},
    "pki_certificates": {"mount": "x", "role": "x", "common_name": "x", "cert_dest": "{tmp}/c", "key_dest": "{tmp}/k"},
    "pki_roles": {"mount": "x", "name": "x"},
    "approle_secret_ids": {"mount": "x", "role": "x", "dest": "{tmp}/secret-id"},
    "policies": {"name": "x", "policy": 'path "x" { capabilities = ["read"] }'},
    "password_policies": {"name": "x", "length": 20, "rules": [{"charset": "abc"}]},
    "secrets": {"mount": "x", "path": "x", "data": {"x": "x"}},
    "secrets_engines": {"path": "x", "type": "kv"},
    "quotas": {"name": "x", "type": "rate-limit", "rate": 5},
    "login_mfa_methods": {"name": "x", "type": "totp", "issuer": "x"},
    "login_mfa_enforcements": {"name": "x", "auth_method_types": ["userpass"], "mfa_methods": ["x"]},
    "ssh_cas": {"mount": "x"},
    "ssh_roles": {"mount": "x", "name": "x", "key_type": "ca", "allow_user_certificates": True},
    "transit_keys": {"mount": "x", "name": "x"},
    "ui_headers": {"name": "X-A", "values": ["x"]},
}


class Recorder:
    """A server that keeps the targets of all requests and knows no path; ``mounts``: answers for tables of mounts."""

    def __init__(self) -> None:
        self.targets: list[str] = []
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                recorder.targets.append(self.path)
                body = json.dumps({"errors": []}).encode()
                self.send_response(404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def __getattr__(self, name: str) -> Any:
                if name.startswith("do_"):
                    return self.answer
                raise AttributeError(name)

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def elsewhere(self, name: str) -> list[str]:
        """Return what was asked for that begins with the name's plain part and is not the name."""
        paths = [unquote(urlsplit(target).path) for target in self.targets]
        return [path for path in paths if PLAIN in path and name not in path]


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    """One for all tests."""
    found = Recorder()
    try:
        yield found
    finally:
        found.server.shutdown()


def naming(spec: Mapping[str, Any]) -> list[str]:
    """Return the options of an entry that name something, and others that become parts of paths."""
    parts = ("issuer_ref", "issuer", "issuer_mount", "db_name", "read_path", "key_name", "default_issuer")
    return [
        name
        for name, option in spec.items()
        if (NAMING.fullmatch(name) or name in parts) and option.get("type", "str") == "str"
    ]


@pytest.mark.parametrize("title", sorted(KINDS))
def test_a_name_is_itself_or_is_refused(title: str, recorder: Recorder, tmp_path: Any) -> None:
    """Every kind, every option that names something, present and absent, in check and applied."""
    kind = KINDS[title]
    client = Client([recorder.url], token="x", retries=0)
    least = json.loads(json.dumps(LEAST.get(title, {"name": "x"})).replace("{tmp}", str(tmp_path)))
    options = RunContext({name: option.get("default") for name, option in kind.options.items()})
    wrong = []
    for option, name, state in itertools.product(naming(kind.item), ODD, ("present", "absent")):
        item = {**dict.fromkeys(kind.item), **least, option: name, "state": state}
        recorder.targets.clear()
        with suppress(SecretopsError):
            apply(plan(kind.resources(client, [item], options), "always", 1), 1)
        if title == "endpoints" and "%" in name:
            # its paths are the API's own, quoted already
            continue
        wrong += [f"{option}={name!r} ({state}): {path}" for path in recorder.elsewhere(name)]
    assert not wrong, "\n".join(wrong)
    # what never asks for anything proves nothing
    recorder.targets.clear()
    item = {**dict.fromkeys(kind.item), **least, "state": "present"}
    with suppress(SecretopsError):
        apply(plan(kind.resources(client, [item], options), "always", 1), 1)
    assert recorder.targets


@pytest.mark.parametrize("method", sorted(LOGINS))
def test_a_login_goes_to_the_named_user_of_the_named_method(method: str, recorder: Recorder, tmp_path: Any) -> None:
    """No mount and no user name makes it another's."""
    client = Client([recorder.url], retries=0)
    least = {"username": "x", "password": "x", "role_id": "x", "jwt": "x", "auth_role": "x", "client_cert": "x"}
    for option, name in itertools.product(("auth_mount", "username"), ODD):
        recorder.targets.clear()
        with suppress(SecretopsError):
            login_for({**least, "client_key": "x", "token": "x", "auth_method": method, option: name}).token(client)
        assert not recorder.elsewhere(name), (option, name, recorder.targets)


@pytest.mark.parametrize("name", ["bob?x=1", "bob#evil", "b%6fb", "bob/", "./bob", "x/../bob"])
def test_nobody_logs_in_under_a_name_of_their_own(name: str, openbao: VaultServer) -> None:
    """Against a real server, with bob's right password."""
    server = openbao.client()
    with suppress(Exception):
        server.sys.enable_auth_method("userpass", path="names")
    server.write_data("auth/names/users/bob", data={"password": "right-password"})
    client = Client([openbao.url], ca_cert=openbao.ca_cert)
    options = {"auth_method": "userpass", "auth_mount": "names", "username": "bob", "password": "right-password"}
    assert login_for(options).token(client)
    with pytest.raises(SecretopsError):
        login_for({**options, "username": name}).token(client)
    with pytest.raises(SecretopsError):
        login_for({**options, "auth_mount": f"names/login/{name}?", "username": "x"}).token(client)


def test_an_empty_mount_of_kv_is_not_the_default_one(run_module: Any, vault_args: Any, openbao: VaultServer) -> None:
    """It would have deleted in ``secret``."""
    server = openbao.client()
    with suppress(Exception):
        server.sys.enable_secrets_engine("kv-v2", path="secret")
    server.secrets.kv.v2.create_or_update_secret("names/kept", {"x": "y"}, mount_point="secret")
    for options in (
        {"mount": "", "path": "names/kept"},
        {"mount": " / ", "path": "names/kept"},
        {"secrets": [{"mount": "", "path": "names/kept"}]},
    ):
        result = run_module("vault_kv", {**vault_args, **options, "state": "absent"})
        assert result.failed and "mount" in result.msg and "empty" in result.msg, result.data
    tree = {"secrets": [{"mount": "", "path": "names/kept", "state": "absent"}]}
    result = run_module("vault_configuration", {**vault_args, "configuration": tree})
    assert result.failed and "configuration.secrets[0].mount is empty" in result.msg, result.data
    assert server.secrets.kv.v2.read_secret_version("names/kept", mount_point="secret")["data"]["data"] == {"x": "y"}


def nameable() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield every module with each option that names something."""
    for module, spec in argument_specs().items():
        for path, option in walk(spec):
            if NAMING.fullmatch(path[-1]) and option.get("type", "str") in ("str", "list", "path"):
                yield module, path


#: a quota of everything, or of any role
MEANS_SOMETHING = {("vault_quota", name) for name in ("path", "role", "quotas.path", "quotas.role")}


def test_every_empty_name_is_refused(run_module: Any) -> None:
    """Of each module one by one: the shortest message of all says which option it is."""
    wrong = []
    for module, path in nameable():
        spec = argument_specs()[module]
        dotted = ".".join(path)
        if (module, dotted) in MEANS_SOMETHING or ".".join(path[-2:]) in MAY_BE_EMPTY:
            continue
        if len(path) > 2 or module not in ("vault_kv", "vault_auth_role", "vault_login", "eso_externalsecret"):
            # the rest goes through the same function: its answer is enough
            value: Any = {path[-1]: ""}
            for depth in range(len(path) - 1, 0, -1):
                inner = spec
                for one in path[:depth]:
                    option = inner[one]
                    inner = option.get("options") or {}
                value = {path[depth - 1]: [value] if option.get("type") == "list" else value}
            if not list(empty_names(value, spec)):
                wrong.append(f"{module}.{dotted}")
            continue
        value = {path[-1]: ""}
        if len(path) == 2:
            value = {path[0]: [value] if spec[path[0]].get("type") == "list" else value}
        result = run_module(module, value)
        if not result.failed or ("empty" not in result.msg and "missing" not in result.msg):
            wrong.append(f"{module}.{dotted}: {result.msg}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_no_object_of_kubernetes_becomes_a_collection_or_another_path(name: str) -> None:
    """urllib3 removes dot segments, and an empty name leaves the collection: DELETE would take all of it."""
    kind = KubeKind("ExternalSecret", "externalsecrets", "external-secrets.io", ("v1",))
    with pytest.raises(SecretopsError):
        kind.path("v1", "apps", name)
    with pytest.raises(SecretopsError):
        kind.path("v1", name, "x")
    assert kind.path("v1") == "/apis/external-secrets.io/v1/externalsecrets"
    assert kind.path("v1", "a/b", "c?d") == "/apis/external-secrets.io/v1/namespaces/a%2Fb/externalsecrets/c%3Fd"
