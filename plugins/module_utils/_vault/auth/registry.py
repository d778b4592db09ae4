# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""All known auth methods by name, and the choice of a login."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..._engine.field import Field
from ..base.listing import Listing
from ..connection.login import Login
from .all_methods import ALL
from .method_type import Config, MethodType

METHODS: Mapping[str, MethodType] = {method.name: method for method in ALL}
_CONFIGS = [method.config for method in METHODS.values() if method.config is not None]
#: any other method, such as that of an external plugin, which may be a build of a known one
OTHER = MethodType(
    "",
    config=Config(
        answered_only=frozenset().union(*(config.answered_only for config in _CONFIGS)),
        alternatives=frozenset().union(*(config.alternatives for config in _CONFIGS)),
    ),
)
#: the names of secret fields of all methods
SECRETS: frozenset[str] = frozenset().union(*(method.secret_names for method in METHODS.values()))
_ALIASES = {alias: method.name for method in METHODS.values() for alias in method.aliases}
#: paths of built-in mounts, with their types in the server's list
OWN_PATHS = frozenset(name for name, method in METHODS.items() if method.built_in)
BUILT_IN = frozenset(name for method in METHODS.values() if method.built_in for name in (method.name, *method.aliases))
LOGINS: Mapping[str, type[Login]] = {name: method.login for name, method in METHODS.items() if method.login is not None}


def of(name: str) -> MethodType:
    """Return the type of this name, or the description of any other."""
    return METHODS.get(name, OTHER)


def type_of(entry: Mapping[str, Any] | None) -> str:
    """Return the type of a mount as the server lists it, "" when nothing is mounted."""
    found = str((entry or {}).get("type") or "")
    return _ALIASES.get(found, found)


def owner(subject: str) -> str:
    """Return the method that has a subject."""
    return next(name for name, method in METHODS.items() if subject in method.subjects)


def subjects() -> list[str]:
    """Return all values of the option ``subject``."""
    return sorted({subject for method in METHODS.values() for subject in method.subjects})


def option_fields() -> tuple[Field, ...]:
    """Return the fields of entries that are options of the module."""
    return tuple(
        field for method in METHODS.values() for one in method.entries for field in one.fields if field.description
    )


def listings() -> Iterator[Listing]:
    """Yield the listings of each method's entries."""
    for name, method in METHODS.items():
        for one in method.entries:
            yield Listing("auth/{mount}/%s" % one.folder, engine=name, type=name, subject=one.subject)


# -- logins -----------------------------------------------------------------------------------------------------------


def login_fields() -> tuple[Field, ...]:
    """Return the options of all logins; their descriptions name the methods."""
    found: dict[str, Field] = {}
    users: dict[str, list[str]] = {}
    for name in sorted(LOGINS):
        for field in LOGINS[name].options:
            found.setdefault(field.name, field)
            users.setdefault(field.name, []).append("O(auth_method=%s)" % name)

    def told(field: Field) -> Field:
        names = users[field.name]
        methods = " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
        sentences = [field.description] if isinstance(field.description, str) else list(field.description)
        texts = tuple(text.replace("{methods}", methods) for text in sentences)
        return replace(field, description=texts[0] if len(texts) == 1 else texts)

    return tuple(told(field) for field in found.values())


def secret_files() -> list[str]:
    """Return the options of all logins that name a file with a secret."""
    return sorted({name for login in LOGINS.values() for name in login.secret_files})


def method_of(params: Mapping[str, Any]) -> type[Login]:
    """Return the login of the chosen method, else the most likely one by options and environment."""
    if params.get("auth_method"):
        return LOGINS[str(params["auth_method"])]
    return max(LOGINS.values(), key=lambda login: login.likely(params))


def login_for(params: Mapping[str, Any]) -> Login:
    """Return the validated login that the options choose. Raises InvalidInput."""
    login = method_of(params)(params)
    login.validate()
    return login
