# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Validation of manifests by the schema of their kind: unknown fields, wrong values, defaults.

A schema is that of a served CRD, or, where there is no server, the collection's own copy. Pure: no I/O.
Source: Kubernetes documentation, CustomResourceDefinitions, structural schemas, defaulting and validation rules.
"""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, NamedTuple, Union

Schema = Mapping[str, Any]
#: names of fields and numbers of entries
Path = tuple[Union[str, int], ...]

_OPEN = "x-kubernetes-preserve-unknown-fields"
_EITHER = "x-kubernetes-int-or-string"
_NAMES: Mapping[str, tuple[Any, ...]] = {
    "object": (Mapping,),
    "array": (list, tuple),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
}


#: fallback where no schema can be read: an API server before 1.24, without permission to read CRDs
UNREADABLE: dict[str, Any] = {_OPEN: True}
UNREADABLE.update({"items": UNREADABLE, "additionalProperties": UNREADABLE})
#: defaults that CRDs of some releases of the operator fill in inside lists. All releases treat them like a missing
#: field, and they stay in an object when the CRDs are upgraded to a release without the default
_USUAL_DEFAULTS: Mapping[str, Sequence[Any]] = {
    "apiVersion": ("generators.external-secrets.io/v1alpha1",),
    "conflictPolicy": ("Error",),
    "conversionStrategy": ("Default", "None"),
    "decodingStrategy": ("None",),
    "into": ("",),
    "kind": ("SecretStore",),
    "metadataPolicy": ("None",),
    "nullBytePolicy": ("Ignore",),
    "priorityPolicy": ("Strict",),
    "strategy": ("Extract",),
    "target": ("Data",),
    "templateAs": ("Values",),
    "valuesDecodingStrategy": ("None",),
}


#: formats that API servers check, with their names. Source: k8s.io/kube-openapi, strfmt
_FORMATS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "byte": (
        re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})"),
        "base64",
    ),
    "date-time": (
        re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"),
        "a time such as 2026-01-31T12:00:00Z",
    ),
}
_BITS: Mapping[str, int] = {"int32": 31, "int64": 63}


class Problem(NamedTuple):
    """A mistake in a manifest: where, what, and the remedy."""

    path: Path
    what: str
    remedy: str


def _has(value: Any, *path: str) -> bool:
    """Tell whether a field is set, as CEL's ``has()`` does."""
    for name in path:
        if not isinstance(value, Mapping) or value.get(name) is None:
            return False
        value = value[name]
    return True


def _count(value: Any, *names: str) -> int:
    return sum(_has(value, name) for name in names)


Rules = Mapping[str, Callable[[Any], bool]]


def _either(one: str, other: str) -> Rules:
    """Return the rule for exactly one of two, as people write it."""
    text = "(has(self.%s) && !has(self.%s)) || (!has(self.%s) && has(self.%s))" % (one, other, one, other)
    return {text: lambda self: _count(self, one, other) == 1}


def _differ(one: str, other: str) -> Rules:
    """Return the same rule, written shorter."""
    return {"has(self.%s) != has(self.%s)" % (one, other): lambda self: _count(self, one, other) == 1}


def _at_least_one(one: str, other: str) -> Rules:
    return {"has(self.%s) || has(self.%s)" % (one, other): lambda self: _count(self, one, other) >= 1}


def _counted(limit: str, *names: str) -> Rules:
    """Return the rule for ``== 1`` or ``<= 1`` of some, as the operator's generator of CRDs writes it."""
    text = "[%s].filter(x,x==true).size() %s" % (",".join("has(self.%s)" % name for name in names), limit)
    return {text: lambda self: _count(self, *names) == 1 or (limit == "<= 1" and not _count(self, *names))}


#: the CEL rules of the CRDs, by their text. An API server before 1.25 does not know them, and Git asks none.
RULES: Rules = {
    "has(self.storeRef) && (has(self.storeRef.name) || has(self.storeRef.labelSelector))": lambda self: (
        _has(self, "storeRef", "name") or _has(self, "storeRef", "labelSelector")
    ),
    "!has(self.remoteKey) || !has(self.rewrite) || size(self.rewrite) == 0": lambda self: (
        not _has(self, "remoteKey") or not self.get("rewrite")
    ),
    "!('esoNamespace' in self) && !('esoStoreName' in self) && !('esoStoreKind' in self)": lambda self: (
        not {"esoNamespace", "esoStoreName", "esoStoreKind"} & set(self)
    ),
    "has(self.token) || (has(self.username) && has(self.password))": lambda self: (
        _has(self, "token") or _count(self, "username", "password") == 2
    ),
    **_either("regexp", "transform"),
    **_either("secretRef", "oidcConfig"),
    **_either("auth", "accessToken"),
    **_either("accessToken", "oidcConfig"),
    **_differ("projectID", "groupID"),
    **_differ("value", "secretRef"),
    **_at_least_one("auth", "authRef"),
    **_at_least_one("serviceAccountCredsSecretRef", "tokenSecretRef"),
    **_counted("<= 1", "caBundle", "caProvider"),
    **_counted("<= 1", "auth", "authRef"),
    **_counted("<= 1", "vault", "environment"),
    **_counted("== 1", "appRole", "tokenSecretRef", "userPass"),
    **_counted("== 1", "roleId", "roleRef"),
}


def filled_in(schema: Schema | None, desired: Mapping[str, Any], extra: Mapping[str, Any]) -> bool:
    """Tell whether all fields beyond the desired ones are defaults of the server, now or in an earlier release."""
    extra = {name: item for name, item in extra.items() if item not in _USUAL_DEFAULTS.get(name, ())}
    defaults = defaulted(schema, desired) if extra else {}
    return all(name in defaults and item == defaults[name] for name, item in extra.items())


def defaulted(schema: Schema | None, value: Any) -> Any:
    """Return a value with the server's defaults."""
    if not schema:
        return value
    if isinstance(value, Mapping):
        known = schema.get("properties") or {}
        filled = {
            **{name: copy.deepcopy(node["default"]) for name, node in known.items() if "default" in node},
            **{name: item for name, item in value.items() if item is not None or "default" not in known.get(name, {})},
        }
        return {name: defaulted(child(schema, name), item) for name, item in filled.items()}
    if isinstance(value, (list, tuple)):
        return [defaulted(schema.get("items"), item) for item in value]
    return value


def child(schema: Schema | None, name: str) -> Schema | None:
    """Return the schema of a field, None where it is unknown or may be anything."""
    if not schema:
        return None
    found = (schema.get("properties") or {}).get(name)
    more = schema.get("additionalProperties")
    return found if found is not None else (more if isinstance(more, Mapping) else None)


def at(schema: Schema | None, path: Path) -> Schema | None:
    """Return the schema at a path, None where it is unknown or may be anything."""
    for part in path:
        schema = (schema or {}).get("items") if isinstance(part, int) else child(schema, part)
    return schema


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the known name that is most similar to another, "" when none is."""
    plain = {re.sub(r"[_-]", "", one).lower(): one for one in known}
    found = difflib.get_close_matches(re.sub(r"[_-]", "", name).lower(), list(plain), n=1, cutoff=0.6)
    return plain[found[0]] if found else ""


def problems(schema: Schema | None, value: Any, path: Path = ()) -> Iterator[Problem]:
    """Yield the values that the server would refuse, and the fields that it would drop silently."""
    if not schema or value is None:
        return
    kind = str(schema.get("type"))
    if schema.get(_EITHER):
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            yield Problem(path, "must be a whole number or text", "correct it")
        return
    if kind in _NAMES and not _is(value, kind):
        advice = (
            "write it in quotation marks"
            if kind == "string" and isinstance(value, (bool, int, float))
            else "correct it"
        )
        yield Problem(path, "must be %s, not %s" % (_WORDS[kind], _described(value)), advice)
        return
    if isinstance(value, Mapping):
        yield from _of_mapping(schema, value, path)
    elif isinstance(value, (list, tuple)):
        yield from _of_list(schema, value, path)
    else:
        yield from _of_scalar(schema, value, path)
    for rule in schema.get("x-kubernetes-validations") or []:
        holds = RULES.get(rule.get("rule", ""))
        if holds is not None and not holds(value):
            yield Problem(path, "is refused: %s" % rule.get("message", rule["rule"]), "correct it")


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value == int(value)
    return isinstance(value, _NAMES[kind])


def _described(value: Any) -> str:
    """Return the type of a value for messages; never the value, which may be a secret."""
    for kind in ("boolean", "integer", "number", "string", "array", "object"):
        if _is(value, kind):
            return _WORDS[kind]
    return type(value).__name__


def _of_mapping(schema: Schema, value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    known = schema.get("properties") or {}
    more = schema.get("additionalProperties")
    free = bool(schema.get(_OPEN)) or more not in (None, False)
    for name in schema.get("required") or []:
        if value.get(name) is None and "default" not in known.get(name, {}):
            yield Problem((*path, name), "is missing", "add it")
    for name, item in value.items():
        node = child(schema, str(name))
        if node is not None:
            yield from problems(node, item, (*path, str(name)))
        elif not free:
            meant = nearest(str(name), list(known))
            yield Problem(
                (*path, str(name)),
                "does not exist",
                'write "%s"' % meant
                if meant
                else "use %s, or upgrade the CRDs to a version that knows it" % ", ".join(sorted(known)[:12])
                if known
                else "remove it",
            )
    # the server drops null before it validates
    yield from _size(schema, sum(item is not None for item in value.values()), path, "Properties", "entries")


def _of_list(schema: Schema, value: Sequence[Any], path: Path) -> Iterator[Problem]:
    items = schema.get("items") or UNREADABLE
    for number, item in enumerate(value):
        if item is None and not items.get("nullable") and not items.get(_OPEN):
            yield Problem((*path, number), "is empty", "give it a value, or remove the entry")
        yield from problems(items, item, (*path, number))
    yield from _size(schema, len(value), path, "Items", "entries")
    keys = schema.get("x-kubernetes-list-map-keys")
    kind = schema.get("x-kubernetes-list-type")
    seen: list[Any] = []
    for number, item in enumerate(value):
        if kind == "map" and keys and isinstance(item, Mapping):
            mark: Any = [
                item.get(key, ((schema.get("items") or {}).get("properties") or {}).get(key, {}).get("default"))
                for key in keys
            ]
        elif kind == "set" or schema.get("uniqueItems"):
            mark = item
        else:
            return
        if mark in seen:
            yield Problem((*path, number), "is declared twice", "keep one of the two")
        seen.append(mark)


def _of_scalar(schema: Schema, value: Any, path: Path) -> Iterator[Problem]:
    choices = schema.get("enum")
    if choices and value not in choices:
        yield Problem(
            path, 'has no value "%s"' % str(value)[:60], "use %s" % ", ".join(str(one) or '""' for one in choices)
        )
    if isinstance(value, str):
        yield from _size(schema, len(value), path, "Length", "characters")
        pattern = schema.get("pattern")
        if pattern and not _found(pattern, value):
            yield Problem(path, "does not match %s" % pattern, "correct it")
        form, name = _FORMATS.get(schema.get("format", ""), (None, ""))
        if form is not None and not form.fullmatch(value):
            yield Problem(path, "is not %s" % name, "correct it")
    elif not isinstance(value, bool):
        if value < schema.get("minimum", value):
            yield Problem(path, "is less than %s" % schema["minimum"], "correct it")
        if value > schema.get("maximum", value):
            yield Problem(path, "is more than %s" % schema["maximum"], "correct it")
        bits = _BITS.get(schema.get("format", ""))
        if bits and not -(2**bits) <= value < 2**bits:
            yield Problem(path, "does not fit into %d bits" % (bits + 1), "write a smaller number")


def _size(schema: Schema, size: int, path: Path, name: str, what: str) -> Iterator[Problem]:
    least, most = schema.get("min" + name), schema.get("max" + name)
    if least is not None and size < least:
        yield Problem(path, "needs at least %d %s" % (least, what), "correct it")
    if most is not None and size > most:
        yield Problem(path, "takes at most %d %s" % (most, what), "correct it")


def _found(pattern: str, text: str) -> bool:
    """Tell whether a Go pattern matches a text; True where Python cannot read the pattern."""
    try:
        return re.search(re.sub(r"(?<!\\)\$$", r"\\Z", pattern), text) is not None
    except re.error:
        return True


# -- regular expressions of Go ----------------------------------------------------------------------------------------

#: syntax of Python that Go lacks: look-around, atomic groups, comments, conditions, back-references, \Z
_NOT_IN_GO = re.compile(r"\(\?(?:[imsU]*[aLux]|[=!>#(]|<[=!]|P[=>])|\\[1-9ZuUN]|[*+?}]\+")
#: syntax of Go that Python lacks, in a form that Python can read
_GO_ONLY: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r"\\Q.*?(?:\\E|$)", re.S), "q"),
    (re.compile(r"\\[pP](?:\{\^?\w+\}|\w)"), "p"),
    (re.compile(r"\[:\^?\w+:\]"), "a"),
    (re.compile(r"\\z"), r"\\Z"),
    (re.compile(r"\\x\{[0-9a-fA-F]+\}"), "x"),
    (re.compile(r"\\C"), "."),
    (re.compile(r"\(\?<(?=\w)"), "(?P<"),
    (re.compile(r"\(\?[imsU]*(?:-[imsU]+)?\)"), ""),
    (re.compile(r"\(\?[imsU]*(?:-[imsU]+)?:"), "(?:"),
)


def not_a_pattern(text: str) -> str:
    """Return why Go would not compile a regular expression, "" when it would. Source: RE2, syntax."""
    # an escaped backslash does not begin an escape
    shown = text.replace("\\\\", "\N{REPLACEMENT CHARACTER}")
    outside = re.sub(r"\[\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]", "c", shown)
    found = _NOT_IN_GO.search(outside)
    if found:
        return 'it has no "%s"' % found.group()
    for pattern, replacement in _GO_ONLY:
        shown = pattern.sub(replacement, shown)
    for low, high in re.findall(r"\{(\d+)(?:,(\d*))?\}", outside):
        if max(int(low), int(high or 0)) > 1000:
            return "it repeats at most 1000 times"
    try:
        re.compile(shown)
    except (re.error, OverflowError) as error:
        return str(getattr(error, "msg", error))
    return ""
