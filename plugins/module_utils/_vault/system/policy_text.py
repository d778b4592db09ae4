# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The text of ACL policies: made of rules, checked, and filled in. Pure: no I/O.

Source: /docs/concepts/policies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..._engine import normalise
from ..._engine.errors import InvalidInput

CAPABILITIES = (
    "create",
    "read",
    "update",
    "patch",
    "delete",
    "list",
    "scan",
    "sudo",
    "deny",
    "subscribe",
    "recover",
    "root",
)
#: ``{{identity.entity.aliases[kubernetes/eu].…}}``: the server knows auth methods by their accessors only, and no
#: template of its own has brackets, so that one that names a path cannot be mistaken
_ALIAS = re.compile(r"(\{\{\s*identity\.entity\.aliases)\[([^\]{}\"]*)\]")
_ACCESSOR = re.compile(r"(\{\{\s*identity\.entity\.aliases)\.([\w-]+)(?=\.)")
_BLOCK = re.compile(r"capabilities\s*=\s*\[([^\]]*)\]")
_LEXEME = re.compile(r'"(?:\\.|[^"\\\n])*"|#[^\n]*|//[^\n]*|/\*.*?\*/|<<-?(\w+)\n.*?\n\s*\1|["{}\[\]]', re.DOTALL)


def fill_accessors(policy: str, accessor: Callable[[str], str]) -> str:
    """Return a policy with the accessor in place of each auth method that a template names by its path.

    ``accessor`` is called with the path, without slashes at its ends and without ``auth/`` before it.
    """

    def fill(match: re.Match[str]) -> str:
        path = normalise.path(match.group(2))
        return "%s.%s" % (match.group(1), accessor(path[len("auth/") :] if path.startswith("auth/") else path))

    return _ALIAS.sub(fill, policy)


def name_accessors(policy: str, path: Callable[[str], str]) -> str:
    """Return a policy with the path in place of the accessor of each auth method: the reverse of `fill_accessors`.

    ``path`` is called with the accessor, and returns "" for one of no auth method.
    """

    def name(match: re.Match[str]) -> str:
        found = path(match.group(2))
        return "%s[%s]" % (match.group(1), found) if found else match.group(0)

    return _ACCESSOR.sub(name, policy)


def _literal(value: Any) -> str:
    """Return HCL for texts, booleans and lists of them; HCL knows no pairs of escapes for one character."""
    return json.dumps(value, ensure_ascii=False)


def render(rules: Iterable[Mapping[str, Any]]) -> str:
    """Return HCL for structured rules: the same text for the same rules.

    Each rule has ``path``, ``capabilities`` and optionally ``description``, ``allowed_parameters``,
    ``denied_parameters``, ``required_parameters``, ``min_wrapping_ttl``, ``max_wrapping_ttl``.
    """
    blocks = []
    for rule in rules:
        lines = ["# %s" % line for line in (rule.get("description") or "").splitlines()]
        lines.append("path %s {" % _literal(rule["path"]))
        lines.append("  capabilities = %s" % json.dumps(list(rule["capabilities"])))
        for name in ("allowed_parameters", "denied_parameters"):
            if rule.get(name):
                lines.append("  %s = {" % name)
                lines += [
                    "    %s = %s" % (_literal(key), _literal(value if isinstance(value, list) else [value]))
                    for key, value in sorted(rule[name].items())
                ]
                lines.append("  }")
        if rule.get("required_parameters"):
            lines.append("  required_parameters = %s" % _literal(list(rule["required_parameters"])))
        for name in ("min_wrapping_ttl", "max_wrapping_ttl"):
            if rule.get(name):
                lines.append("  %s = %s" % (name, json.dumps(normalise.span(rule[name]))))
        blocks.append("\n".join(lines + ["}"]))
    return "\n\n".join(blocks) + "\n"


def check_hcl(policy: str) -> None:
    """Refuse HCL with unbalanced quotes, braces or brackets, or an unknown capability. Raises InvalidInput.

    The server parses the rest; this finds before anything changes what can be found without a parser.
    """
    closing, depth = {"}": "{", "]": "["}, []
    for match in _LEXEME.finditer(policy):
        line = policy.count("\n", 0, match.start()) + 1
        lexeme = match.group(0)
        if lexeme == '"':
            raise InvalidInput("syntax error in line %d: a string is not closed" % line, remedy="close it with a quote")
        if lexeme in "{[":
            depth.append((lexeme, line))
        elif lexeme in closing and (not depth or depth.pop()[0] != closing[lexeme]):
            raise InvalidInput('syntax error in line %d: "%s" closes nothing' % (line, lexeme), remedy="remove it")
    if depth:
        raise InvalidInput('syntax error: "%s" of line %d is not closed' % depth[-1], remedy="close it")
    for match in _BLOCK.finditer(policy):
        check_capabilities(re.findall(r'"([^"]*)"', match.group(1)))


def check_capabilities(names: Iterable[str]) -> None:
    """Refuse an unknown capability. Raises InvalidInput."""
    for name in names:
        if name not in CAPABILITIES:
            raise InvalidInput('unknown capability "%s"' % name, remedy="use %s" % ", ".join(CAPABILITIES))


def check_rule(rule: Mapping[str, Any]) -> None:
    """Refuse what the server would refuse, or would take and never apply. Raises InvalidInput.

    It takes numbers as values of parameters, and finds none of them equal to what a request holds.
    """
    check_capabilities(rule["capabilities"])
    for name in ("allowed_parameters", "denied_parameters"):
        for parameter, values in (rule.get(name) or {}).items():
            _check_values('rule "%s", "%s" of %s' % (rule["path"], parameter, name), values)
    shortest, longest = (normalise.seconds(rule.get(name)) for name in ("min_wrapping_ttl", "max_wrapping_ttl"))
    if shortest and longest and shortest > longest:
        raise InvalidInput(
            'rule "%s": min_wrapping_ttl is longer than max_wrapping_ttl' % rule["path"],
            remedy="correct one of the two",
        )


def _check_values(where: str, value: Any) -> None:
    """Refuse what is neither text nor boolean nor a list of such. Raises InvalidInput."""
    if isinstance(value, list):
        for one in value:
            _check_values(where, one)
    elif value is None or isinstance(value, dict):
        raise InvalidInput(
            "%s: %s is not a value of a parameter" % (where, "nothing" if value is None else "a mapping"),
            remedy="give a list of texts, or an empty list for any value",
        )
    elif not isinstance(value, (str, bool)):
        raise InvalidInput(
            "%s: the server never finds the number %s in a request" % (where, value),
            remedy='write it as text ("%s"), for requests that send it as text' % value,
        )
