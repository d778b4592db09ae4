# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Description of an auth method: its login, its configuration and its entries. One file in `methods` for each.

`registry` holds them all. `method` (the mount and its configuration) and `role` (the entries) know no method by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from functools import cached_property
from typing import Any, Callable

from ..._engine import normalise
from ..._engine.field import Field
from ..._engine.normalise import Normaliser
from ..base import valid
from ..base.normalisers import count, default, lower_set, networks
from ..connection.login import Login
from ..products import OPENBAO

Values = Mapping[str, Any]
Table = Mapping[str, Normaliser]


@dataclass(frozen=True)
class MethodField(Field):
    """A field of an auth method's configuration, or of one of its entries.

    One without a ``normaliser`` is compared by `normalise.guess`. ``secret``: it belongs in ``secret_config`` or
    ``secret_options``.
    """

    #: only for fields that are options of the module
    description: str | Sequence[str] = ""
    #: refuses values that the server would refuse
    check: valid.Check | None = None
    #: the only product that has it; "" for all
    only: str = ""
    #: for a secret: the field of the answer that tells whether it is set
    told_by: str = ""
    #: for a secret of which the server tells nothing: the field of the answer that it belongs to
    goes_with: str = ""
    #: for configurations in several places: the path below the mount
    place: str = "config"
    #: it names an account or a server, and `credential` fields belong to it: they are sent when it changes
    account: bool = False
    credential: bool = False


def fields_of(names: str, normaliser: Normaliser | None = None, **rest: Any) -> tuple[MethodField, ...]:
    """Return fields that differ in their names only; the names are separated by blanks."""
    return tuple(MethodField(name, normaliser=normaliser, **rest) for name in names.split())


def table_of(fields: Iterable[MethodField]) -> dict[str, Normaliser]:
    """Return the fields' normalisers."""
    return {field.name: field.normaliser for field in fields if field.normaliser is not None}


def checks_of(fields: Iterable[MethodField]) -> dict[str, valid.Check]:
    """Return the fields' checks."""
    return {field.name: field.check for field in fields if field.check is not None}


def known_to(product: str, fields: Iterable[MethodField]) -> frozenset[str]:
    """Return the names of a product's fields."""
    return frozenset(field.name for field in fields if field.only in ("", product))


#: token fields of most entries, and of the configuration of LDAP. All are options of vault_auth_role
TOKEN: tuple[MethodField, ...] = (
    MethodField(
        "token_policies",
        "Policies of the tokens. A role of type token has C(allowed_policies) in O(options) instead, and no TTL but "
        "the explicit one.",
        "list",
        "str",
        normaliser=lower_set,
    ),
    MethodField(
        "token_ttl",
        "Initial TTL of the tokens, a duration; V(0) is the method's default.",
        normaliser=normalise.duration,
    ),
    MethodField(
        "token_max_ttl", "Maximum TTL of the tokens including renewals, a duration.", normaliser=normalise.duration
    ),
    MethodField(
        "token_explicit_max_ttl",
        "TTL that neither a renewal nor another setting extends, a duration.",
        normaliser=normalise.duration,
    ),
    MethodField(
        "token_period",
        "Makes the tokens periodic - they stay valid as long as they are renewed within this duration.",
        normaliser=normalise.duration,
    ),
    MethodField(
        "token_num_uses",
        "How often a token can be used; V(0) is without limit.",
        "int",
        normaliser=count,
        check=valid.between(0),
    ),
    MethodField(
        "token_bound_cidrs",
        "Address blocks from which one may log in and use the tokens.",
        "list",
        "str",
        normaliser=networks,
        check=valid.address_blocks,
    ),
    MethodField(
        "token_strictly_bind_ip",
        "Whether a token is bound to the address that it was issued to (OpenBao).",
        "bool",
        normaliser=normalise.boolean,
        only=OPENBAO,
    ),
    MethodField(
        "token_no_default_policy",
        "Whether the tokens go without the policy V(default).",
        "bool",
        normaliser=normalise.boolean,
    ),
    MethodField(
        "token_type",
        "Type of the tokens.",
        choices=("default", "service", "batch", "default-service", "default-batch"),
        normaliser=default("default"),
        check=valid.one_of("", "default", "service", "batch"),
    ),
)
TOKEN_NAMES = tuple(field.name for field in TOKEN)
#: token fields of every server, and those that HashiCorp Vault drops silently
CERTAIN = frozenset(field.name for field in TOKEN if not field.only)
DOUBTFUL = frozenset(TOKEN_NAMES) - CERTAIN
#: their names in older versions: servers return them in addition to the new ones
FORMER = "policies ttl max_ttl period num_uses bound_cidrs"


@dataclass(frozen=True)
class Config:
    """The configuration of a method. Fields that are not known are compared by `normalise.guess`."""

    fields: Sequence[MethodField] = ()
    #: a write keeps fields that it leaves out; otherwise it replaces the whole
    partial: bool = False
    #: returned by a read, but not accepted by a write
    answered_only: frozenset[str] = frozenset()
    #: a configuration holds exactly one of these
    alternatives: frozenset[str] = frozenset()
    #: yields warnings about the declaration. Raises InvalidInput
    review: Callable[[Values], Iterator[str]] | None = None

    @cached_property
    def table(self) -> Table:
        """The fields' normalisers."""
        return table_of(self.fields)

    @cached_property
    def checks(self) -> Mapping[str, valid.Check]:
        """The fields' checks."""
        return checks_of(self.fields)

    @cached_property
    def write_only(self) -> frozenset[str]:
        """The write-only fields that are not secret."""
        return frozenset(field.name for field in self.fields if field.write_only)

    @cached_property
    def told(self) -> Mapping[str, str]:
        """Secrets, each with the field of the answer that tells whether it is set."""
        return {field.name: field.told_by for field in self.fields if field.told_by}

    @cached_property
    def accounts(self) -> frozenset[str]:
        """The fields that name an account or a server."""
        return frozenset(field.name for field in self.fields if field.account)

    @cached_property
    def credentials(self) -> frozenset[str]:
        """The fields that are sent with a change of `accounts`."""
        return frozenset(field.name for field in self.fields if field.credential)

    def places(self, names: Iterable[str]) -> dict[str, set[str]]:
        """Return the paths below the mount that hold some fields, each with the fields' names."""
        own = {field.name: field.place for field in self.fields}
        # unknown fields belong to the first place
        first = next((field.place for field in self.fields), "config")
        found: dict[str, set[str]] = {}
        for name in sorted(names):
            found.setdefault(own.get(name, first), set()).add(name)
        return {place: found[place] for place in sorted(found)}

    def known(self, product: str, place: str = "config") -> frozenset[str]:
        """Return the fields of a product at a place; empty when unknown."""
        return known_to(product, [field for field in self.fields if field.place == place])


@dataclass(frozen=True)
class Entries:
    """The roles of a method, or its users, groups or certificates."""

    #: below the mount
    folder: str = "role"
    #: value of the option ``subject``; "" for those that need none
    subject: str = ""
    #: their name in messages
    title: str = ""
    fields: Sequence[MethodField] = ()
    #: whether they have the fields of `TOKEN`
    tokens: bool = True
    #: those of `TOKEN` that the server drops silently
    without: frozenset[str] = frozenset()
    #: remedy for a field that they do not have
    remedy: str = ""
    #: fields that name policies
    policies: tuple[str, ...] = ("token_policies",)
    #: options by their names in the API
    renamed: Mapping[str, str] = attribute(default_factory=dict)
    #: fields that are fixed after creation, with the value that means none
    fixed: Mapping[str, str] = attribute(default_factory=dict)
    #: fields with a path of their own below the entry
    own_paths: Mapping[str, str] = attribute(default_factory=dict)
    #: more names that a product takes, such as former ones
    also: str = FORMER
    #: fields of every server in addition to `CERTAIN`: no need to ask
    certain: frozenset[str] = frozenset()
    #: checks the declaration alone. Raises InvalidInput, as the next two do
    check: Callable[[Values], None] | None = None
    #: checks the declaration merged with the current entry
    whole: Callable[[Values], None] | None = None
    #: checks a new entry
    new: Callable[[Values], None] | None = None
    #: returns a declaration in the server's form; the second argument is the name of the entry
    as_stored: Callable[[Values, str], Values] | None = None
    #: yields warnings about the declaration merged with the current entry, each shown once
    advise: Callable[[Values], Iterator[str]] | None = None

    @cached_property
    def all_fields(self) -> tuple[MethodField, ...]:
        """All fields; own ones take precedence over those of `TOKEN`."""
        own = {field.name for field in self.fields}
        return (*self.fields, *(field for field in TOKEN if self.tokens and field.name not in own))

    @cached_property
    def table(self) -> Table:
        """The fields' normalisers."""
        return table_of(self.all_fields)

    @cached_property
    def checks(self) -> Mapping[str, valid.Check]:
        """The fields' checks."""
        return checks_of(self.all_fields)

    @cached_property
    def secrets(self) -> frozenset[str]:
        """The fields that the server never returns."""
        return frozenset(field.name for field in self.fields if field.write_only)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all fields that are compared, and of the secrets."""
        return frozenset((*self.table, *self.secrets, *self.own_paths))

    def known(self, product: str) -> frozenset[str]:
        """Return the fields of a product."""
        return known_to(product, self.all_fields) - self.without | frozenset(self.also.split())


@dataclass(frozen=True)
class MethodType:
    """One type of auth method."""

    name: str
    #: the collection's own login by it; None: not supported
    login: type[Login] | None = None
    #: the only product that has it built in; "" for all
    only: str = ""
    #: None: it has no ``config`` endpoint
    config: Config | None = None
    #: the first ones are the default subject
    entries: Sequence[Entries] = (Entries(),)
    #: other names in the server's list
    aliases: tuple[str, ...] = ()
    #: whether it has a user lockout
    locks_out: bool = False
    #: the server mounts it itself, and it cannot be removed
    built_in: bool = False
    #: whether names of entries are case-sensitive
    case_sensitive: bool = False
    #: names of entries come from a directory and may hold blanks
    directory_names: bool = False

    def of(self, subject: str) -> Entries | None:
        """Return the entries of a subject, None without it."""
        if not subject:
            return self.entries[0]
        return next((one for one in self.entries if one.subject == subject), None)

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """The values of the option ``subject``."""
        return tuple(one.subject for one in self.entries if one.subject)

    @cached_property
    def option_names(self) -> tuple[str, ...]:
        """Fields of its entries with a description: they are options of the module, not only keys of ``options``."""
        return tuple(field.name for one in self.entries for field in one.fields if field.description)

    def known(self, product: str, place: str) -> frozenset[str]:
        """Return the fields of a product below the mount, at ``config`` or in a folder of entries.

        None when unknown.
        """
        if self.only not in ("", product):
            return frozenset()
        for one in self.entries:
            if one.folder == place:
                return one.known(product)
        return self.config.known(product, place) if self.config else frozenset()

    def knowing(self, place: str) -> Callable[[str], frozenset[str]]:
        """Return `known` for one place."""
        return lambda product: self.known(product, place)

    @cached_property
    def known_places(self) -> tuple[str, ...]:
        """The places of which `known` has fields."""
        config = {field.place for field in self.config.fields} if self.config else set()
        return (*sorted(config), *(one.folder for one in self.entries))

    @cached_property
    def secret_names(self) -> frozenset[str]:
        """The names of its secret fields."""
        fields = [
            *(self.config.fields if self.config else ()),
            *(field for one in self.entries for field in one.fields),
        ]
        return frozenset(field.name for field in fields if field.secret)
