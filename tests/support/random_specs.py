# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Specs by chance, made of a kind's own schema: most nearly right, many with one thing wrong."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

#: texts of which one mostly fits what a pattern wants
TEXTS = (
    "app",
    "a",
    "",
    "Team-A",
    "team_a.b",
    "1h",
    "15m0s",
    "300",
    "1.5h30m",
    "0 22 * * 1-5",
    "@every 1h",
    "https://vault.example.com:8200",
    "arn:aws:iam::123456789012:role/x",
    "2026-01-02T03:04:05Z",
    "a/b",
    "ünïcode",
    "x" * 300,
)
FORMATS = {"byte": "YXBw", "date-time": "2026-01-02T03:04:05Z"}
#: stands where something is wrong
ODD: tuple[Any, ...] = (None, "", "text", 0, -1, 3, 1.5, 10**12, True, [], ["a"], {}, {"a": "b"}, [None], {"a": None})


class Maker:
    """Makes values of schemas; the same seed makes the same ones."""

    def __init__(self, seed: str) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - no secret

    def value(self, schema: Mapping[str, Any], depth: int = 0) -> Any:
        """Return a value that fits a schema, as far as that can be told from its parts."""
        chance = self.chance
        if schema.get("x-kubernetes-int-or-string"):
            return chance.choice([0, 80, "1h", "300"])
        if schema.get("enum"):
            return chance.choice(schema["enum"])
        kind = schema.get("type")
        if kind == "object":
            return self.mapping(schema, depth)
        if kind == "array":
            least = schema.get("minItems", 0)
            count = max(least, min(chance.choice([0, 1, 1, 2]), schema.get("maxItems", 2)))
            return [self.value(schema.get("items") or {}, depth + 1) for _ in range(count)]
        if kind == "boolean":
            return chance.random() < 0.5
        if kind in ("integer", "number"):
            return int(max(schema.get("minimum", 0), min(chance.choice([0, 1, 8, 600]), schema.get("maximum", 600))))
        if kind == "string":
            if schema.get("format") in FORMATS:
                return FORMATS[schema["format"]]
            fitting = [text for text in TEXTS if fits(schema, text)]
            return chance.choice(fitting or ["app"])
        return chance.choice(["text", {"free": [1, True]}, 7])

    def mapping(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        known = schema.get("properties") or {}
        required = [name for name in schema.get("required") or [] if name in known]
        optional = [name for name in known if name not in required]
        self.chance.shuffle(optional)
        wanted = sum(self.chance.random() < (0.5 if depth < 4 else 0.2) for _ in optional)
        wanted = max(wanted, schema.get("minProperties", 0) - len(required))
        wanted = min(wanted, schema.get("maxProperties", len(known)) - len(required), 6)
        found = {name: self.value(known[name], depth + 1) for name in [*required, *optional[: max(wanted, 0)]]}
        more = schema.get("additionalProperties")
        if isinstance(more, Mapping):
            for name in self.chance.sample(["a", "b.c/d", "E"], self.chance.choice([0, 1, 2])):
                found[name] = self.value(more, depth + 1)
        return found

    def spoiled(self, value: Any) -> Any:
        """Return a copy of a value with one thing changed somewhere."""
        changed = copy.deepcopy(value)
        places = list(holders(changed))
        if not places:
            return self.chance.choice(ODD)
        holder, key = self.chance.choice(places)
        what = self.chance.choice(["odd", "odd", "drop", "unknown", "twice", "long"])
        if what == "drop":
            del holder[key]
        elif what == "unknown" and isinstance(holder, dict):
            holder[str(key) + "s"] = holder[key] if self.chance.random() < 0.5 else holder.pop(key)
        elif what == "twice" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        elif what == "long" and isinstance(holder[key], str):
            holder[key] = self.chance.choice(TEXTS)
        else:
            holder[key] = copy.deepcopy(self.chance.choice(ODD))
        return changed


def fits(schema: Mapping[str, Any], text: str) -> bool:
    """Tell whether a text fits the limits of a schema."""
    if not schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", 1000):
        return False
    try:
        return not schema.get("pattern") or re.search(schema["pattern"], text) is not None
    except re.error:
        return True


def holders(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place in nested mappings and lists: what holds it, and its key or number."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from holders(value[key])


#: what people write into options that take any mapping or a list of mappings
FREE: dict[str, tuple[Any, ...]] = {
    "namespace_selector": ({}, {"matchLabels": {"a": "b"}}, {"match_labels": {"a": "b"}}, {"match_label": {"a": "b"}}),
    "label_selector": ({}, {"matchLabels": {"a": "b"}}, {"matchExpressions": [{"key": "a", "operator": "Exists"}]}),
    "generator_ref": (
        {"kind": "Password", "name": "p"},
        {"kind": "UUID", "name": "u"},
        {"kind": "Nothing", "name": "n"},
    ),
    "store_ref": ({"name": "vault"}, {"name": "vault", "kind": "ClusterSecretStore"}, {}),
    "extract": ({"key": "app"}, {"key": "app", "decodingStrategy": "Auto"}, {"key": "app", "decoding": "Auto"}, {}),
    "find": ({"path": "apps"}, {"name": {"regexp": ".*"}}, {"tags": {"a": 1}}, {"name": {"regexp": "("}}, {}),
    "template_from": ({"literal": "a: b"}, {"configMap": {"name": "c", "items": [{"key": "k"}]}}, {"literals": "x"}),
    "rewrite": ({"merge": {}}, {"regexp": {"source": "a", "target": "b"}}, {"regexp": {"source": "("}}, {"regex": {}}),
    "data_to": ({"store_ref": {"name": "vault"}}, {"store_ref": {"name": "vault"}, "remote_key": "a"}, {}),
    "manifest": ({"apiVersion": "v1", "kind": "ConfigMap"}, {"kind": "ConfigMap"}),
}
#: texts by the end of an option's name, most of them right
WORDS: dict[str, tuple[str, ...]] = {
    "interval": ("1h", "15m0s", "0", "1h30m", "1d", "300"),
    "time": ("5m", "1h", "1d"),
    "server": ("https://vault.example.com:8200", "http://vault:8200", "vault.example.com"),
    "schedule": ("0 22 * * 1-5", "@daily", "nightly"),
    "duration": ("8h", "30m", "1d"),
    "namespace": ("default", "apps"),
    "regexes": ("team-.*", "("),
    "key": ("app", "apps/db", "a.b_c", "/app"),
}


class Writer(Maker):
    """Makes options of modules, as people write them, from their argument specs."""

    def option(self, name: str, spec: Mapping[str, Any], depth: int = 0) -> Any:
        """Return a value of an option."""
        chance, kind, inner = self.chance, spec.get("type", "str"), spec.get("options")
        if spec.get("choices"):
            return chance.choice(spec["choices"])
        if kind == "list":
            one = {**spec, "type": spec.get("elements", "str")}
            return [self.option(name, one, depth) for _ in range(chance.choice([0, 1, 1, 1, 2]))]
        if inner:
            return self.options(inner, depth + 1)
        if kind == "dict":
            return chance.choice(FREE.get(name, ({}, {"a": "b"}, {"a": 1}, {"a/b": True})))
        if kind == "bool":
            return chance.random() < 0.5
        if kind == "int":
            return chance.choice([0, 1, 8, 24, 600])
        fitting = next((texts for end, texts in WORDS.items() if name.endswith(end)), ("app", "app", "a", "Team-A", ""))
        return chance.choice(fitting)

    def options(self, specs: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
        """Return a mapping of options: those that are required, and some others."""
        names = [name for name, spec in specs.items() if not spec.get("required")]
        some = self.chance.sample(names, min(len(names), self.chance.choice([1, 1, 2, 3])))
        return {
            name: self.option(name, spec, depth) for name, spec in specs.items() if spec.get("required") or name in some
        }
