# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of a resource (`_engine.resource.Resource`), over all kinds of Vault.

Neither a constructor nor `check` asks a server, and nobody changes what was declared. The declarations are those of the
modules' examples and of `support.generated`.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.module import bulk_spec
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.base.kind import Kind, RunContext
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.configuration import KINDS
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.client import Client
from support import generated
from support.specs import examples

MODULE_UTILS = Path(__file__).resolve().parents[4] / "plugins" / "module_utils"
#: what changes a list or a mapping
MUTATORS = frozenset(
    ("append", "clear", "extend", "insert", "pop", "popitem", "remove", "setdefault", "sort", "update")
)


class Asked(BaseException):
    """A server was asked. No Exception, so that nothing takes it for an answer."""


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client whose every request raises, in whatever namespace."""

    def send(_self: Client, _url: str, method: str, path: str, *_more: Any) -> None:
        raise Asked(f"{method} {path}")

    monkeypatch.setattr(Client, "send", send)
    return Client(["http://127.0.0.1:1"], token="none")


def declared(title: str, kind: Kind) -> list[dict[str, Any]]:
    """Return declarations of a kind."""
    found: list[Mapping[str, Any]] = []
    for options in examples(kind.module):
        many = options.get(kind.plural)
        found += many if isinstance(many, list) else [{name: options[name] for name in options if name in kind.item}]
    found += [{**row.entry, **change} for row in generated.ROWS if row.kind == title for change, _answer in row.changes]
    found += [base.item for base in generated.BASES if base.kind == title]
    found = [{**item, "name": item["name"].replace("{n}", "1")} if "name" in item else item for item in found]
    return [dict(item) for item in found if not set(kind.required) - set(item)]


def broken(title: str, kind: Kind, client: Client) -> list[str]:
    """Return what a kind does against the contract."""
    spec = {title: dict(bulk_spec(kind.item, kind.plural, kind.required)[kind.plural], required=True)}
    options = ArgumentSpecValidator(dict(kind.options)).validate({}).validated_parameters
    problems: list[str] = []
    passed = 0
    for item in declared(title, kind):
        for state in ("present", "absent"):
            found = ArgumentSpecValidator(spec).validate({title: [{**item, "state": state}]})
            assert not found.error_messages, (item, found.error_messages)
            try:
                for one in kind.resources(client, found.validated_parameters[title], RunContext(options)):
                    before = copy.deepcopy(one.desired)
                    # some is refused: an example has a template where a value is to be, or is of no use when absent
                    with suppress(InvalidInput):
                        one.check()
                        passed += 1
                    if one.desired != before:
                        problems.append(f"{one.label}: check made {one.desired} of {before}")
            except InvalidInput:
                continue
            except Asked as asked:
                problems.append(f"{item.get('name') or item}: {asked}")
    assert passed or problems, f"no declaration of {title} passes its check"
    return problems


@pytest.mark.parametrize("title", KINDS)
def test_check_is_pure(title: str, client: Client) -> None:
    problems = broken(title, KINDS[title], client)
    assert problems == [], "ask in `preflight`, `read` or `resolve`"


def mutations(tree: ast.AST) -> Iterator[str]:
    """Yield ``Class.method`` for each method but the constructor that changes ``self.desired``."""

    def of_desired(node: ast.AST) -> bool:
        while isinstance(node, (ast.Subscript, ast.Attribute)):
            if isinstance(node, ast.Attribute) and node.attr == "desired":
                return isinstance(node.value, ast.Name) and node.value.id == "self"
            node = node.value
        return False

    def changed(node: ast.AST) -> Iterator[ast.AST]:
        if isinstance(node, (ast.Assign, ast.Delete)):
            for target in node.targets:
                yield from target.elts if isinstance(target, ast.Tuple) else [target]
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
            yield node.target
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
            yield node.func.value

    for kind in ast.walk(tree):
        for method in kind.body if isinstance(kind, ast.ClassDef) else ():
            if not isinstance(method, ast.FunctionDef) or method.name == "__init__":
                continue
            if any(of_desired(one) for node in ast.walk(method) for one in changed(node)):
                yield f"{kind.name}.{method.name}"


def test_nobody_rewrites_what_was_declared() -> None:
    engine = MODULE_UTILS / "_engine" / "resource.py"
    files = [path for path in sorted(MODULE_UTILS.rglob("*.py")) if path != engine]
    found = {name for path in files for name in mutations(ast.parse(path.read_text()))}
    assert found == set(), "put what depends on what stands into `resolve`"
    # the engine's own, for all kinds alike
    assert set(mutations(ast.parse(engine.read_text()))) == {"Resource.convert_durations"}
