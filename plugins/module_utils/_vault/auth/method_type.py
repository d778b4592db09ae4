# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What an auth method is: its login, its configuration and the entries that it keeps. One file in `methods` for each.

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
from ..base import legal
from ..base.normalisers import count, default, lower_set, networks
from ..connection.login import Login
from ..products import OPENBAO

Values = Mapping[str, Any]
Table = Mapping[str, Normaliser]


@dataclass(frozen=True)
class MethodField(Field):
    """A field of an auth method's configuration, or of one of its entries.

    One without a ``normaliser`` is compared by `normalise.guess`. ``secret``: it belongs into ``secret_config`` or
    ``secret_options``.
    """

    #: said only of fields that are options of the module
    description: str | Sequence[str] = ""
    #: refuses what the server would refuse
    check: legal.Check | None = None
    #: the only product that has it; "" for all
    only: str = ""
    #: of a secret: the answered field that tells whether it is set
    told_by: str = ""
    #: of configurations in several places: the path below the mount
    place: str = "config"
    #: it names an account or a server, and `credential` fields belong to it: they are sent when it changes
    account: bool = False
    credential: bool = False


def fields_of(names: str, normaliser: Normaliser | None = None, **rest: Any) -> tuple[MethodField, ...]:
    """Return fields that are alike in all but their names, which are given with blanks between them."""
    return tuple(MethodField(name, normaliser=normaliser, **rest) for name in names.split())


def table_of(fields: Iterable[MethodField]) -> dict[str, Normaliser]:
    """Return how to compare the fields."""
    return {field.name: field.normaliser for field in fields if field.normaliser is not None}


def checks_of(fields: Iterable[MethodField]) -> dict[str, legal.Check]:
    """Return what the fields may hold."""
    return {field.name: field.check for field in fields if field.check is not None}


def known_to(product: str, fields: Iterable[MethodField]) -> frozenset[str]:
    """Return the names of the fields that a product has."""
    return frozenset(field.name for field in fields if field.only in ("", product))


#: what most entries, and the configuration of LDAP, say of the tokens. All are options of vault_auth_role
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
        "First life of the tokens, a duration; V(0) is the method's default.",
        normaliser=normalise.duration,
    ),
    MethodField(
        "token_max_ttl", "Longest life of the tokens with renewals, a duration.", normaliser=normalise.duration
    ),
    MethodField(
        "token_explicit_max_ttl",
        "Life that no renewal and no other setting extends, a duration.",
        normaliser=normalise.duration,
    ),
    MethodField(
        "token_period",
        "Makes the tokens periodic - they live on as long as they are renewed within this duration.",
        normaliser=normalise.duration,
    ),
    MethodField(
        "token_num_uses",
        "How often a token can be used; V(0) is without limit.",
        "int",
        normaliser=count,
        check=legal.between(0),
    ),
    MethodField(
        "token_bound_cidrs",
        "Address blocks from which one may log in and use the tokens.",
        "list",
        "str",
        normaliser=networks,
        check=legal.blocks,
    ),
    MethodField(
        "token_strictly_bind_ip",
        "Whether a token is bound to the address that it was given to (OpenBao).",
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
        check=legal.one_of("", "default", "service", "batch"),
    ),
)
TOKEN_NAMES = tuple(field.name for field in TOKEN)
#: of these, what every server takes, and what HashiCorp Vault drops without a word
CERTAIN = frozenset(field.name for field in TOKEN if not field.only)
DOUBTFUL = frozenset(TOKEN_NAMES) - CERTAIN
#: names that older versions had for them: servers answer them beside the new ones
FORMER = "policies ttl max_ttl period num_uses bound_cidrs"


@dataclass(frozen=True)
class Config:
    """The configuration of a method. Fields that are not known are compared by `normalise.guess`."""

    fields: Sequence[MethodField] = ()
    #: a write leaves alone what it does not say; else it replaces the whole
    partial: bool = False
    #: answered by a read, and not taken by a write
    answered_only: frozenset[str] = frozenset()
    #: a configuration holds exactly one of these
    alternatives: frozenset[str] = frozenset()
    #: yields warnings of what is declared. Raises InvalidInput
    review: Callable[[Values], Iterator[str]] | None = None

    @cached_property
    def table(self) -> Table:
        """How the fields compare."""
        return table_of(self.fields)

    @cached_property
    def checks(self) -> Mapping[str, legal.Check]:
        """What the fields may hold."""
        return checks_of(self.fields)

    @cached_property
    def write_only(self) -> frozenset[str]:
        """Never returned by the server, without being a secret."""
        return frozenset(field.name for field in self.fields if field.write_only)

    @cached_property
    def told(self) -> Mapping[str, str]:
        """Secrets, each with the answered field that tells whether it is set."""
        return {field.name: field.told_by for field in self.fields if field.told_by}

    @cached_property
    def accounts(self) -> frozenset[str]:
        """The fields that name an account or a server."""
        return frozenset(field.name for field in self.fields if field.account)

    @cached_property
    def credentials(self) -> frozenset[str]:
        """The fields that go with a change of `accounts`."""
        return frozenset(field.name for field in self.fields if field.credential)

    def places(self, names: Iterable[str]) -> dict[str, set[str]]:
        """Return the paths below the mount where some fields are, each with their names."""
        own = {field.name: field.place for field in self.fields}
        # the first place takes what is not known
        first = next((field.place for field in self.fields), "config")
        found: dict[str, set[str]] = {}
        for name in sorted(names):
            found.setdefault(own.get(name, first), set()).add(name)
        return {place: found[place] for place in sorted(found)}

    def known(self, product: str, place: str = "config") -> frozenset[str]:
        """Return what a product takes at a place; none when that is not known."""
        return known_to(product, [field for field in self.fields if field.place == place])


@dataclass(frozen=True)
class Entries:
    """The roles of a method, or what it calls users, groups or certificates."""

    #: below the mount
    folder: str = "role"
    #: value of the option ``subject``; "" for those that need none
    subject: str = ""
    #: what messages call them
    title: str = ""
    fields: Sequence[MethodField] = ()
    #: whether they have the fields of `TOKEN`
    tokens: bool = True
    #: those of `TOKEN` that the server drops without a word
    without: frozenset[str] = frozenset()
    #: what to do with a field that they have not
    remedy: str = ""
    #: fields that name policies
    policies: tuple[str, ...] = ("token_policies",)
    #: options by the names that the API has for them here
    renamed: Mapping[str, str] = attribute(default_factory=dict)
    #: of fields that cannot be changed: the value that stands for none
    fixed: Mapping[str, str] = attribute(default_factory=dict)
    #: fields that are read below the entry, by their paths there
    own_paths: Mapping[str, str] = attribute(default_factory=dict)
    #: more names that a product takes, such as former ones
    also: str = FORMER
    #: what every server takes beside `CERTAIN`: no need to ask
    certain: frozenset[str] = frozenset()
    #: refuses what an entry may not be by itself. Raises InvalidInput, as the next two do
    check: Callable[[Values], None] | None = None
    #: the same for the declaration and what stands together
    whole: Callable[[Values], None] | None = None
    #: the same for a new one
    new: Callable[[Values], None] | None = None
    #: returns a declaration in the form that the server keeps; the second argument is the name of the entry
    settle: Callable[[Values, str], Values] | None = None
    #: yields warnings of the declaration and what stands together, each to be said once
    advise: Callable[[Values], Iterator[str]] | None = None

    @cached_property
    def all_fields(self) -> tuple[MethodField, ...]:
        """All fields; own ones before those of `TOKEN` with the same name."""
        own = {field.name for field in self.fields}
        return (*self.fields, *(field for field in TOKEN if self.tokens and field.name not in own))

    @cached_property
    def table(self) -> Table:
        """How the fields compare."""
        return table_of(self.all_fields)

    @cached_property
    def checks(self) -> Mapping[str, legal.Check]:
        """What the fields may hold."""
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
        """Return what a product takes."""
        return known_to(product, self.all_fields) - self.without | frozenset(self.also.split())


@dataclass(frozen=True)
class MethodType:
    """One type of auth method."""

    name: str
    #: how the collection itself logs in by it; None: not at all
    login: type[Login] | None = None
    #: the only product that has it built in; "" for all
    only: str = ""
    #: None: it has no ``config`` endpoint
    config: Config | None = None
    #: the first ones are meant when no subject is given
    entries: Sequence[Entries] = (Entries(),)
    #: other names that a server lists it by
    aliases: tuple[str, ...] = ()
    #: whether users who give wrong credentials again and again are locked out
    locks_out: bool = False
    #: the server mounts it itself, and it cannot be removed
    built_in: bool = False
    #: whether two names of entries that differ in case alone are two
    case_sensitive: bool = False
    #: names of entries are those of a directory, in which there are blanks
    directory_names: bool = False

    def of(self, subject: str) -> Entries | None:
        """Return the entries of a subject, None when the method has no such."""
        if not subject:
            return self.entries[0]
        return next((one for one in self.entries if one.subject == subject), None)

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """The values of the option ``subject``."""
        return tuple(one.subject for one in self.entries if one.subject)

    @cached_property
    def option_names(self) -> tuple[str, ...]:
        """Fields of its entries that are options of the module, not only in ``options``: those with a description."""
        return tuple(field.name for one in self.entries for field in one.fields if field.description)

    def known(self, product: str, place: str) -> frozenset[str]:
        """Return the fields that a product takes below the mount, at ``config`` or in a folder of entries.

        None when that is not known.
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
        """The places that `known` tells of."""
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
