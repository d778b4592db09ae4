# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing decides by the words of a message: errors have types and attributes, and `wording` translates servers'."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from ansible_collections.secretops.vault_eso.plugins.filter.reasons import git_reason, k8s_reasons
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine import errors
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes import errors as kubernetes
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection import errors as vault
from support.system import ROOT

#: the one file that may look
TRANSLATES = "plugins/module_utils/_engine/wording.py"
#: composes messages: no object is named twice
COMPOSES = "plugins/module_utils/_engine/errors.py"
#: attributes and keys that hold a message, and methods that return one
MESSAGES = frozenset(("what", "where", "remedy", "said", "message", "msg", "content", "stderr"))
KEYS = frozenset(("message", "msg", "stderr"))
RETURNING = frozenset(("text", "sentence"))
#: methods of a text that look into it, and functions that look into their arguments
LOOKING = frozenset(("startswith", "endswith", "find", "rfind", "index", "rindex", "count", "replace"))
LOOKING |= frozenset(("partition", "rpartition", "removeprefix", "removesuffix"))
EXPRESSIONS = frozenset(("search", "match", "fullmatch", "sub", "subn", "findall", "finditer"))
#: methods that give the same message in another form
KEEPING = frozenset(("lower", "upper", "strip", "lstrip", "rstrip", "casefold", "decode", "encode"))
KEEPING |= frozenset(("split", "splitlines", "join", "format"))


class Searches(ast.NodeVisitor):
    """The places of one function or file where a message is searched."""

    def __init__(self) -> None:
        self.found: list[int] = []
        self.names: list[set[str]] = [set()]
        self.caught: list[str] = []

    def is_message(self, node: ast.AST | None) -> bool:
        if isinstance(node, ast.Name):
            return any(node.id in names for names in self.names)
        if isinstance(node, ast.Attribute):
            return node.attr in MESSAGES
        if isinstance(node, ast.Subscript):
            return isinstance(node.slice, ast.Constant) and node.slice.value in KEYS
        if isinstance(node, ast.BoolOp):
            return any(map(self.is_message, node.values))
        if isinstance(node, ast.BinOp):
            return self.is_message(node.left) or self.is_message(node.right)
        if isinstance(node, (ast.Tuple, ast.List)):
            return False
        if isinstance(node, ast.JoinedStr):
            return any(self.is_message(one.value) for one in node.values if isinstance(one, ast.FormattedValue))
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name) and function.id in ("str", "repr") and node.args:
                one = node.args[0]
                return self.is_message(one) or (isinstance(one, ast.Name) and one.id in self.caught)
            if isinstance(function, ast.Attribute):
                if function.attr == "get":
                    return bool(node.args) and isinstance(node.args[0], ast.Constant) and node.args[0].value in KEYS
                if function.attr in KEEPING:
                    return self.is_message(function.value) or any(map(self.is_message, node.args))
                return function.attr in RETURNING and not node.args
        return False

    def _function(self, node: ast.FunctionDef | ast.Lambda) -> None:
        self.names.append(set())
        self.generic_visit(node)
        self.names.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._function(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.caught.append(node.name or "")
        self.generic_visit(node)
        self.caught.pop()

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts))
            for name, value in pairs:
                if isinstance(name, ast.Name) and self.is_message(value):
                    self.names[-1].add(name.id)

    def visit_Compare(self, node: ast.Compare) -> None:
        sides = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, sides, sides[1:]):
            if isinstance(operator, (ast.In, ast.NotIn)):
                looks = self.is_message(right) or (self.is_message(left) and isinstance(right, (ast.Tuple, ast.Set)))
            else:
                texts = [one for one in (left, right) if isinstance(one, ast.Constant) and one.value]
                looks = bool(texts) and (self.is_message(left) or self.is_message(right))
            if looks:
                self.found.append(node.lineno)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        if isinstance(function, ast.Attribute):
            looks = function.attr in LOOKING and self.is_message(function.value)
            looks = looks or (function.attr == "split" and bool(node.args) and self.is_message(function.value))
            if looks or (function.attr in EXPRESSIONS and any(map(self.is_message, node.args))):
                self.found.append(node.lineno)
        self.generic_visit(node)


def searches(source: str) -> list[int]:
    """Return the lines of a source that look into a message."""
    visitor = Searches()
    visitor.visit(ast.parse(source))
    return visitor.found


OFFENCES = (
    'try:\n    f()\nexcept E as error:\n    if "x" in error.what: g()',
    'try:\n    f()\nexcept E as error:\n    if "x" in str(error).lower(): g()',
    'error.what = error.what.replace("x", "")',
    "re.search('x', error.remedy)",
    "PATTERN.findall(' '.join([str(one.get('message'))]))\nPATTERN.findall(str(one.get('message')))",
    "def f(answer):\n    text = answer.text()\n    return text.startswith('x')",
    "def f(answer):\n    return b'x' in answer.content",
    "def f(entry):\n    reason, message = 1, str(entry.get('message') or '')\n    return message.endswith('x')",
    "def f(error):\n    return error.said == 'x'",
)


@pytest.mark.parametrize("source", OFFENCES)
def test_a_search_is_found(source: str) -> None:
    assert searches(source)


def test_no_source_looks_into_a_message() -> None:
    found = []
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if name not in (TRANSLATES, COMPOSES):
            found += ["%s:%d" % (name, line) for line in searches(path.read_text())]
    assert not found, "give the error a type or an attribute, or translate a server's word in %s:\n%s" % (
        TRANSLATES,
        "\n".join(found),
    )


#: what holds a message in a playbook, and what looks into one
HELD = r"(?:\.(?:msg|stderr|message|exception|reason)\b|\[['\"](?:msg|stderr|message)['\"]\])"
LOOKS = r"is\s+(?:not\s+)?(?:search|match|regex)\b|regex_(?:search|findall)|(?:sel|rej)ect\(\s*['\"](?:search|match)"
MAPPED = r"map\(attribute=['\"](?:\w+\.)?(?:msg|stderr|message)['\"]\)[^}]*(?:search|match)"


def texts(node: Any) -> Iterator[tuple[str, str]]:
    """Yield every text of a YAML document, with the key that it stands under."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if isinstance(value, str):
            yield str(key), value
        else:
            yield from texts(value)


def looks_in_yaml(document: Any) -> list[str]:
    """Return the texts of a YAML document that look into a message."""
    every = list(texts(document))
    named = [key for key, text in every if re.search(HELD, text) and re.fullmatch(r"[a-z_][a-z0-9_]*", key)]
    names = [name for name in named if name not in ("msg", "fail_msg", "when", "that", "failed_when", "until", "stdin")]
    held = "|".join([HELD, *(r"\b%s\b" % re.escape(name) for name in names)])
    return [
        text
        for _key, text in every
        if re.search(r"(?:%s)[^}]*?(?:%s)" % (held, LOOKS), text, re.DOTALL)
        or re.search(r"['\"]\s+(?:not\s+)?in\s+[\w.\[\]'\"]*(?:%s)" % HELD, text)
        or re.search(MAPPED, text, re.DOTALL)
    ]


@pytest.mark.parametrize(
    "text",
    (
        "result.msg is search('x')",
        "'x' in result.msg",
        "{{ found | map(attribute='error.msg') | reject('search', 'x') }}",
        "pushed.stderr is not search(words)",
    ),
)
def test_a_search_in_a_playbook_is_found(text: str) -> None:
    assert looks_in_yaml([{"when": text}])
    assert looks_in_yaml([{"when": "said is search('x')", "vars": {"said": "{{ failed.msg | default('') }}"}}])


def test_no_playbook_looks_into_a_message() -> None:
    found = []
    for folder in ("roles", "playbooks"):
        for path in sorted((ROOT / folder).rglob("*.yml")):
            if "collections" in path.relative_to(ROOT).parts or path.is_symlink():
                continue
            for document in yaml.safe_load_all(path.read_text()):
                found += ["%s: %s" % (path.relative_to(ROOT), text[:200]) for text in looks_in_yaml(document)]
    assert not found, "branch on error_code, or on a filter of plugins/filter/reasons.py:\n" + "\n".join(found)


def classes(base: type[errors.SecretopsError]) -> Iterator[type[errors.SecretopsError]]:
    yield base
    for one in base.__subclasses__():
        yield from classes(one)


def test_every_kind_of_error_has_a_code() -> None:
    for module in (vault, kubernetes):
        for one in vars(module).values():
            if isinstance(one, type) and issubclass(one, errors.SecretopsError):
                assert re.fullmatch(r"[a-z_]+", one.code)
    assert vault.Unreachable.code == kubernetes.Unreachable.code == "unreachable"
    assert vault.Unreachable.ends_task and vault.Unreachable.retryable and not vault.VaultError.ends_task
    assert vault.Missing.code == kubernetes.Missing.code == "missing"
    assert vault.Uninitialised.code == "uninitialised" and vault.InvalidToken.code == "token_invalid"


def test_reasons_of_other_collections() -> None:
    missing = {"error": {"msg": 'Failed to create object: b\'{"message":"namespaces \\\\"n\\\\" not found"}\''}}
    unknown = {"error": {"msg": "Failed to find exact match for x/v1.Y by [kind, name, singularName, shortNames]"}}
    assert k8s_reasons({"result": {"results": [{"changed": True}, missing, missing]}}) == ["namespace_missing"]
    assert k8s_reasons({"result": {"results": [unknown, {"error": {"msg": "refused"}}]}}) == ["not_served", "other"]
    assert k8s_reasons(missing) == ["namespace_missing"]
    assert k8s_reasons({"changed": False, "result": {"kind": "Namespace"}}) == []
    assert git_reason("! [rejected] main -> main (fetch first)") == "overtaken"
    assert git_reason("error: pathspec 'main' did not match any file(s) known to git") == "no_branch"
    assert git_reason("fatal: could not read Username") == git_reason(None) == "other"
