# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Values that are generated: at random here, or by a password policy of the server.

Source: /api-docs/system/policies-password (read, generate).
"""

from __future__ import annotations

import base64
import secrets as random
import string
import threading
import uuid
from collections.abc import Mapping
from typing import Any

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.resource import Resource
from ...base.naming import in_url
from ...connection.client import Client
from ...connection.errors import PermissionDenied

CHARSETS = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "lower": string.ascii_lowercase + string.digits,
    "upper": string.ascii_uppercase + string.digits,
    "digits": string.digits,
    # without quotes, backslash, dollar, percent, and other characters with a meaning in shells, URLs or templates
    "symbols": string.ascii_letters + string.digits + "!*+,-.:=_~",
}
FORMATS = ("text", "hex", "base64", "base64url", "uuid", "policy")
GENERATE = {"format": str, "length": int, "charset": str, "policy": str, "rotate": bool}


def check_generate(key: str, spec: Any) -> dict[str, Any]:
    """Return the complete specification of a generated value. Raises InvalidInput for an invalid one.

    ``length`` counts characters of text, and bytes before the encoding of hex and base64.
    """
    where = 'generate "%s"' % key
    if not isinstance(spec, Mapping):
        raise InvalidInput("is not a mapping", where, 'write for example "{length: 32}"')
    for name, value in spec.items():
        if name not in GENERATE:
            raise InvalidInput('unknown option "%s"' % name, where, "use %s" % ", ".join(GENERATE))
        if value is not None and name in ("length", "rotate"):
            converted = normalise.integer(value) if name == "length" else normalise.boolean(value)
            if not isinstance(converted, GENERATE[name]) or (name == "length" and isinstance(converted, bool)):
                raise InvalidInput('"%s" is not a %s' % (name, "number" if name == "length" else "boolean"), where)
    given = {name: value for name, value in spec.items() if value is not None}
    full = {
        "format": "policy" if given.get("policy") else "text",
        "length": 32,
        "charset": "alnum",
        "policy": "",
        "rotate": False,
        **given,
    }
    full["length"], full["rotate"] = normalise.integer(full["length"]), normalise.boolean(full["rotate"])
    if full["format"] not in FORMATS:
        raise InvalidInput('unknown format "%s"' % full["format"], where, "use one of %s" % ", ".join(FORMATS))
    if (full["format"] == "policy") != bool(full["policy"]):
        raise InvalidInput('format "policy" and the name of a password policy belong together', where, "give both")
    if full["format"] in ("uuid", "policy") and "length" in given:
        raise InvalidInput('a value of format "%s" has no length' % full["format"], where, 'remove "length"')
    if full["format"] != "text" and "charset" in given:
        raise InvalidInput('"charset" is for format "text" only', where, "remove one of the two")
    if not 1 <= full["length"] <= 65536:
        raise InvalidInput("the length is not between 1 and 65536", where, "correct it")
    full["charset"] = CHARSETS.get(str(full["charset"]), str(full["charset"]))
    if full["format"] == "text" and len(set(full["charset"])) < 2:
        raise InvalidInput(
            "the character set has fewer than two characters",
            where,
            "name one of %s, or give the characters themselves" % ", ".join(sorted(CHARSETS)),
        )
    return full


def generated(spec: Mapping[str, Any]) -> str:
    """Return a new random value for a specification as `check_generate` gives it.

    For format ``policy``, which only the server can generate, it is a placeholder for check mode.
    """
    length = spec["length"]
    if spec["format"] == "uuid":
        return str(uuid.uuid4())
    if spec["format"] == "hex":
        return random.token_hex(length)
    if spec["format"] in ("base64", "base64url"):
        encode = base64.b64encode if spec["format"] == "base64" else base64.urlsafe_b64encode
        return encode(random.token_bytes(length)).decode()
    letters = sorted(set(spec["charset"]))
    return "".join(random.choice(letters) for position in range(length))


class Generator:
    """Generates values for all secrets of a task.

    ``planning``: as in check mode no password policy is asked for a password. One that is missing is a warning then,
    as something before may be about to make it; not one of ``planned_names``, which the same tree makes.
    """

    def __init__(self, client: Client, planning: bool = False, planned_names: frozenset[str] = frozenset()) -> None:
        self.client = client
        self.planning = planning
        self.planned_names = planned_names
        self._lock = threading.Lock()
        self._known: dict[str, bool] = {}

    def value(self, spec: Mapping[str, Any], resource: Resource) -> str:
        """Return a new value for a specification as `check_generate` gives it; warnings go to the resource.

        Raises InvalidInput when the password policy does not exist, unless nothing is written yet.
        """
        if spec["format"] != "policy":
            return generated(spec)
        path = "sys/policies/password/%s" % in_url(spec["policy"])
        missing = 'password policy "%s" does not exist' % spec["policy"]
        if self.planning:
            told = spec["policy"].lower() in self.planned_names or "%s (yet)" % missing in resource.warnings
            if not told and not self._exists(path):
                resource.warnings.append("%s (yet)" % missing)
            return generated(spec)
        answer = self.client.read("%s/generate" % path)
        if not answer or not answer.get("password"):
            raise InvalidInput(missing, remedy="declare it first")
        return str(answer["password"])

    def _exists(self, path: str) -> bool:
        """Tell whether a password policy exists; True when the token may not read it."""
        with self._lock:
            if path not in self._known:
                try:
                    self._known[path] = self.client.read(path) is not None
                except PermissionDenied:
                    self._known[path] = True
            return self._known[path]
