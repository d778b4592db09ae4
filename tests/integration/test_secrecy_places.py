# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets where none is expected: in the place of a path, in an address, in what a server says, in what is shown.

All of it goes through the modules' own result: what they print, with the echo of their options, as ``-vvv`` and a
registered result show it.
"""

from __future__ import annotations

import base64
import html
import http.server
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest

from support.canaries import Canaries
from support.modules import run_module
from support.openbao import VaultServer
from support.specs import argument_specs

Form = Callable[[str], str]


def paths(spec: Mapping[str, Any], value: Callable[[str], str], within: str = "") -> dict[str, Any]:
    """Return options with a value for each that takes a path, in entries of lists too."""
    found: dict[str, Any] = {}
    for name, option in spec.items():
        if option.get("type") == "path":
            found[name] = value(within + name)
        elif option.get("elements") == "path":
            found[name] = [value(within + name)]
        elif option.get("options"):
            inner = paths(option["options"], value, f"{within}{name}.")
            if inner:
                found[name] = [inner] if option.get("type") == "list" else inner
    return found


@pytest.mark.parametrize("module", sorted(argument_specs()))
def test_a_secret_in_the_place_of_a_path(module: str) -> None:
    """Refused without being printed, for each form that a secret may have and each option that takes a path."""
    canaries = Canaries()
    forms: dict[str, Form] = {
        "a key": lambda core: f"-----BEGIN PRIVATE KEY-----\n{core}\n-----END PRIVATE KEY-----\n",
        "a token": lambda core: f"hvs.{core}",
        "a random text": lambda core: core + "aB3",
        "a passphrase": lambda core: f"{core}-of-words",
        "two lines": lambda core: f"{core}\nx",
    }
    for form, make in forms.items():
        given = paths(
            argument_specs()[module],
            lambda label, form=form, make=make: make(canaries.new(f"{form}: {label}", odd=False)),
        )  # type: ignore[misc]
        if not given:
            pytest.skip("takes no path")
        # alone, and one of an entry
        flat = {name: value for name, value in given.items() if not isinstance(value, (list, dict))}
        for options in filter(None, (flat, {**{name: value for name, value in given.items() if name not in flat}})):
            result = run_module(module, options)
            assert result.failed, (form, options)
            canaries.absent({f"{module}, {form}": result.stdout + result.stderr})
    # each alone, so that the first of them is not all that was looked at
    for name in {one for one in given if isinstance(given[one], str)}:
        result = run_module(module, {name: "hvs." + canaries.new(name, odd=False)})
        assert result.failed
        canaries.absent({f"{module}.{name}": result.stdout + result.stderr})


def test_environment_variables_that_hold_a_secret_instead_of_a_path(tmp_path: Any) -> None:
    for name in ("VAULT_CACERT", "VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY"):
        for value in ("hunter2hunter2", "hvs.CAESIJ0123456789abcdefghij"):
            result = run_module("vault_info", {"url": ["https://127.0.0.1:1"]}, env={name: value})
            assert result.failed and "no such file" in result.msg
            result.hides(value)
    for name in ("K8S_AUTH_CLIENT_KEY", "K8S_AUTH_KUBECONFIG"):
        result = run_module("eso_info", {}, env={name: "hunter2hunter2"})
        assert result.failed
        result.hides("hunter2hunter2")


ADDRESSES = [
    "https://me:Canary@127.0.0.1:1",
    "HTTPS://me:Can/ary@127.0.0.1:1",
    "https://127.0.0.1:1/?private_token=Canary",
]
ADDRESSES += ["me:Canary@127.0.0.1", "https://Canary@127.0.0.1:1", "Canary0123456789abcdefghij"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_credentials_in_addresses(address: str) -> None:
    """By option, by environment, of Vault, of Kubernetes, of a store."""
    store = {"name": "x", "namespace": "x", "auth": {"token_secret_ref": {"name": "x", "key": "x"}}}
    for result in (
        run_module("vault_info", {"url": [address], "token": "x", "retries": 0}),
        run_module("vault_info", {"token": "x", "retries": 0}, env={"VAULT_ADDR": address}),
        run_module("eso_info", {"host": address, "api_key": "x", "retries": 0}),
        run_module("eso_info", {"api_key": "x", "retries": 0}, env={"K8S_AUTH_HOST": address}),
        run_module("eso_manifests", {"path": "/nonexistent/x", "stores": [{**store, "server": address}]}),
    ):
        assert result.failed
        assert "Canary" not in result.stdout and "ary@" not in result.stdout, result.stdout


def test_credentials_of_a_proxy() -> None:
    """A proxy may want some; no message and no echo holds them."""
    proxy = "http://me:Canary@127.0.0.1:1"
    policy = {"name": "x", "state": "absent", "url": ["https://10.255.255.1"]}
    policy.update(token="x", retries=0, timeout=5)
    for result in (
        run_module("eso_info", {"host": "https://10.255.255.1", "api_key": "x", "proxy": proxy, "retries": 0}),
        *(
            run_module("vault_policy", {**policy, **options}, env=environment)
            for options, environment in (
                ({}, {"HTTPS_PROXY": proxy, "https_proxy": proxy}),
                ({}, {"VAULT_PROXY_ADDR": proxy}),
                ({"proxy": proxy}, {}),
                ({"proxy": proxy.replace("127.0.0.1:1", "[::1")}, {}),
            )
        ),
    ):
        assert result.failed
        result.hides("Canary")


#: by which a module knows a Vault and its token
KNOWN: dict[str, dict[str, Any]] = {
    "sys/health": {"initialized": True, "sealed": False, "standby": False, "version": "2.7.2"},
    "auth/token/lookup-self": {"request_id": "x", "data": {"id": "x", "policies": ["root"], "path": "auth/token/root"}},
}


class Echo:
    """A server that refuses every write, and sends back what it was sent in some form."""

    def __init__(self) -> None:
        self.form: Form = str
        self.sent: list[str] = []
        echo = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                echo.sent.append(text)
                status, said = 404, {"errors": []}
                for path, known in KNOWN.items():
                    if self.command == "GET" and path in self.path:
                        status, said = 200, known
                if self.command not in ("GET", "LIST"):
                    status, said = 400, {"errors": [echo.form(text)], "warnings": [echo.form(text)]}
                body = json.dumps(said).encode()
                self.send_response(status)
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


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    """One for all tests."""
    found = Echo()
    try:
        yield found
    finally:
        found.server.shutdown()


def values(text: str) -> list[str]:
    """Return the texts in a JSON document."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)
        else:
            found.append(str(value))

    walk(json.loads(text or "{}"))
    return found


#: what servers, their libraries and proxies make of what they quote
FORMS: dict[str, Form] = {
    "as JSON": lambda text: f"bad body {text}",
    "in clear": lambda text: "bad values " + ", ".join(values(text)),
    "with blanks joined": lambda text: " ".join(" ".join(values(text)).split()),
    "quoted twice": lambda text: json.dumps(json.dumps(values(text))),
    "as a Python or Go literal": lambda text: repr(values(text)),
    "in a URL": lambda text: "/x?" + "&".join(quote(one) for one in values(text)),
    "in HTML": lambda text: html.escape(", ".join(values(text))),
    "in base64": lambda text: " ".join(base64.b64encode(one.encode()).decode() for one in values(text)),
    "cut": lambda text: "x" * 10 + max(values(text), key=len)[:20],
    "behind much else": lambda text: "y " * 243 + text,
    "behind some more": lambda text: "y " * 240 + " ".join(values(text)),
    "with a terminal's own commands": lambda text: f"\x1b[2J\x1b]0;{values(text)[0]}\x07",
}


@pytest.mark.parametrize("form", list(FORMS))
def test_what_a_server_sends_back(form: str, echo: Echo) -> None:
    """Of logins and of writes, in every form; and nothing of it controls the terminal."""
    canaries = Canaries()
    echo.form = FORMS[form]
    new = canaries.new
    at = {"url": [echo.url], "retries": 0}
    token = {**at, "token": "x"}
    policy = {**at, "name": "x", "state": "absent"}
    cases: list[tuple[str, dict[str, Any]]] = [
        ("vault_policy", {**policy, "auth_method": "userpass", "username": "u", "password": new("password")}),
        (
            "vault_policy",
            {**policy, "auth_method": "approle", "role_id": new("role_id"), "secret_id": new("secret_id")},
        ),
        ("vault_policy", {**policy, "auth_method": "jwt", "auth_role": "r", "jwt": new("jwt")}),
        ("vault_endpoint", {**token, "path": "x/y", "data": {"a": "b"}, "secret_data": {"x": new("secret_data")}}),
        ("vault_identity_entity", {**token, "name": "n", "metadata": {"password": new("metadata", odd=False)}}),
        (
            "vault_auth_role",
            {**token, "mount": "m", "type": "userpass", "name": "n", "secret_options": {"password": new("a user's")}},
        ),
        (
            "vault_configuration",
            {**token, "configuration": {"endpoints": [{"path": "x/y", "secret_data": {"x": [new("tree")]}}]}},
        ),
    ]
    for module, options in cases:
        echo.sent.clear()
        result = run_module(module, options, diff=True)
        assert result.failed
        assert any(core in "".join(echo.sent) for core in canaries.cores.values()), (module, options, result.msg)
        canaries.absent({f"{module}, {form}": result.stdout + result.stderr})
        assert "\x1b" not in result.msg and "\x07" not in result.msg


def test_a_plain_word_as_a_password_is_hidden(echo: Echo) -> None:
    """One of lower-case letters alone, which a server sends back bare."""
    echo.form = lambda _text: 'user correcthorse of correcthorse: bad password "correcthorse"'
    login = {"auth_method": "userpass", "username": "u", "password": "correcthorse"}
    run_module("vault_policy", {"name": "x", "state": "absent", "url": [echo.url], "retries": 0, **login}).hides(
        "correcthorse"
    )


@pytest.mark.parametrize("word", ["module", "true", "admin", "see", "vault", "root", "server", "policy", "a"])
def test_a_common_word_as_a_password_leaves_messages_alone(word: str, echo: Echo, openbao: VaultServer) -> None:
    echo.form = lambda _text: f'user {word} of {word}: bad password "{word}"'
    options = {
        "name": "x",
        "state": "absent",
        "url": [echo.url],
        "retries": 0,
        "auth_method": "userpass",
        "username": "u",
        "password": word,
    }
    refused = run_module("vault_policy", options)
    # whole words of a server's text are taken out, as nobody can tell by what they were put there; our own stay
    assert (f"user {word} of {word}" in refused.msg) == (word == "a")
    assert "check the credentials, the role and that" in refused.msg
    assert f'bad password "{word}"' not in refused.msg or word == "a"
    assert "********" not in refused.stdout
    unknown = run_module("vault_policy", {**options, "pasword": "x"})
    assert "Unsupported parameters for" in unknown.msg and "module" in unknown.msg
    assert "********" not in unknown.stdout
    reached = {"url": [openbao.url], "ca_cert": openbao.ca_cert, "token": openbao.token}
    done = run_module(
        "vault_kv",
        {
            **reached,
            "mount": "secret",
            "path": f"words/{word}",
            "data": {"password": word},
        },
        check=True,
        diff=True,
    )
    assert "********" not in done.stdout
    assert done["invocation"]["module_args"]["data"] != {"password": word}
    assert f"password: {word}" not in json.dumps(done.data.get("diff"))


def test_what_options_hold_by_their_names_is_not_in_the_echo(openbao: VaultServer) -> None:
    """As ``-vvv`` and a registered result would show it."""
    canaries = Canaries()
    at = {"url": [openbao.url], "ca_cert": openbao.ca_cert, "token": openbao.token}
    new = canaries.new
    cases: list[tuple[str, dict[str, Any]]] = [
        ("vault_identity_entity", {"name": "places", "metadata": {"password": new("metadata.password", odd=False)}}),
        (
            "vault_identity_entity",
            {"entities": [{"name": "p2", "metadata": {"api_token": new("list", odd=False)}}]},
        ),
        (
            "vault_kv",
            {
                "mount": "secret",
                "path": "places",
                "data": {"a": "b"},
                "metadata": {"custom_metadata": {"password": new("cm", odd=False)}},
            },
        ),
        (
            "vault_audit",
            {"path": "places", "type": "http", "options": {"headers": {"Authorization": new("headers.Authorization")}}},
        ),
        (
            "vault_database_role",
            {
                "name": "x",
                "db_name": "x",
                "creation_statements": ["x"],
                "options": {"password": new("options.password")},
            },
        ),
        ("vault_endpoint", {"path": "x/y", "data": {"config": {"client_secret": new("data.client_secret")}}}),
        (
            "vault_auth_role",
            {"mount": "x", "name": "x", "options": {"bind": {"password": new("bind")}}},
        ),
    ]
    for module, options in cases:
        for check in (True, False):
            result = run_module(module, {**at, **options}, check=check, diff=True)
            canaries.absent({f"{module} {options}"[:200]: result.stdout + result.stderr})


def test_what_stands_at_a_kv_path_is_not_shown_by_an_endpoint(openbao: VaultServer) -> None:
    """Whatever its name: it was written as a secret, by hand or by another tool."""
    server = openbao.client()
    server.sys.enable_secrets_engine("kv", path="places-kv", options={"version": "1"})
    server.write_data("places-kv/app", data={"note": "Canary-by-hand", "other": "x"})
    at = {"url": [openbao.url], "ca_cert": openbao.ca_cert, "token": openbao.token}
    for check in (True, False):
        options = {"path": "places-kv/app", "data": {"note": "Canary-declared"}}
        result = run_module("vault_endpoint", {**at, **options}, check=check, diff=True)
        assert result.changed
        shown = json.dumps(result.data.get("diff"))
        assert "note" in shown and "Canary" not in shown, shown
    # what is no such engine is shown as before
    server.sys.create_or_update_policy("places", 'path "x" { capabilities = ["read"] }')
    options = {"path": "auth/token/roles/places", "data": {"token_explicit_max_ttl": 60}, "compare": {}}
    result = run_module("vault_endpoint", {**at, **options}, check=True, diff=True)
    assert "token_explicit_max_ttl: 60" in json.dumps(result.data.get("diff")), result.data
