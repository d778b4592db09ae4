# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A misspelt field is refused before its mount is there, in check mode as well, for every form of `known_fields`.

The trees are converged in this process, by the code that vault_configuration runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import SecretopsError
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.report import Report
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth import registry
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.base import known_fields, schema
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.configuration import KINDS, Tree
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.client import Client
from support import generated
from support.openbao import VaultServer

from .test_generated_partial import Api, other_servers

__all__ = ["other_servers"]

#: what the methods of `auth.registry` and `known_fields` tell of
FORMS = sorted(
    {
        *(form for forms in (known_fields.COMMON, *known_fields.ONLY.values()) for form in forms),
        *(f"auth/{name} {place}" for name, method in registry.METHODS.items() for place in method.known_places),
    }
)

#: options that take any field; those of audit devices and mounts are compared by what the server answers
FREE = ("options", "config")
#: kinds that have some, and need no mount or are checked otherwise
WITHOUT = {
    "audit_devices": "the server itself refuses what it does not know",
    "database_connections": "a plugin keeps every field, known or not",
    "secrets_engines": "a mount keeps every option, known or not; its configuration is typed",
}


def declared(form: str, fields: dict[str, Any], mount: str) -> tuple[str, dict[str, Any]]:
    """Return kind and entry of an object inside a mount, with some fields."""
    sort, _blank, folder = form.partition(" ")
    if sort.startswith("auth/"):
        kind = sort[len("auth/") :]
        if folder.startswith("config") and folder != "config/sts":
            return "auth_methods", {"type": kind, "path": mount, "config": fields}
        subjects = {one.folder: one.subject for one in registry.METHODS[kind].entries if one.subject}
        subject = {"subject": subjects[folder]} if folder in subjects else {}
        mount = "token" if kind == "token" else mount
        return "auth_roles", {"name": "one", "mount": mount, "type": kind, "options": fields, **subject}
    if form == "database static-roles":
        # right without the fields: what a declaration lacks is refused before a server is asked
        some = {"type": "static", "db_name": "one", "db_username": "one", "rotation_period": "1h"}
        some = {name: value for name, value in some.items() if name not in fields}
        return "database_roles", {"name": "one", "mount": mount, "options": fields, **some}
    if form == "database roles":
        return "database_roles", {"name": "one", "mount": mount, "db_name": "one", "options": fields}
    if form == "pki config/acme":
        return "pki_acme", {"mount": mount, **fields}
    return "pki_roles", {"name": "one", "mount": mount, "options": fields}


def remembered(product: str, form: str) -> frozenset[str]:
    """Return what the collection knows of a form, for a mount that nobody can ask."""
    sort, _blank, folder = form.partition(" ")
    if sort.startswith("auth/"):
        return registry.METHODS[sort[len("auth/") :]].known(product, folder)
    return known_fields.known(product, form)


def tree_of(form: str, fields: dict[str, Any], mount: str) -> dict[str, Any]:
    """Return a tree that declares the object, and the mount that it is in."""
    kind, entry = declared(form, fields, mount)
    sort = form.partition(" ")[0]
    if sort == "auth/token":
        return {kind: [entry]}
    if kind == "auth_methods":
        return {kind: [entry]}
    if sort.startswith("auth/"):
        return {"auth_methods": [{"type": sort[len("auth/") :], "path": mount}], kind: [entry]}
    return {"secrets_engines": [{"type": sort, "path": mount}], kind: [entry]}


def run(client: Client, tree: dict[str, Any], check: bool) -> Report | str:
    """Converge a tree; the sentence that refuses it before anything changes."""
    made = Tree(tree, check_mode=check)
    try:
        made.validate()
        made.check(client)
        return made.converge(client, "on_create", 1)
    except SecretopsError as error:
        return str(error)


def said(found: Report | str) -> str:
    return found if isinstance(found, str) else found.message()


@pytest.fixture
def clients(unique: str) -> Iterator[Callable[[VaultServer], tuple[Api, Client]]]:
    """A function that returns the plain API and a client, both inside a fresh namespace."""
    made: list[Client] = []

    def make(server: VaultServer) -> tuple[Api, Client]:
        namespace = f"known-{unique}"
        Api(server, "")("POST", f"sys/namespaces/{namespace}")
        options: dict[str, Any] = {"token": server.token, "ca_cert": server.ca_cert, "timeout": 10, "retries": 0}
        made.append(Client([server.url], namespace=namespace, **options))
        return Api(server, namespace), made[-1]

    yield make
    for client in made:
        client.close()


def mounts(api: Api) -> set[str]:
    """Return all that is mounted."""
    return {f"{table} {path}" for table in ("sys/auth", "sys/mounts") for path in api("GET", table)["data"]}


def able(api: Api, form: str) -> bool:
    """Tell whether the server has what the form belongs to."""
    kind = form.partition(" ")[0]
    catalog = api("GET", "sys/plugins/catalog")["data"]
    known = [*(f"auth/{name}" for name in catalog["auth"]), "auth/token", *catalog["secret"], "database"]
    return kind in known


def servers_of(openbao: VaultServer, other_servers: Callable[[str], VaultServer]) -> list[VaultServer]:
    """Return the shared server, and one that has LDAP where that is another."""
    return [openbao] if openbao.product == "vault" else [openbao, other_servers("2.6.2")]


def test_what_is_remembered_is_what_the_server_tells(
    openbao: VaultServer, other_servers: Callable[[str], VaultServer], clients: Callable[..., tuple[Api, Client]]
) -> None:
    seen = set()
    for server in servers_of(openbao, other_servers):
        api, _client = clients(server)
        for form in [form for form in FORMS if able(api, form)]:
            sort, _blank, folder = form.partition(" ")
            mount = sort if sort == "auth/token" else sort.replace("/", "/of-") if "/" in sort else f"of-{sort}"
            if f"sys/{mount}" not in seen and sort != "auth/token":
                table = "sys/" if sort.startswith("auth/") else "sys/mounts/"
                if not any(line.endswith(f" {mount.rpartition('/')[2]}/") for line in mounts(api)):
                    api("POST", f"{table}{mount}", {"type": sort.rpartition("/")[2]})
            name = "" if folder.startswith("config") and folder != "config/sts" else "/one"
            told = schema.properties(api("GET", f"{mount}/{folder}{name}?help=1"))
            assert told, form
            known = remembered(server.product, form)
            assert told <= known, f"{form}: add {sorted(told - known)} to its method, or to known_fields"
            seen.add(form)
    missing = {form for form in FORMS if remembered(openbao.product, form)} - seen
    assert not missing, "nothing has been asked for these"


def changed_anything(api: Api, client: Client, tree: dict[str, Any]) -> str:
    """Return what is wrong with how a tree with a misspelt field is taken; a text without anything when nothing is."""
    before = mounts(api)
    for check in (True, False):
        found = run(client, tree, check)
        if not isinstance(found, str) or "nonsensical_field" not in found:
            return f"check {check}: {said(found) or 'taken'}"
    return f"made {mounts(api) - before}" if mounts(api) != before else ""


@pytest.mark.parametrize("elsewhere", [False, True], ids=["remembered", "another mount is asked"])
def test_a_misspelt_field_is_refused_before_anything_changes(
    openbao: VaultServer,
    other_servers: Callable[[str], VaultServer],
    clients: Callable[..., tuple[Api, Client]],
    monkeypatch: pytest.MonkeyPatch,
    elsewhere: bool,
) -> None:
    if elsewhere:
        # so that nothing else can have refused it
        monkeypatch.setattr(schema.Fields, "_remembered", lambda *_place: frozenset())
    findings = []
    tried: set[str] = set()
    for server in servers_of(openbao, other_servers):
        api, client = clients(server)
        # the fields of ACME are options of the module: nothing to misspell
        for form in [one for one in FORMS if able(api, one) and one not in tried and one != "pki config/acme"]:
            sort, kind = form.partition(" ")[0], form.partition(" ")[0].rpartition("/")[2]
            table = "sys/auth" if sort.startswith("auth/") else "sys/mounts"
            if elsewhere and sort != "auth/token" and f"{table} there-{kind}/" not in mounts(api):
                api("POST", f"{table}/there-{kind}", {"type": kind})
            tried.add(form)
            wrong = changed_anything(api, client, tree_of(form, {"nonsensical_field": "x"}, f"new-{len(tried)}"))
            findings += [f"{form}: {wrong}"] if wrong else []
    assert not findings, "\n".join(findings)


def test_inside_a_namespace_that_is_not_there_yet(
    clients: Callable[..., tuple[Api, Client]], openbao: VaultServer
) -> None:
    api, client = clients(openbao)
    tree = tree_of("auth/kubernetes config", {"nonsensical_field": "x"}, "new")
    found = {"namespaces": [{"name": "below"}], "inside": {"below": tree}}
    assert changed_anything(api, client, found) == ""
    assert client.list("sys/namespaces") == []


def test_a_token_that_is_of_the_namespace_alone(
    clients: Callable[..., tuple[Api, Client]], openbao: VaultServer
) -> None:
    api, client = clients(openbao)
    api(
        "PUT",
        "sys/policies/acl/all",
        {"policy": 'path "*" { capabilities = ["create", "read", "update", "list", "sudo"] }'},
    )
    client.token = api("POST", "auth/token/create", {"policies": ["all"]})["auth"]["client_token"]
    assert changed_anything(api, client, tree_of("auth/cert config", {"nonsensical_field": "x"}, "new")) == ""
    done = run(client, tree_of("auth/cert config", {"ocsp_cache_size": 7}, "new"), check=False)
    assert isinstance(done, Report) and done.changed and not done.failed, said(done)


def test_a_newer_server_is_asked_before_anything_else_is_written(
    new_server: Callable[..., VaultServer], clients: Callable[..., tuple[Api, Client]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_fields, "UP_TO", {})
    # on one where other tests have mounted the type, that mount would be asked
    api, client = clients(new_server())
    before = mounts(api)
    form = "auth/kubernetes config"
    tree = tree_of(form, {"kubernetes_host": "https://host.example", "nonsensical_field": "x"}, "new")
    checked = run(client, tree, check=True)
    assert isinstance(checked, Report) and not checked.failed
    warnings = [text for one in checked.changes for text in one.resource.warnings]
    assert any("may not know" in text and "nonsensical_field" in text for text in warnings), warnings
    done = run(client, tree, check=False)
    assert isinstance(done, Report) and "nonsensical_field" in done.message()
    assert not done.changed and mounts(api) == before
    misspelt = run(client, tree_of(form, {"kubernetes_hosts": "https://host.example"}, "new"), check=True)
    assert isinstance(misspelt, str) and 'did you mean "kubernetes_host"?' in misspelt
    # what the server does know is not warned of once that is certain
    monkeypatch.setattr(schema.Fields, "_remembered", lambda *_place: frozenset(("kubernetes_host",)))
    fields = {"kubernetes_host": "https://host.example", "issuer": "x", "kubernetes_ca_cert": generated.CERTIFICATE}
    taken = run(client, tree_of(form, fields, "new"), check=False)
    assert isinstance(taken, Report) and taken.changed and not taken.failed, said(taken)
    assert [text for one in taken.changes for text in one.resource.warnings if "may not know" in text] == []


def test_every_kind_with_free_fields_is_there() -> None:
    free = {
        name
        for name, kind in KINDS.items()
        if any(kind.item.get(one, {}).get("type") == "dict" and "options" not in kind.item[one] for one in FREE)
    }
    there = {declared(form, {}, "x")[0] for form in FORMS}
    assert free - there - set(WITHOUT) == set(), "give its fields a form in known_fields, or say why not in WITHOUT"
