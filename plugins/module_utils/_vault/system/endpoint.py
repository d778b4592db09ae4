# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Any path of the API that has no module of its own: read, compare, write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from ..._engine import normalise
from ..._engine.errors import InvalidInput
from ..._engine.field import Field
from ..._engine.resource import Change, Resource
from ..auth import registry
from ..base.kind import Kind, RunContext
from ..base.naming import check_name
from ..base.secret_fields import misplaced, secret_values
from ..connection.client import Client
from ..connection.errors import VaultError

WHEN_DIFFERENT, WHEN_MISSING, ALWAYS = "when_different", "when_missing", "always"


def texts(value: Any) -> Any:
    """Return a mapping with every value as text; what the server has instead of one stays what it is."""
    return normalise.string_map(value) if value is None or isinstance(value, Mapping) else value


#: how two values of a key are compared, by the names that users write
COMPARE: Mapping[str, normalise.Normaliser] = {
    "bool": normalise.boolean,
    "duration": normalise.duration,
    "int": normalise.integer,
    "json": normalise.as_json,
    "list": normalise.strings,
    "map": texts,
    "path": normalise.path,
    "pem": normalise.pem,
    "set": normalise.string_set,
    "text": normalise.text,
}


FIELDS: Sequence[Field] = (
    Field("path", "Path that is written and deleted, without C(v1/)."),
    Field("read_path", "Path that tells the current state; by default O(path)."),
    Field("data", "What is written and compared. Secrets are refused here, see O(secret_data).", type="dict"),
    Field(
        "secret_data",
        (
            "What is written along and neither compared nor shown. When it alone changes, the rule of "
            "O(update_secrets) holds."
        ),
        type="dict",
        secret=True,
    ),
    Field(
        "compare",
        (
            "How keys of O(data) are compared, where that cannot be guessed from their values.",
            (
                "V(bool), V(duration), V(int), V(json), V(list) (in order, or a comma string), V(map) (values as "
                "text), V(path), V(pem), V(set) (in any order), V(text)."
            ),
        ),
        type="dict",
    ),
    Field("method", "Method of the write.", choices=("POST", "PUT", "PATCH"), default="POST"),
    Field(
        "write",
        (
            "V(when_different) writes when the path does not exist or a declared key differs.",
            (
                "V(when_missing) writes only when O(read_path) does not exist, and is never repeated, for what "
                "happens once."
            ),
            (
                "V(always) does not read, writes at every run and always reports a change, for what cannot be read. "
                "Deletes at every run as well."
            ),
        ),
        choices=("when_different", "when_missing", "always"),
        default="when_different",
    ),
)


def quoted(names: set[str]) -> str:
    """Return names as messages hold them."""
    return ", ".join('"%s"' % name for name in sorted(names))


class Endpoint(Resource):
    """One path. Only declared keys are compared; those of ``secret_data`` are never compared nor shown."""

    kind = "endpoint"

    def __init__(self, client: Client, item: Mapping[str, Any]) -> None:
        self.client = client
        self.item = item
        self.open = {key: value for key, value in (item.get("data") or {}).items() if value is not None}
        self.secret = {key: value for key, value in (item.get("secret_data") or {}).items() if value is not None}
        self._values: bool | None = None
        self.when = item.get("write") or WHEN_DIFFERENT
        self.ways = {key: normalise.scalar(how) for key, how in (item.get("compare") or {}).items()}
        self.fields = {key: COMPARE[how] for key, how in self.ways.items() if how in COMPARE}
        self.secret_fields = frozenset(self.secret)
        # "when it is missing" is a promise for these as well
        self.write_only_fields = frozenset() if self.when == WHEN_MISSING else frozenset(self.secret)
        desired = None if item["state"] == "absent" else {**self.open, **self.secret}
        super().__init__(normalise.path(item["path"]), desired)

    @property
    def _read_path(self) -> str:
        return normalise.path(self.item.get("read_path") or self.name)

    def check(self) -> None:
        for path in (self.name, self._read_path):
            check_name(path, "write it like sys/x", "path")
            # the server removes one layer of quotes
            check_name(unquote(path), "write it like sys/x", "path", blanks=True)
            found = re.search(r"[?#]", path)
            if found:
                # the server would be asked for what stands before it
                raise InvalidInput(
                    'the path holds "%s", which ends it' % found.group(),
                    remedy='write "%%%02X" where it is a part of a name' % ord(found.group()),
                )
        if self.name.split("/")[0] == "v1":
            raise InvalidInput('the path begins with "v1"', remedy='leave "v1/" out')
        if self.desired is None:
            return
        misplaced(self.item.get("data"), "data", "secret_data", registry.SECRETS)
        twice = set(self.open) & set(self.secret)
        if twice:
            raise InvalidInput('%s in both "data" and "secret_data"' % quoted(twice), remedy="keep one of the two")
        for key, how in self.ways.items():
            if how not in COMPARE:
                raise InvalidInput('"compare" does not know "%s"' % how, remedy="use %s" % ", ".join(sorted(COMPARE)))
            if key not in self.open:
                raise InvalidInput('"compare" names "%s", which is not in "data"' % key, remedy="correct the name")
            if how == "duration":
                normalise.seconds(self.open[key])
            if how == "map" and not isinstance(self.open[key], Mapping):
                raise InvalidInput('"%s" is to be compared as a map, but is not one' % key, remedy='correct "compare"')

    def _current(self) -> Mapping[str, Any] | None:
        try:
            return self.client.read(self._read_path)
        except VaultError as error:
            if error.status == 405:
                raise InvalidInput(
                    "the server does not let this path be read",
                    self._read_path,
                    'give "read_path", or set "write: always" to write at every run',
                ) from error
            raise

    def read(self) -> Mapping[str, Any] | None:
        return {} if self.when == ALWAYS else self._current()

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        if self.when == ALWAYS:
            return sorted(desired) or ["*"]
        return [] if self.when == WHEN_MISSING else super().compare(current, desired)

    def hidden(self) -> set[str]:
        # what was read may hold anything; only what the user declared openly may be shown, and nothing of a KV engine:
        # what stands there was written as a secret, by whatever name
        return {"*"} if self.desired is None or self._holds_values() else super().hidden()

    def _holds_values(self) -> bool:
        """Tell whether the path is in an engine that keeps what it is given; one that cannot be told is taken for it.

        Source: /api-docs/system/internal-ui-mounts.
        """
        if self._values is None:
            first = self.name.partition("/")[0]
            if first in ("sys", "auth", "identity"):
                self._values = False
            else:
                try:
                    found = self.client.read("sys/internal/ui/mounts/%s" % self.name) or {}
                    self._values = found.get("type") in (None, "kv", "generic", "cubbyhole")
                except VaultError:
                    self._values = True
        return self._values

    def write(self, change: Change) -> None:
        method = self.item.get("method") or "POST"
        headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else None
        repeatable = self.when == WHEN_DIFFERENT
        self.client.request(method, self.name, dict(change.desired), idempotent=repeatable, headers=headers)
        change.touched = True
        if self.when == WHEN_DIFFERENT:
            self._look_back()

    def _look_back(self) -> None:
        """Say at once what would be reported as a change at every run."""
        current = self._current()
        if current is None:
            self.warnings.append('nothing can be read at "%s" after the write; correct "read_path"' % self._read_path)
            return
        lost = set(self.open) - set(current)
        if lost:
            self.warnings.append(
                "the server does not return %s, so that every run will write; correct the name, or put what is never "
                'returned into "secret_data"' % quoted(lost)
            )
        other = set(normalise.differing(current, self.open, self.fields)) - lost
        if other:
            self.warnings.append(
                "the server keeps another value of %s than the declared one, so that every run will write; "
                'correct the value, or say in "compare" what it is' % quoted(other)
            )

    def delete(self, change: Change) -> None:
        self.client.delete(self.name)


class Endpoints(Kind):
    """Anything else that the API reads and writes under one path."""

    about = "Any other path of the API"
    tag = "endpoints"
    module = "vault_endpoint"
    plural = "endpoints"
    fields = FIELDS
    required = ("path",)
    update_secrets = True
    concealed = "secret_data"
    unlisted = "they are paths of any API"

    def secrets(self, declared: Sequence[Mapping[str, Any]]) -> Iterable[str]:
        return secret_values([item.get("data") for item in declared])

    def public(self, items: Sequence[Mapping[str, Any]], context: RunContext) -> Iterable[str]:
        return [item[name] for item in items for name in ("path", "read_path") if item.get(name)]

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        return [Endpoint(client, item) for item in items]
