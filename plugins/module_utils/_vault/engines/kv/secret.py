# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Secrets of the KV engine, versions 1 and 2.

Source: /api-docs/secret/kv/kv-v1 and kv-v2. Values are never printed; the names of keys are.
"""

from __future__ import annotations

import base64
import datetime
import json
import math
import re
import secrets as random
import string
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...._engine import normalise, wording
from ...._engine.errors import InvalidInput, SecretopsError
from ...._engine.reconcile import Change, Resource
from ...base import naming
from ...base.listing import mark_absent
from ...base.mounts import EngineMounts
from ...base.naming import check_mount, in_url
from ...connection.client import Client
from ...connection.errors import BadRequest, PermissionDenied, VaultError
from .waiting import patiently

#: how often a merge is done again because somebody else wrote in between
ATTEMPTS = 5
CHARSETS = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "lower": string.ascii_lowercase + string.digits,
    "upper": string.ascii_uppercase + string.digits,
    "digits": string.digits,
    # without quotes, backslash, dollar, percent, and others that shells, URLs or templates take for their own
    "symbols": string.ascii_letters + string.digits + "!*+,-.:=_~",
}
FORMATS = ("text", "hex", "base64", "base64url", "uuid", "policy")
GENERATE = {"format": str, "length": int, "charset": str, "policy": str, "rotate": bool}
#: floating point holds all whole numbers up to this one
EXACT = 2**53
METADATA: dict[str, normalise.Normaliser] = {
    "max_versions": lambda value: normalise.integer(value or 0),
    "cas_required": normalise.boolean,
    "metadata_cas_required": normalise.boolean,
    "delete_version_after": lambda value: normalise.seconds(value or 0),
    "custom_metadata": normalise.string_map,
}
#: how the result and the diff name the metadata's fields
PREFIX = "metadata."
RESERVED = frozenset(PREFIX + name for name in METADATA)


class Conflict(VaultError):
    """Somebody else wrote the secret since it was read."""


def canonical(value: Any) -> str:
    """Return JSON in which equal values are equal text; ``1.0`` is ``1``, as the server has it; ``"1"`` is not."""

    def plain(item: Any) -> Any:
        if isinstance(item, float) and item.is_integer():
            return int(item)
        if isinstance(item, Mapping):
            return {str(key): plain(part) for key, part in item.items()}
        return [plain(part) for part in item] if isinstance(item, (list, tuple)) else item

    return json.dumps(plain(value), sort_keys=True, ensure_ascii=False)


def numbers(value: Any) -> Iterable[int | float]:
    """Yield all numbers of a value, however deep."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


def rounded(number: int | float) -> bool:
    """Tell whether KV version 2, which keeps numbers as floating point, may give a whole one back as another."""
    return isinstance(number, int) and abs(number) > EXACT


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Refuse metadata that the server would refuse, or take for something else. Raises InvalidInput."""
    for name, value in metadata.items():
        METADATA[name](value)
    if (metadata.get("max_versions") or 0) < 0:
        raise InvalidInput('"max_versions" is negative', remedy="give 0 for the engine's own limit")
    normalise.whole_seconds(metadata.get("delete_version_after"))
    naming.check_metadata(metadata.get("custom_metadata"), "custom_metadata")


def check_generate(key: str, spec: Any) -> dict[str, Any]:
    """Return the full specification of a generated value. Raises InvalidInput for one that cannot be right.

    ``length`` counts characters of text, and bytes before the encoding of hex and base64.
    """
    where = 'generate "%s"' % key
    if not isinstance(spec, Mapping):
        raise InvalidInput("is no mapping", where, 'write for example "{length: 32}"')
    for name, value in spec.items():
        if name not in GENERATE:
            raise InvalidInput('unknown option "%s"' % name, where, "use %s" % ", ".join(GENERATE))
        if value is not None and name in ("length", "rotate"):
            converted = normalise.integer(value) if name == "length" else normalise.boolean(value)
            if not isinstance(converted, GENERATE[name]) or (name == "length" and isinstance(converted, bool)):
                raise InvalidInput('"%s" is no %s' % (name, "number" if name == "length" else "boolean"), where)
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

    For format ``policy``, which only the server can serve, it is one that stands for the real one in check mode.
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


def equal(one: Any, other: Any) -> bool:
    """Tell whether two values are the same value to the server; most are text, which needs no canonical form."""
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    return canonical(one) == canonical(other)


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the sorted names of the keys that are added, removed or of another value."""
    return sorted(
        key
        for key in {*before, *after}
        if (key in before) != (key in after) or not equal(before.get(key), after.get(key))
    )


def over(time: str | None) -> bool:
    """Tell whether an RFC 3339 time as the server writes it lies in the past; none does not."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)$", time or "")
    if not match:
        return False
    moment = datetime.datetime.fromisoformat(match.group(1) + match.group(2).replace("Z", "+00:00"))
    return moment <= datetime.datetime.now(datetime.timezone.utc)


class Generator:
    """Makes the values that are generated, for all the secrets of a task.

    ``rehearsal``: as in check mode no password policy is asked for a password. One that is missing is a warning then,
    as something before may be about to make it; not one of ``coming``, which the same tree makes.
    Source: /api-docs/system/policies-password (read, generate).
    """

    def __init__(self, client: Client, rehearsal: bool = False, coming: frozenset[str] = frozenset()) -> None:
        self.client = client
        self.rehearsal = rehearsal
        self.coming = coming
        self._lock = threading.Lock()
        self._known: dict[str, bool] = {}

    def value(self, spec: Mapping[str, Any], resource: Resource) -> str:
        """Return a new value for a specification as `check_generate` gives it; warnings go to the resource.

        Raises InvalidInput when the password policy does not exist, and is not only rehearsed.
        """
        if spec["format"] != "policy":
            return generated(spec)
        path = "sys/policies/password/%s" % in_url(spec["policy"])
        missing = 'password policy "%s" does not exist' % spec["policy"]
        if self.rehearsal:
            told = spec["policy"].lower() in self.coming or "%s (yet)" % missing in resource.warnings
            if not told and not self._exists(path):
                resource.warnings.append("%s (yet)" % missing)
            return generated(spec)
        answer = self.client.read("%s/generate" % path)
        if not answer or not answer.get("password"):
            raise InvalidInput(missing, remedy="declare it first")
        return str(answer["password"])

    def _exists(self, path: str) -> bool:
        """Tell whether a password policy exists, or the token may generate by it but not look at it."""
        with self._lock:
            if path not in self._known:
                try:
                    self._known[path] = self.client.read(path) is not None
                except PermissionDenied:
                    self._known[path] = True
            return self._known[path]


class Secret(Resource):
    """What all declarations about a secret share: where it is."""

    kind = "secret"
    holds_data = True

    def __init__(self, mounted: EngineMounts, item: Mapping[str, Any], desired: Mapping[str, Any] | None) -> None:
        self.mounted = mounted
        self.client: Client = mounted.client
        self.item = item
        self.mount = normalise.path(item["mount"])
        self.path = normalise.path(item["path"])
        self.version = 0
        #: its folder does not list it, so that there is nothing to read
        self.absent = False
        super().__init__("%s/%s" % (self.mount, self.path), desired)
        self.info.update(mount=self.mount, path=self.path)

    @classmethod
    def prepare(cls, resources: Sequence[Any]) -> None:
        places = []
        for resource in resources:
            try:
                if resource.find():
                    folder = resource.url("metadata").rpartition("/")[0]
                    places.append((folder, resource.path.rpartition("/")[2], resource))
            except SecretopsError:
                # its read will say so
                break
        mark_absent(resources[0].client, places)

    def check(self) -> None:
        for part in (*self.mount.split("/"), *self.path.split("/")):
            if part in ("", ".", "..") or part != part.strip():
                raise InvalidInput("mount or path is empty or has an empty part", remedy='write it like "apps/shop/db"')
        check_mount(self.mount, 'write it like "secret"', "mount", blanks=True)
        if re.search(r"[\x00-\x1f\x7f]", self.name):
            raise InvalidInput("mount or path holds a control character, such as a line end", remedy="remove it")
        for version in self.item.get("versions") or []:
            if version < 1:
                raise InvalidInput("%d is no version" % version, remedy="versions count from 1")

    def url(self, action: str = "data") -> str:
        """Return the API path: below ``action`` in KV version 2, the plain one in version 1."""
        path = in_url(self.path)
        return "%s/%s/%s" % (self.mount, action, path) if self.version == 2 else "%s/%s" % (self.mount, path)

    def find(self) -> bool:
        """Find out the engine's version; False when the mount does not exist (yet). Raises InvalidInput."""
        entry = self.mounted.require(self.mount, "kv")
        if entry is None:
            return False
        self.version = 2 if str((entry.get("options") or {}).get("version", "1")) == "2" else 1
        self.info["kv_version"] = self.version
        return True

    def need_version_2(self, option: str) -> None:
        """Refuse an option that KV version 1 has not. Raises InvalidInput."""
        if self.version == 1:
            raise InvalidInput(
                'the engine is of KV version 1, which knows no "%s"' % option, remedy="remove it, or upgrade the engine"
            )

    def get(self, action: str = "data") -> dict[str, Any] | None:
        """Read the secret or, with ``action`` metadata, what is known about it."""
        if self.absent:
            return None
        return patiently(lambda: self.client.read(self.url(action)))

    def post(self, action: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Write below an action and return the answer's data."""
        answer = patiently(lambda: self.client.write(self.url(action), body))
        return answer.get("data") or {}


class Present(Secret):
    """A secret with the declared keys: exactly these, or these among others."""

    def __init__(self, mounted: EngineMounts, item: Mapping[str, Any], generator: Generator) -> None:
        super().__init__(mounted, item, {})
        self.generator = generator
        self.exact = item.get("mode") == "exact" and bool(item.get("data") is not None or item.get("generate"))
        self.data: dict[str, Any] = dict(item.get("data") or {})
        self.remove = list(item.get("remove") or [])
        self.generate: dict[str, dict[str, Any]] = {}
        self.metadata = {name: value for name, value in (item.get("metadata") or {}).items() if value is not None}
        #: True when the task says something about keys, and not about metadata only
        self.has_keys = item.get("data") is not None or bool(item.get("generate") or self.remove)
        self.before: dict[str, Any] | None = None
        self.after: dict[str, Any] = {}
        self.writes_keys = False
        self.current_version = 0
        #: number of the metadata, by which the server tells that nobody else has changed them; None: not needed
        self.metadata_version: int | None = None
        self._new: dict[str, Any] = {}

    def check(self) -> None:
        super().check()
        if self.item.get("versions"):
            raise InvalidInput('"versions" is for "undelete" and for state absent', remedy="leave it out")
        if not self.has_keys and not self.metadata:
            raise InvalidInput("nothing is declared", remedy='give "data", "generate", "remove" or "metadata"')
        for key, spec in (self.item.get("generate") or {}).items():
            self.generate[key] = check_generate(key, spec)
        both = sorted(set(self.data) & set(self.generate)) + sorted({*self.data, *self.generate} & set(self.remove))
        if both:
            raise InvalidInput(
                'key "%s" is declared in two ways' % both[0], remedy='name it in one of "data", "generate" and "remove"'
            )
        if self.item.get("mode") == "exact" and self.remove:
            raise InvalidInput('mode "exact" removes every key that is not declared', remedy='leave "remove" out')
        for key, value in self.data.items():
            if value is None:
                raise InvalidInput('key "%s" has no value' % key, remedy='give one, or name the key in "remove"')
        if "" in {*self.data, *self.generate} or RESERVED & {*self.data, *self.generate}:
            raise InvalidInput("a key is empty or named like a field of the metadata", remedy="use another name")
        for key, value in self.data.items():
            if not all(math.isfinite(number) for number in numbers(value) if isinstance(number, float)):
                raise InvalidInput('key "%s" holds a number that is infinite or none' % key, remedy="write it as text")
        check_metadata(self.metadata)
        try:
            self._check_numbers()
        except VaultError:
            # what the server does not let the token see is for `read` to say
            return

    def _check_numbers(self) -> None:
        """Refuse numbers that KV version 2 would give back with other last digits. Raises InvalidInput."""
        for key, value in self.data.items():
            if any(map(rounded, numbers(value))) and self.find() and self.version == 2:
                raise InvalidInput(
                    'key "%s" holds a number of which KV version 2 changes the last digits' % key,
                    remedy="write it as text, in quotes",
                )

    def hidden(self) -> set[str]:
        return {*(self.before or {}), *self.after}

    def _current(self) -> dict[str, Any] | None:
        """Read the keys, None when there are none, and the current version, also that of a deleted one."""
        found = self.get()
        self.current_version = 0
        if self.version == 1 or found is None:
            return found
        about = found.get("metadata") or {}
        self.current_version = about.get("version") or 0
        return found.get("data")

    def read(self) -> Mapping[str, Any] | None:
        exists = self.find()
        metadata: dict[str, Any] | None = None
        if exists:
            for option in ("cas", "metadata"):
                if self.item.get(option) is not None:
                    self.need_version_2(option)
            # the engine may not have been there when it was checked
            self._check_numbers()
            if self.has_keys:
                self.before = self._current()
            if self.metadata:
                metadata = self.get("metadata")
                if metadata is not None and "current_metadata_version" in metadata:
                    self.metadata_version = int(metadata["current_metadata_version"])
                if not self.has_keys:
                    self.current_version = (metadata or {}).get("current_version") or 0
            if self.version == 2:
                self.info.update(version_before=self.current_version, version=self.current_version)
        self._merge()
        keys = changed_keys(self.before or {}, self.after)
        self.info["changed_keys"] = keys
        missing = self.has_keys and self.before is None
        # removing keys from what does not exist creates nothing
        self.writes_keys = bool(keys) or (missing and (self.exact or self.item.get("data") is not None))
        if self.version == 1 and self.writes_keys and not self.after:
            raise InvalidInput(
                "no key would be left, and KV version 1 keeps no secret without one",
                remedy='keep a key, or delete the secret with "state: absent"',
            )
        expected = self.item.get("cas")
        if expected is not None and expected != self.current_version and self.writes_keys:
            raise Conflict(
                'the current version is %d, not %d as "cas" expects' % (self.current_version, expected),
                remedy="look at the secret again and decide anew",
            )
        self.desired = {**self.after, **{PREFIX + name: value for name, value in self.metadata.items()}}
        if (missing and self.writes_keys) or (self.metadata and metadata is None):
            return None
        return {
            **(self.before or {}),
            **{PREFIX + name: value for name, value in (metadata or {}).items() if name in self.metadata},
        }

    def _merge(self) -> None:
        """Work out what the secret is to hold, from what it holds; a generated value stays the same in one run."""
        before = self.before or {}
        self.after = {} if self.exact else {key: value for key, value in before.items() if key not in self.remove}
        self.after.update(self.data)
        for key, spec in self.generate.items():
            if key in before and not spec["rotate"]:
                self.after[key] = before[key]
            else:
                if key not in self._new:
                    self._new[key] = self.generator.value(spec, self)
                self.after[key] = self._new[key]

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        return changed_keys(self.before or {}, self.after) + sorted(
            PREFIX + name
            for name, value in self.metadata.items()
            if METADATA[name](current.get(PREFIX + name)) != METADATA[name](value)
        )

    def write(self, change: Change) -> None:
        if not self.version:
            raise InvalidInput(
                "nothing is mounted there",
                'mount "%s"' % self.mount,
                "mount a KV engine first (module vault_secrets_engine)",
            )
        metadata = {name: self.metadata[name] for name in self.metadata if PREFIX + name in change.fields}
        if metadata:
            # first, so that limits hold for the version to come, and a refusal leaves the secret as it is
            self._write_metadata(metadata)
        if not self.writes_keys:
            return
        if self.version == 1:
            self.post("data", self.after)
            return
        self._write_version()

    def _write_metadata(self, fields: Mapping[str, Any]) -> None:
        body = dict(fields)
        if "custom_metadata" in body:
            # the server would make "1" of true
            body["custom_metadata"] = normalise.string_map(body["custom_metadata"])
        for attempt in range(1, ATTEMPTS + 1):
            if self.metadata_version is not None:
                body["metadata_cas"] = self.metadata_version
            try:
                self.post("metadata", body)
                break
            except BadRequest as error:
                if not wording.metadata_version_differs(error.said) or attempt == ATTEMPTS:
                    raise
            self.absent = False
            # the engine wants the number, or somebody else wrote: the declared fields alone are written once more
            self.metadata_version = int((self.get("metadata") or {}).get("current_metadata_version") or 0)
        if "metadata_cas_required" in fields and "metadata_cas_required" not in (self.get("metadata") or {}):
            raise BadRequest(
                'the server knows no "metadata_cas_required"', self.url("metadata"), 'remove it from "metadata"'
            )

    def _write_version(self) -> None:
        explicit = self.item.get("cas")
        for attempt in range(1, ATTEMPTS + 1):
            cas = self.current_version if explicit is None else explicit
            try:
                answer = self.post("data", {"data": self.after, "options": {"cas": cas}})
                self.info["version"] = answer.get("version")
                return
            except BadRequest as error:
                if not wording.version_differs(error.said):
                    raise
            self.absent = False
            # either somebody else wrote, or our own write was repeated because its answer got lost
            self.before = self._current()
            wanted = self.after
            self._merge()
            keys = changed_keys(self.before or {}, self.after)
            if self.before is not None and not changed_keys(self.before, wanted):
                self.info["version"] = self.current_version
                return
            if self.exact or explicit is not None or attempt == ATTEMPTS:
                break
            self.info.update(keys=keys, version_before=self.current_version)
        raise Conflict(
            "somebody else wrote version %d since it was read" % self.current_version,
            remedy="run again, after a look at what was written",
        )


class Gone(Secret):
    """A secret or versions of it that are to be gone: deleted softly, destroyed, or with all that is known of them."""

    def check(self) -> None:
        super().check()
        for option in ("data", "generate", "remove", "metadata", "cas"):
            if self.item.get(option):
                raise InvalidInput(
                    '"%s" makes no sense for a secret that is to be absent' % option, remedy="leave it out"
                )
        if self.item.get("versions") and self.item.get("delete") == "all":
            raise InvalidInput('delete "all" takes every version', remedy='leave "versions" out, or use "destroy"')

    def hidden(self) -> set[str]:
        return set() if self._by_version() else {"*"}

    def _by_version(self) -> bool:
        return bool(self.version == 2 and (self.item.get("versions") or self.item.get("delete") in ("destroy", "all")))

    def read(self) -> Mapping[str, Any] | None:
        if not self.find():
            return None
        for option in ("versions", "delete"):
            if self.item.get(option) not in (None, [], "soft", "all"):
                self.need_version_2("%s: %s" % (option, self.item[option]))
        if not self._by_version():
            found = self.get()
            if self.version == 1 or found is None:
                return found
            self.info["version_before"] = (found.get("metadata") or {}).get("version")
            return found.get("data")
        about = self.get("metadata")
        if about is None:
            return None
        self.info["version_before"] = about.get("current_version")
        soft = self.item.get("delete") not in ("destroy", "all")
        wanted = self.item.get("versions")
        versions = sorted(
            int(number)
            for number, state in (about.get("versions") or {}).items()
            if (not wanted or int(number) in wanted)
            and not state.get("destroyed")
            and not (soft and over(state.get("deletion_time")))
        )
        return {"versions": versions} if versions or self.item.get("delete") == "all" else None

    def delete(self, change: Change) -> None:
        versions = (change.current or {}).get("versions")
        if self.version == 2 and self.item.get("delete") == "all":
            self.client.delete(self.url("metadata"))
        elif not self._by_version():
            self.client.delete(self.url())
        elif self.item.get("delete") == "destroy":
            patiently(lambda: self.client.write(self.url("destroy"), {"versions": versions}, method="PUT"))
        else:
            self.post("delete", {"versions": versions})


class Undeleted(Secret):
    """Softly deleted versions that are to be there again: the named ones, else the current one."""

    def __init__(self, mounted: EngineMounts, item: Mapping[str, Any]) -> None:
        super().__init__(mounted, item, {"deleted_versions": []})

    def check(self) -> None:
        super().check()
        for option in ("data", "generate", "remove", "metadata", "cas"):
            if self.item.get(option):
                raise InvalidInput(
                    '"%s" and "undelete" contradict each other' % option,
                    remedy="bring the secret back first, and change it in a task of its own",
                )

    def read(self) -> Mapping[str, Any] | None:
        about = None
        if self.find():
            self.need_version_2("undelete")
            about = self.get("metadata")
        states = (about or {}).get("versions") or {}
        current = (about or {}).get("current_version")
        wanted = self.item.get("versions") or [current]
        for number in wanted:
            if not number or str(number) not in states:
                raise InvalidInput(
                    "there is nothing to bring back%s" % (": no version %d" % number if number else ""),
                    remedy="correct the path or the version, or restore a snapshot",
                )
            if states[str(number)].get("destroyed"):
                raise InvalidInput(
                    "version %d is destroyed and cannot be brought back" % number,
                    remedy="name an older version, or restore a snapshot",
                )
        self.info.update(version_before=current, version=current)
        return {"deleted_versions": [number for number in wanted if over(states[str(number)].get("deletion_time"))]}

    def write(self, change: Change) -> None:
        self.post("undelete", {"versions": (change.current or {}).get("deleted_versions")})


def secret(mounted: EngineMounts, item: Mapping[str, Any], generator: Generator) -> Secret:
    """Return the resource for one declared secret; ``generator`` is shared by all secrets of a task."""
    if item["state"] == "absent":
        return Gone(mounted, item, None)
    return Undeleted(mounted, item) if item.get("undelete") else Present(mounted, item, generator)


# -- what is not declared ---------------------------------------------------------------------------------------------


class Patterns:
    """Paths inside a mount: ``*`` and ``?`` stand for something within one part, ``**`` for any number of parts."""

    _SIGNS = {"**": ".*", "*": "[^/]*", "?": "[^/]"}

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = [normalise.path(text) for text in texts]
        self._expressions = [re.compile(self._expression(text), re.DOTALL) for text in self.texts if text]

    @classmethod
    def _expression(cls, text: str) -> str:
        return "".join(cls._SIGNS.get(part) or re.escape(part) for part in re.split(r"(\*\*|\*|\?)", text))

    def match(self, path: str) -> bool:
        """Tell whether a pattern is about exactly this path."""
        return any(expression.fullmatch(path) for expression in self._expressions)

    def cover(self, path: str) -> bool:
        """Tell whether a pattern is about this path or a folder that it lies in."""
        parts = path.split("/")
        return any(self.match("/".join(parts[:count])) for count in range(1, len(parts) + 1))

    def check_bounded(self, option: str) -> None:
        """Refuse a pattern that begins with a wildcard: it could be about the whole mount. Raises InvalidInput."""
        for text in self.texts:
            if not text or re.search(r"[*?]", text.split("/")[0]):
                raise InvalidInput(
                    '"%s" could be about everything in the mount' % text,
                    'option "%s"' % option,
                    'begin with the name of a folder or secret, as in "legacy/**"',
                )


def names(client: Client, mount: str, entry: Mapping[str, Any]) -> list[str]:
    """Return the paths of all secrets of a mount, of which the server says ``entry``. Raises PermissionDenied."""
    version = 2 if str((entry.get("options") or {}).get("version", "1")) == "2" else 1
    return tree(client, mount, version, "", Patterns([]))


def tree(client: Client, mount: str, version: int, below: str, spared: Patterns, workers: int = 4) -> list[str]:
    """Return the sorted paths of all secrets of a mount, below a folder of it; one LIST for each folder.

    Folders that are spared as a whole are not looked into. Raises PermissionDenied.
    """
    root = "%s/metadata" % mount if version == 2 else mount

    def look(folder: str) -> list[str]:
        url = "/".join(part for part in (root, in_url(folder)) if part)
        return [folder + "/" + name if folder else name for name in patiently(lambda: client.list(url + "/"))]

    found: list[str] = []
    folders = [below] if not below or not spared.cover(below) else []
    with ThreadPoolExecutor(max_workers=max(workers, 1)) as pool:
        while folders:
            entries = [entry for entries in pool.map(look, folders) for entry in entries]
            found += [entry for entry in entries if not entry.endswith("/")]
            folders = [entry[:-1] for entry in entries if entry.endswith("/") and not spared.cover(entry[:-1])]
    return sorted(path for path in found if not spared.cover(path))


class Unmounted(Resource):
    """An engine that a purge is to look into, in check mode, and that is not there: it warns, and does nothing."""

    kind = "KV engine"

    def __init__(self, mount: str) -> None:
        super().__init__(mount, None)
        self.warnings.append("nothing is mounted there (yet) for the purge to look into")

    def read(self) -> Mapping[str, Any] | None:
        return None


def purge_mounts(
    mounted: EngineMounts, declared: Iterable[Secret], named: Iterable[str], planned: Iterable[str], lenient: bool
) -> tuple[list[str], list[Resource]]:
    """Return the mounts that a purge looks into, and what warns of those that are missing.

    They are the ``named`` ones, else those of the declared secrets. A named one must be there, unless it is
    ``planned``: declared in the same tree; ``lenient``: in check mode a missing one is a warning.
    Raises InvalidInput when no mount is known, or one is missing or no KV engine.
    """
    names = sorted({normalise.path(name) for name in named if normalise.path(name)})
    if not names:
        places = sorted({one.mount for one in declared})
        if places:
            return places, []
        raise InvalidInput(
            "a purge looks into the mounts of the declared secrets, and no secret is declared",
            'option "purge"',
            'name the mounts in "purge_mount"',
        )
    awaited = {normalise.path(path) for path in planned}
    warnings: list[Resource] = []
    for name in names:
        if mounted.require(name, "kv") is not None or name in awaited:
            continue
        if not lenient:
            raise InvalidInput(
                "nothing is mounted there, and a purge is to look into it",
                'mount "%s"' % name,
                'correct "purge_mount" or "mount", or mount a KV engine first (module vault_secrets_engine)',
            )
        warnings.append(Unmounted(name))
    return names, warnings


def surplus(
    mounted: EngineMounts, declared: Sequence[Secret], mounts: Sequence[str], options: Mapping[str, Any]
) -> list[Secret]:
    """Return what deletes the secrets of some mounts that are not declared.

    ``options``: ``purge_below``, ``protected``, ``purge_data``, ``purge_delete``, ``workers`` as the module has them,
    for each of the mounts. A mount that does not exist holds nothing.
    Raises InvalidInput for secrets with data that are not named again in ``purge_data``, before anything is deleted.
    """
    named = Patterns(options.get("purge_data") or ())
    named.check_bounded("purge_data")
    extra = [one for mount in mounts for one in _undeclared(mounted, declared, mount, options)]
    # what was deleted softly is listed still, and holds nothing that another soft deletion could take
    unnamed: dict[str, list[str]] = {}
    for one in extra:
        if not named.match(one.path) and one.read() is not None:
            unnamed.setdefault(one.mount, []).append(one.path)
    if unnamed:
        places = []
        for mount, paths in unnamed.items():
            more = " and %d more" % (len(paths) - 10) if len(paths) > 10 else ""
            places.append('%s%s in mount "%s"' % (", ".join('"%s"' % path for path in paths[:10]), more, mount))
        raise InvalidInput(
            "purge would delete the data of %s" % "; ".join(places),
            "secrets",
            'declare them, or name them in "protected" to keep them or in "purge_data" to delete them',
        )
    return [one for one in extra if named.match(one.path)]


def _undeclared(
    mounted: EngineMounts, declared: Sequence[Secret], mount: str, options: Mapping[str, Any]
) -> list[Secret]:
    """Return what deletes each secret of one mount that is neither declared nor protected, with data or without."""
    below, how = normalise.path(options.get("purge_below")), options.get("purge_delete") or "soft"
    spared = Patterns(options.get("protected") or ())
    probe = Secret(mounted, {"mount": mount, "path": "-"}, None)
    if not probe.find():
        return []
    keep = {one.path for one in declared if one.mount == mount}
    paths = tree(mounted.client, mount, probe.version, below, spared, options.get("workers") or 4)
    return [
        Gone(mounted, {"mount": mount, "path": path, "state": "absent", "delete": how}, None)
        for path in paths
        if path not in keep
    ]


def at_mount(items: Iterable[Mapping[str, Any]], mount: str | None) -> list[dict[str, Any]]:
    """Return the items with their mount filled in: their own, else the task's, else ``secret``."""
    return [{**item, "mount": item.get("mount") or mount or "secret"} for item in items]


def public_names(items: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return what a task about secrets shows of itself: mounts, paths and the names of keys."""
    names: set[str] = set()
    for item in items:
        names.update(
            (
                item["mount"],
                item["path"],
                *(item.get("data") or {}),
                *(item.get("generate") or {}),
                *(item.get("remove") or []),
            )
        )
    return names
