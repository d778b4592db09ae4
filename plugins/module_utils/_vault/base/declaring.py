# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""From what a server answers of an object to the declaration that says the same: the way of an export.

Fields whose value the server would choose by itself are left out. That is told by its own help (`schema.defaults`), or
by the field's normaliser.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any, Callable

from ..._engine import normalise
from ..._engine.errors import SecretopsError
from ..._engine.field import BY_TYPE, Field
from ..._engine.secret_patterns import masked
from ..._engine.yaml_dump import Template
from ..connection.client import Client
from . import schema
from .listing import Found
from .normalisers import FILLS_IN

#: the variable that holds what the server does not tell
VARIABLE = "vault_secrets_to_fill"
#: options that say where an object is, rather than what
PLACED = ("mount", "path", "name", "type", "subject")
#: what a normaliser makes of nothing at all, where that says nothing
SILENT: tuple[Any, ...] = (None, "", "null", 0, False, [], {})
EMPTY: tuple[Any, ...] = (None, "", 0, False, [], {})


class Omitted(Exception):
    """An object of which no declaration is made; the text says why."""


class Placeholder(Template):
    """A template in the place of a value that the server does not tell; ``key`` names it in `VARIABLE`."""

    key: str

    @classmethod
    def of(cls, key: str) -> Placeholder:
        """Return the placeholder of a key."""
        made = cls("{{ %s['%s'] }}" % (VARIABLE, key.replace("\\", "\\\\").replace("'", "\\'")))
        made.key = key
        return made


class View:
    """What is known of one namespace while its objects of one kind are declared. Safe for several threads."""

    def __init__(
        self,
        client: Client,
        title: str,
        store: dict[str, Any],
        note: Callable[[str, str], None],
        keys: bool = False,
    ) -> None:
        """``store``: what all views of the namespace share. ``keys``: whether the keys of secrets are wanted.

        ``note`` is called with what is left out of a declaration, and why.
        """
        self.client = client
        self.note = note
        self.title = title
        self.keys = keys
        self._store = store
        self._lock = store.setdefault("lock", threading.RLock())

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what ``make`` returned at the first question of this name."""
        with self._lock:
            if name not in self._store:
                self._store[name] = make()
            return self._store[name]

    def usual(self, path: str, form: str = "") -> Mapping[str, Any] | None:
        """Return what an endpoint takes, each field with its default; None where the server does not tell.

        ``form``: the same for all that are alike, so that the server is asked once.
        """

        def ask() -> Mapping[str, Any] | None:
            try:
                answer = self.client.request("GET", path, params={"help": "1"}, missing_ok=True)
            except SecretopsError as error:
                if error.ends_task or error.retryable:
                    raise
                return None
            return schema.defaults(answer or {}) or None

        found: Mapping[str, Any] | None = self.once("help:%s" % (form or path), ask)
        return found

    def usual_of(self, one: Found) -> Mapping[str, Any] | None:
        """Return `usual` of an object's own endpoint."""
        kind = str(one.entry.get("type") or one.listing.engine)
        return self.usual(one.place()[0], "%s %s" % (kind, one.listing.path))

    def fill(self, one: Found, *names: str) -> Placeholder:
        """Return the placeholder of one value of an object."""
        inside = (self._store.get("namespace") or "", self.title, one.where, *names)
        return Placeholder.of("/".join(part for part in inside if part))


def usual(value: Any, told: Any, normaliser: normalise.Normaliser | None) -> bool:
    """Tell whether a value is what the server has when nothing is said; ``told`` is what its help calls the default."""
    none = normaliser(None) if normaliser is not None else None
    speaks = none not in SILENT
    if speaks and normaliser is not None and (told is None or hasattr(normaliser, FILLS_IN)):
        return bool(normaliser(value) == none)
    if told is not None and normalise.same(value, told, normaliser):
        return True
    if normaliser is normalise.signed_duration and not normaliser(value):
        # there 0 stands for the server's own
        return True
    if told is not None or speaks:
        return False
    return value in EMPTY or (normaliser is not None and bool(normaliser(value) == none))


def shaped(field: Field, value: Any) -> Any:
    """Return an answered value as the option takes it."""
    if field.type == "list" and isinstance(value, str):
        return normalise.strings(value)
    return duration_text(value) if field.is_duration else value


def duration_text(value: Any) -> Any:
    """Return seconds as people write a duration: ``36h``; 0 and what is no number of seconds stay."""
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        return value
    for unit, length in (("h", 3600), ("m", 60)):
        if value % length == 0:
            return "%d%s" % (value // length, unit)
    return "%ds" % value


def placed(fields: Iterable[Field], one: Found) -> dict[str, Any]:
    """Return the options that say where an object is."""
    told = {
        "mount": one.mount,
        "path": one.name,
        "name": one.name,
        "type": one.listing.type,
        "subject": one.listing.subject,
    }
    names = {field.name for field in fields if not field.sent}
    return {name: told[name] for name in PLACED if name in names and told[name]}


def declare(
    fields: Iterable[Field],
    answered: Mapping[str, Any],
    defaults: Mapping[str, Any] | None,
    kind: str = "",
    always: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the options that say what a server answers, in the order of the fields, without secrets.

    ``defaults``: see `View.usual`; None keeps everything. ``kind``: of kinds with several types, which one it is.
    ``always``: options that are said even when they are usual.
    """
    item: dict[str, Any] = {}
    for field in fields:
        of = getattr(field, "of", ())
        if not field.sent or field.secret or field.write_only or (of and kind and kind not in of):
            continue
        value = answered.get(field.name)
        if value is None or (field.name not in always and _dropped(field, value, defaults)):
            continue
        item[field.name] = shaped(field, value)
    return item


def _dropped(field: Field, value: Any, defaults: Mapping[str, Any] | None) -> bool:
    if defaults is None:
        return False
    told, how = defaults.get(field.name), field.normaliser
    if how is None and told is not None:
        how = BY_TYPE[field.type]
    return usual(value, told, how)


def further(
    answered: Mapping[str, Any],
    known: Iterable[str],
    defaults: Mapping[str, Any] | None,
    table: Mapping[str, normalise.Normaliser] | None = None,
) -> dict[str, Any]:
    """Return what a server answers beside the options that are known, as far as a write takes it: for ``options``."""
    table, left = table or {}, set(known)
    takes = defaults or {}
    return {
        name: duration_text(value) if table.get(name) in (normalise.duration, normalise.signed_duration) else value
        for name, value in sorted(answered.items())
        if name in takes and name not in left and value is not None and not usual(value, takes[name], table.get(name))
    }


def concealed(item: Mapping[str, Any], view: View, one: Found) -> dict[str, Any]:
    """Return a declaration with placeholders for what is a secret by its looks, wherever it stands."""

    def look(value: Any, names: tuple[str, ...]) -> Any:
        if isinstance(value, Placeholder):
            return value
        if isinstance(value, Mapping):
            return {key: look(inner, (*names, str(key))) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [look(inner, (*names, str(number))) for number, inner in enumerate(value)]
        name = next((part for part in reversed(names) if not part.isdigit()), "")
        return value if masked(value, name=name) == value else view.fill(one, *names)

    return {name: look(value, (name,)) for name, value in item.items()}
