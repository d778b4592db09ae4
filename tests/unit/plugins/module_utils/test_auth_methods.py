# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An auth method is one file: nothing else knows it by name, and its login's options are documented as it says."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.secretops.vault_eso.plugins.doc_fragments.lookup import ModuleDocFragment as LookupFragment
from ansible_collections.secretops.vault_eso.plugins.doc_fragments.vault import ModuleDocFragment
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.field import argument_spec, documentation
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth import registry
from ansible_collections.secretops.vault_eso.plugins.plugin_utils import _lookup

ROOT = Path(__file__).resolve().parents[4]
VAULT = ROOT / "plugins" / "module_utils" / "_vault"
METHODS = VAULT / "auth" / "methods"
#: what asks `registry` instead
GENERAL = (
    *sorted(path for path in (VAULT / "auth").glob("*.py") if path.stem != "approle_secret_id"),
    *sorted((VAULT / "connection").glob("*.py")),
    VAULT / "inventory.py",
    VAULT / "base" / "schema.py",
)


def constants(node: ast.AST) -> Iterator[str]:
    """Yield the texts in an operand: itself, or the members of what is written out."""
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def compared(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and name where a source compares with, or looks up, the name of an auth method."""
    names = {name for method in registry.METHODS.values() for name in (method.name, *method.aliases)}
    for node in ast.walk(ast.parse(source)):
        operands: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            operands = [
                one
                for one in (node.left, *node.comparators)
                if isinstance(one, (ast.Constant, ast.Tuple, ast.List, ast.Set))
            ]
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute):
            operands = [node.slice]
        elif isinstance(node, ast.Dict):
            operands = [key for key in node.keys if key is not None]
        for name in names.intersection(*[{text for one in operands for text in constants(one)}]):
            yield node.lineno, name


@pytest.mark.parametrize("path", GENERAL, ids=lambda path: str(path.relative_to(VAULT)))
def test_nothing_general_knows_a_method_by_name(path: Path) -> None:
    # option specs and bodies of requests have a field of the name "token"
    found = [one for one in compared(path.read_text()) if one[1] != "token" or "auth" in path.parts[-2:]]
    assert found == [], "ask `auth.registry`, and say it in the method's own file"


def test_a_comparison_is_found() -> None:
    source = 'if kind == "ldap" or kind in ("jwt", "oidc"):\n    table = {"cert": 1}\nregistry.METHODS["aws"]\n'
    assert {name for _line, name in compared(source)} == {"ldap", "jwt", "oidc", "cert", "aws"}


def test_each_file_is_one_method() -> None:
    files = {path.stem for path in METHODS.glob("*.py")} - {"__init__"}
    assert files == set(registry.METHODS), "give each method its file: `make generate` lists them"
    assert all(name == method.name for name, method in registry.METHODS.items())
    assert all(login.method == name for name, login in registry.LOGINS.items())


def fragment(cls: Any, name: str) -> dict[str, Any]:
    """Return the options of a documentation fragment."""
    options: dict[str, Any] = yaml.safe_load(getattr(cls, name))["options"]
    return options


def test_the_options_of_logins_are_documented_as_they_say() -> None:
    documented = fragment(ModuleDocFragment, "LOGIN")
    assert documented.pop("auth_method")["choices"] == sorted(registry.LOGINS)
    documented.pop("auth_mount")
    assert documented == documentation(registry.login_fields())


def test_lookups_and_sessions_have_the_options_of_logins() -> None:
    names = {"auth_method", "auth_mount", *argument_spec(registry.login_fields())}
    assert set(_lookup.LOGIN) == names
    assert names <= set(fragment(LookupFragment, "DOCUMENTATION"))
    tasks = yaml.safe_load((ROOT / "roles" / "vault_session" / "tasks" / "open.yml").read_text())
    login = next(task["block"][0]["secretops.vault_eso.vault_login"] for task in tasks if "block" in task)
    assert names <= set(login)


@pytest.mark.parametrize(
    ("params", "environment", "chosen"),
    [
        ({}, {}, "token"),
        ({"auth_method": "ldap", "token": "x"}, {}, "ldap"),
        ({}, {"VAULT_APPROLE_ROLE_ID": "x"}, "token"),
        ({}, {"VAULT_APPROLE_ROLE_ID": "x", "BAO_APPROLE_SECRET_ID": "x"}, "approle"),
        ({"token": "x"}, {"VAULT_APPROLE_ROLE_ID": "x", "VAULT_APPROLE_SECRET_ID": "x"}, "token"),
        ({"token_file": "x"}, {"VAULT_APPROLE_ROLE_ID": "x", "VAULT_APPROLE_SECRET_ID": "x"}, "token"),
        ({}, {"VAULT_APPROLE_ROLE_ID": "x", "VAULT_APPROLE_SECRET_ID": "x", "BAO_TOKEN": "x"}, "token"),
    ],
)
def test_the_login_that_options_and_environment_choose(
    params: Mapping[str, str], environment: Mapping[str, str], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TOKEN", "APPROLE_ROLE_ID", "APPROLE_SECRET_ID"):
        for prefix in ("VAULT_", "BAO_"):
            monkeypatch.delenv(prefix + name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert registry.method_of(params).method == chosen


def test_a_method_of_a_namespace_is_known_by_its_other_name() -> None:
    assert registry.type_of({"type": "ns_token"}) == "token"
    assert registry.type_of({"type": "of-a-plugin"}) == "of-a-plugin"
    assert registry.type_of(None) == ""


def test_secrets_of_methods_have_their_names() -> None:
    assert {"bindpass", "token_reviewer_jwt", "oidc_client_secret", "client_tls_key", "password"} <= registry.SECRETS
