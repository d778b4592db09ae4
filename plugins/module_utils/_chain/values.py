# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Which bytes an ExternalSecret makes of one secret in Vault, as far as that can be told here. No I/O.

What is not certain is left out and named, so that nobody takes a guess for a proof. Source: External Secrets Operator
2.9.0, getSecretValue, GetSecretMap, ConvertKeys, Decode, ApplyTemplate.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus

from .._eso.targets import plain

#: an action of a template that takes one value and at most passes it through some functions
_ACTION = re.compile(r"\{\{\s*\.([A-Za-z_]\w*)\s*((?:\|\s*\w+\s*)*)\}\}")
_FUNCTIONS = {
    "toString": lambda text: text,
    "b64enc": base64.b64encode,
    "urlquery": lambda text: quote_plus(text, safe="-_.~").encode(),
}
#: the largest integer that a float64 holds as it is
_EXACT = 2**53


class Made:
    """What a target gets of one secret: ``values`` by key, and ``unknown``, why other keys are not known."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        #: keys that something else may write over
        self.open: set[str] = set()
        self.unknown: list[str] = []


def encoded(value: Any) -> bytes | None:
    """Return the bytes of one JSON value, None where they depend on how a number or document is printed."""
    if value is None:
        return b""
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, int) and abs(value) < _EXACT:
        return str(value).encode()
    return None


def decoded(strategy: str, value: bytes) -> bytes | None:
    """Return a value after a decodingStrategy, None where the operator refuses it."""
    if strategy in ("", "None"):
        return value
    for name, alphabet in (("Base64", None), ("Base64URL", b"-_")):
        if strategy in (name, "Auto"):
            text = value.replace(b"\n", b"").replace(b"\r", b"")
            if alphabet and re.search(rb"[+/]", text):
                continue
            try:
                return base64.b64decode(text, altchars=alphabet, validate=True)
            except binascii.Error:
                continue
    return value if strategy == "Auto" else None


def _fetched(remote: Mapping[str, Any], value: Any) -> bytes | None:
    found = encoded(value)
    return None if found is None else decoded(str(remote.get("decodingStrategy") or "None"), found)


def provided(spec: Mapping[str, Any], key: str, stored: Mapping[str, Any]) -> Made:
    """Return what an ExternalSecret's ``dataFrom`` and ``data`` take from one secret, before any template."""
    made = Made()
    entries = spec.get("dataFrom") or []
    for number, entry in enumerate(entries):
        remote = entry.get("extract") or {}
        if remote.get("key") != key:
            if entry.get("find") is not None or entry.get("extract") or entry.get("sourceRef"):
                made.open |= set(made.values)
            continue
        where = "dataFrom[%d]" % number
        if remote.get("metadataPolicy") == "Fetch":
            made.open |= set(made.values)
        elif entry.get("rewrite") or remote.get("property") or remote.get("conversionStrategy") == "Unicode":
            made.unknown.append("%s makes keys that are not known here" % where)
        else:
            for name, value in stored.items():
                found = _fetched(remote, value)
                if found is None or not name.isascii():
                    made.unknown.append('%s: how the value of "%s" is written is not known here' % (where, name))
                else:
                    new = re.sub(r"[^-._a-zA-Z0-9]", "_", name)
                    made.values[new] = found
                    made.open.discard(new)
    for number, entry in enumerate(spec.get("data") or []):
        remote, name = entry.get("remoteRef") or {}, str(entry.get("secretKey"))
        made.values.pop(name, None)
        made.open.discard(name)
        if remote.get("key") != key or remote.get("metadataPolicy") == "Fetch":
            continue
        wanted = str(remote.get("property") or "")
        found = _fetched(remote, stored[wanted]) if wanted in stored else None
        if found is None:
            made.unknown.append(
                "data[%d]: how %s is written is not known here"
                % (number, 'the property "%s"' % wanted if wanted else "a whole secret")
            )
        else:
            made.values[name] = found
    return made


def rendered(text: str, values: Mapping[str, bytes]) -> bytes | None:
    """Return what a template makes of values, None where it does more than put them in."""
    parts: list[bytes] = []
    end = 0
    for match in _ACTION.finditer(text):
        value = values.get(match.group(1))
        parts.append(text[end : match.start()].encode())
        for name in re.findall(r"\w+", match.group(2)):
            function = _FUNCTIONS.get(name)
            value = None if value is None or function is None else function(value)
        if value is None:
            return None
        parts.append(value)
        end = match.end()
    parts.append(text[end:].encode())
    return None if "{{" in _ACTION.sub("", text) else b"".join(parts)


def names_in(text: str) -> set[str]:
    """Return the names of the values that a template mentions."""
    return set(re.findall(r"\.([A-Za-z_][\w]*)", " ".join(re.findall(r"\{\{(.*?)\}\}", text, re.S))))


def made_of(spec: Mapping[str, Any], key: str, stored: Mapping[str, Any]) -> Made:
    """Return what the target of an ExternalSecret gets of one secret in Vault that holds ``stored``."""
    target = spec.get("target") or {}
    template = target.get("template") or {}
    made = provided(spec, key, stored)
    texts: Mapping[str, Any] = template.get("data") or {}
    values = {name: value for name, value in made.values.items() if name not in made.open}
    keep = plain(template) if not target.get("manifest") else not template
    if not keep:
        made.values, made.open = {}, set()
    if template.get("templateFrom"):
        made.unknown.append("template.templateFrom makes what is not known here")
    for name, text in texts.items():
        made.values.pop(name, None)
        made.open.discard(name)
        if not _concerns(str(text), values, made.unknown):
            continue
        found = rendered(str(text), values)
        if found is None:
            made.unknown.append("template.data.%s makes what is not known here" % name)
        else:
            made.values[name] = found
    return made


def _concerns(text: str, values: Mapping[str, bytes], unknown: Sequence[str]) -> bool:
    """Tell whether a template takes any of these values, or may take one that is not known."""
    names = names_in(text)
    return bool(names & set(values)) or bool(names and unknown) or ("{{" in text and not names)
