# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""One declared object, and the planned change of it. Knows neither Vault nor Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, ClassVar

from . import normalise
from .display import as_text, shown_pair
from .errors import InvalidInput, SecretopsError
from .hidden import HIDDEN_OLD
from .scrub import leaves, scrub

CREATE, UPDATE, DELETE, NONE = "create", "update", "delete", "none"


class Resource:
    """One declared object.

    Subclasses set the class variables, `desired` (what is declared; None when the object is to be absent) and implement
    `read`, `write` and `delete`. The engine calls, in this order: `check` of all, `preflight` of all, then of each
    `read`, `resolve`, `compare`, and unless in check mode `write` or `delete`. Nothing is asked of a server before
    `preflight`, and nobody but the engine changes `desired` after the constructor.
    """

    kind: ClassVar[str] = "object"
    #: how to compare a field; a field that is not named is compared by `normalise.guess`
    fields: Mapping[str, normalise.Normaliser] = {}
    #: never printed
    secret_fields: frozenset[str] = frozenset()
    #: write-only: never returned by the server, written by the rule of ``update_secrets``
    write_only_fields: frozenset[str] = frozenset()
    #: returned by a read, but not accepted by a write
    answered_only: frozenset[str] = frozenset()
    #: it has a server of its own: an outage there does not affect the other objects
    own_server: ClassVar[bool] = False
    #: deleting it loses data that cannot be declared again
    holds_data: ClassVar[bool] = False
    #: lower ones are written first and deleted last
    rank: int = 0
    #: names of objects of the same kind that it depends on; None: all of lower rank
    needs: frozenset[str] | None = None
    #: its place in a tree, for its result: ``part`` and ``namespace``
    place: Mapping[str, str] = {}

    def __init__(self, name: str, desired: Mapping[str, Any] | None) -> None:
        self.name = name
        self.desired = None if desired is None else {key: value for key, value in desired.items() if value is not None}
        #: facts for the result that are not secret, such as a version number; filled by `read` and `write`
        self.info: dict[str, Any] = {}
        self.warnings: list[str] = []

    @property
    def label(self) -> str:
        """The object's name in messages: ``policy "eso"``."""
        inside = self.place.get("namespace")
        return '%s "%s"' % (self.kind, self.name) + (' in namespace "%s"' % inside if inside else "")

    @property
    def key(self) -> str:
        """The name as the server compares it: two resources of one kind and key are one object."""
        return self.name

    def check(self) -> None:
        """Validate the declaration alone. Raises InvalidInput; sends no request, changes nothing."""

    def preflight(self) -> None:
        """Validate the declaration against the server: what it supports, and its current state.

        Called for every resource after every `check` and before anything changes. Raises InvalidInput.
        """

    @classmethod
    def prepare(cls, resources: Sequence[Any]) -> None:
        """Read lists that answer for many objects of this class; called before the first `read`. Raises nothing."""

    def read(self) -> Mapping[str, Any] | None:
        """Return the current fields, or None when the object does not exist. Raises SecretopsError."""
        raise NotImplementedError

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """Return the desired state in view of the current one, with open values filled in. Raises SecretopsError.

        ``current`` is what `read` returned. Not called for an object that is to be absent. Without open values this is
        the declaration itself.
        """
        return self.desired or {}

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        """Return the names of the desired fields that differ; write-only fields are not compared."""
        comparable = {key: value for key, value in desired.items() if key not in self.write_only_fields}
        return normalise.differing(current, comparable, self.fields)

    def write(self, change: Change) -> None:
        """Create or update the object. Raises SecretopsError."""
        raise NotImplementedError

    def delete(self, change: Change) -> None:
        """Delete the object. Raises SecretopsError."""
        raise NotImplementedError

    def whole_body(self, change: Change) -> dict[str, Any]:
        """Return the body of a write: the declaration for a new object, else current fields with the changes.

        Many endpoints reset fields that an update leaves out to their default.
        Write-only fields are sent only when they are declared and to be changed.
        """
        desired = change.desired
        if change.current is None:
            return dict(desired)
        left = self.answered_only | self.write_only_fields
        stands = {name: value for name, value in change.current.items() if value is not None and name not in left}
        return {**stands, **{name: desired[name] for name in change.fields if name in desired}}

    def convert_durations(self) -> None:
        """Turn the declared durations into seconds. Raises InvalidInput for any other text.

        This is the only change that the engine makes to a declaration; it comes after `check`.
        """
        for name, value in (self.desired or {}).items():
            try:
                sent = normalise.as_sent(value, self.fields.get(name))
            except InvalidInput as error:
                raise error.at(name) from None
            if sent is not value:
                self.desired[name] = sent  # type: ignore[index]

    def take_warnings(self) -> list[str]:
        """Return the server's warnings since the last call in this thread, without the object's secrets."""
        ask = getattr(getattr(self, "client", None), "take_warnings", None)
        if ask is None:
            return []
        hidden = self.hidden()
        secrets = leaves([value for name, value in (self.desired or {}).items() if name in hidden or "*" in hidden])
        return [scrub(text, secrets) for text in ask()]

    def hidden(self) -> set[str]:
        """Return the names of the fields whose values are never printed; may depend on what was read."""
        return set(self.secret_fields | self.write_only_fields)

    def show(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the fields as a diff shows them, before secrets are hidden."""
        return fields


def check_completed(
    check: Callable[[Mapping[str, Any]], None],
    desired: Mapping[str, Any],
    read: Callable[[], Mapping[str, Any] | None],
) -> None:
    """Validate the declaration alone; if that fails, retry with the current state merged in. Raises InvalidInput.

    A failure to read is left to the resource's own `read`.
    """
    try:
        check(desired)
    except InvalidInput:
        try:
            current = read()
        except InvalidInput:
            raise
        except SecretopsError:
            return
        check({**(current or {}), **desired})


def check_new(check: Callable[[], None], exists: Callable[[], bool]) -> None:
    """Validate what a new object needs; whether it exists is asked only when the validation fails.

    Raises InvalidInput. A failure to read is left to the resource's own `read`.
    """
    try:
        check()
    except InvalidInput:
        try:
            found = exists()
        except InvalidInput:
            raise
        except SecretopsError:
            return
        if not found:
            raise


class Change:
    """The planned change of one resource.

    ``action``; the differing ``fields``; ``current``, what was read; ``desired``, the resolved state (see
    `Resource.resolve`), empty for what is to be absent.
    """

    def __init__(
        self, resource: Resource, action: str, current: Mapping[str, Any] | None = None, fields: Sequence[str] = ()
    ) -> None:
        self.resource = resource
        self.action = action
        self.current = current
        self.desired: Mapping[str, Any] = resource.desired or {}
        self.fields = list(fields)
        self.error: SecretopsError | None = None
        self.reached = False
        #: whether it was processed: not after an error that every other object would meet
        self.seen = True
        #: set by a `write` of several steps after its first one: a later failure does not undo that
        self.touched = False

    def diff(self) -> dict[str, Any] | None:
        """Return Ansible's diff entry with secrets hidden, or None when nothing changes."""
        if self.action == NONE:
            return None
        resource = self.resource
        desired = self.desired
        current = self.current or {}
        if self.action == UPDATE:
            before = {name: current[name] for name in self.fields if current.get(name) is not None}
            after = {name: desired[name] for name in self.fields if name in desired}
        else:
            before, after = dict(current), dict(desired)
        hidden = resource.hidden()
        shown_before, shown_after = shown_pair(resource.show(before), resource.show(after), hidden, self.fields)
        if self.action == UPDATE:
            for name in self.fields:
                if name in resource.write_only_fields and name not in shown_before:
                    shown_before[name] = HIDDEN_OLD
        header = "%s (%s)" % (resource.label, self.action)
        return {
            "before_header": header,
            "after_header": header,
            "before": as_text(shown_before) if self.action != CREATE else "",
            "after": as_text(shown_after) if self.action != DELETE else "",
        }

    def effective(self, check_mode: bool = False) -> bool:
        """Tell whether the object was changed, even if only in part; in check mode, whether it would be."""
        if self.error is not None:
            return self.touched
        return self.action != NONE and (self.reached or check_mode)

    def result(self, check_mode: bool = False) -> dict[str, Any]:
        """Return the entry of the module's ``results``: nothing in it is secret."""
        entry: dict[str, Any] = {
            "kind": self.resource.kind,
            "name": self.resource.name,
            "action": self.action,
            "changed": self.effective(check_mode),
            "fields": self.fields,
            **self.resource.place,
        }
        if self.resource.info:
            entry["info"] = self.resource.info
        if self.error is not None:
            entry["error"], entry["error_code"] = str(self.error), self.error.code
        return entry
