# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Password policies: how passwords are made. Source: /api-docs/system/policies-password."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from ..._engine import normalise
from ..._engine.errors import InvalidInput
from ..._engine.field import Field
from ..._engine.resource import Change, Resource
from ..base import purge
from ..base.kind import PURGE, Kind, RunContext
from ..base.listing import Listing
from ..base.naming import check_name, in_url
from ..connection.client import Client
from .policy_text import check_hcl

#: characters in a password that the server permits
SHORTEST, LONGEST = 4, 100
#: a rule's number of characters, as the server calls it
MINIMUM = "min-chars"
#: how it is written wrongly, in HCL and in JSON
_MISSPELT = re.compile(r'\b(min_chars|minchars|min_char|min-char)\b"?\s*[=:]', re.IGNORECASE)
_TOKEN = re.compile(
    r'\s+|#[^\n]*|//[^\n]*|/\*.*?\*/|(?P<string>"(?:\\.|[^"\\\n])*")|(?P<number>\d+)|(?P<name>[A-Za-z_][\w-]*)'
    r"|(?P<mark>[{}=])",
    re.DOTALL,
)


def characters(charset: Any) -> str:
    """Return the distinct characters of a set, sorted: their order means nothing."""
    return "".join(sorted(set(normalise.scalar(charset))))


def _quoted(charset: str) -> str:
    # "${" opens an interpolation in HCL; a set has no order, so the two simply change places
    return json.dumps(charset.replace("${", "{$"), ensure_ascii=False)


def render(length: int, rules: Iterable[Mapping[str, Any]]) -> str:
    """Return HCL for a length and rules of ``charset`` and ``min_chars``: the same text for the same policy.

    The server's own word is ``min-chars``; it drops any other without a word.
    """
    text = "length = %d\n" % length
    for rule in rules:
        text += '\nrule "charset" {\n  charset   = %s\n' % _quoted(str(rule["charset"]))
        if rule.get("min_chars"):
            text += "  min-chars = %d\n" % rule["min_chars"]
        text += "}\n"
    return text


def _tokens(text: str) -> list[tuple[str, Any]]:
    found, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError("unexpected character")
        position = match.end()
        if match.lastgroup == "string":
            found.append(("string", json.loads(match.group("string"))))
        elif match.lastgroup == "number":
            found.append(("number", int(match.group("number"))))
        elif match.lastgroup:
            found.append((match.lastgroup, match.group(match.lastgroup)))
    return found


def parse(text: str) -> dict[str, Any]:
    """Return ``length`` and ``rules`` of a policy in HCL. Raises ValueError for what is more than that."""
    tokens = [*_tokens(text), ("end", None)]
    found: dict[str, Any] = {"length": None, "rules": []}

    def take(*wanted: tuple[str, Any]) -> list[Any]:
        taken, tokens[: len(wanted)] = tokens[: len(wanted)], []
        if len(taken) < len(wanted):
            raise ValueError("ends too early")
        for (kind, value), (wanted_kind, wanted_value) in zip(taken, wanted):
            if kind != wanted_kind or wanted_value not in (None, value):
                raise ValueError("not a plain password policy")
        return [value for _kind, value in taken]

    while tokens and tokens[0][0] != "end":
        if tokens[0] == ("name", "length"):
            found["length"] = take(("name", None), ("mark", "="), ("number", None))[2]
            continue
        take(("name", "rule"), ("string", "charset"), ("mark", "{"))
        rule: dict[str, Any] = {"charset": "", MINIMUM: 0}
        while tokens and tokens[0] != ("mark", "}"):
            kind = "string" if tokens[0][1] == "charset" else "number"
            name, _equals, value = take(("name", None), ("mark", "="), (kind, None))
            if name not in rule:
                raise ValueError("not a plain password policy")
            rule[name] = value
        take(("mark", "}"))
        found["rules"].append({"charset": rule["charset"], "min_chars": rule[MINIMUM]})
    return found


def canonical(text: Any) -> Any:
    """Return a policy in the one form in which equality means equality; what is no plain HCL stays text or data."""
    try:
        policy = parse(normalise.scalar(text))
    except ValueError:
        return normalise.as_json(normalise.text(text))
    rules = sorted((characters(rule["charset"]), rule["min_chars"]) for rule in policy["rules"])
    return {"length": policy["length"], "rules": rules}


FIELDS: Sequence[Field] = (
    Field("name", "Name of the policy.", sent=False),
    Field("length", "How many characters a password has, 4 to 100.", type="int", sent=False),
    Field(
        "rules",
        "What a password is made of. Its characters come from all charsets together.",
        type="list",
        elements="dict",
        fields=(
            Field("charset", "The characters.", required=True),
            Field("min_chars", "How many of them a password has at least.", type="int", default=0),
        ),
        sent=False,
    ),
    Field(
        "policy",
        "The policy as HCL or JSON text, or as data. Excludes O(length) and O(rules).",
        type="raw",
        normaliser=canonical,
    ),
)


class PasswordPolicy(Resource):
    """One password policy: ``policy`` as HCL, or ``length`` and ``rules`` as data."""

    kind = "password policy"
    fields = {"policy": canonical}

    def __init__(self, client: Client, item: Mapping[str, Any]) -> None:
        self.client = client
        self.item = item
        desired = None
        if item["state"] != "absent":
            policy = normalise.document(item.get("policy"))
            if policy is None and item.get("length") is not None and item.get("rules"):
                policy = render(item["length"], item["rules"])
            desired = {"policy": policy}
        super().__init__(normalise.path(item["name"]), desired)

    def check(self) -> None:
        check_name(self.name, "use letters, digits, - _ . /")
        if self.desired is None:
            return
        structured = self.item.get("length") is not None or self.item.get("rules") is not None
        if self.item.get("policy") is not None and structured:
            raise InvalidInput('"policy" and "length" with "rules" contradict each other', remedy="give one of the two")
        if self.item.get("length") is not None and self.item["length"] < SHORTEST:
            raise InvalidInput(
                "the length is %d" % self.item["length"], remedy="use %d to %d characters" % (SHORTEST, LONGEST)
            )
        text = normalise.scalar(self.desired.get("policy"))
        if not text.strip():
            raise InvalidInput("no content", remedy='give "length" and "rules", or "policy"')
        misspelt = _MISSPELT.search(text)
        if misspelt:
            raise InvalidInput(
                'the server ignores "%s" in a policy, and would enforce nothing' % misspelt.group(1),
                remedy='write "%s"' % MINIMUM,
            )
        try:
            policy = parse(text)
        except ValueError:
            check_hcl(text)
            return
        self._check_policy(policy["length"], policy["rules"])

    @staticmethod
    def _check_policy(length: int | None, rules: list[dict[str, Any]]) -> None:
        if length is None or not SHORTEST <= length <= LONGEST:
            raise InvalidInput("the length is %s" % length, remedy="use %d to %d characters" % (SHORTEST, LONGEST))
        if not rules or not all(rule["charset"] for rule in rules):
            raise InvalidInput("a rule without characters, or no rule at all", remedy='give each rule a "charset"')
        # the server takes this, and then never makes a password
        least = sum(rule["min_chars"] for rule in rules)
        if least > length:
            raise InvalidInput(
                "the rules ask for %d characters, and the length is %d" % (least, length),
                remedy='raise "length", or lower "min_chars"',
            )
        for rule in rules:
            if not rule["charset"].isprintable():
                raise InvalidInput("a charset holds characters that cannot be printed", remedy="remove them")

    @property
    def _path(self) -> str:
        return "sys/policies/password/%s" % in_url(self.name)

    def read(self) -> Mapping[str, Any] | None:
        data = self.client.read(self._path)
        return None if data is None else {"policy": data.get("policy") or ""}

    def write(self, change: Change) -> None:
        self.client.write(self._path, dict(change.desired), method="PUT")

    def delete(self, change: Change) -> None:
        self.client.delete(self._path)


class PasswordPolicies(Kind):
    """Password policies."""

    about = "Password policies"
    tag = "policies"
    module = "vault_password_policy"
    plural = "policies"
    fields = FIELDS
    options = PURGE
    listings = (Listing("sys/policies/password"),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        declared = [PasswordPolicy(client, item) for item in items]
        if not context.purge:
            return declared
        existing = client.list("sys/policies/password")
        return [*declared, *purge.undeclared(context, declared, existing, partial(PasswordPolicy, client))]
