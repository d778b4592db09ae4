# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Roles of auth methods, and what other methods call users, groups and certificates.

Source: /api-docs/auth/<type>; the token fields are the same for all of them.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Callable

from ..._engine import normalise
from ..._engine.errors import InvalidInput, SecretopsError
from ..._engine.reconcile import Change, Resource, check_completed, check_new
from ..base import legal
from ..base.kind import Given
from ..base.listing import Listing, mark_absent
from ..base.naming import check_mount, check_plain, in_url, masked
from ..base.normalisers import count, default, lower_set, networks, on_by_default, sent
from ..base.schema import Place, check_kept
from ..base.secret_fields import misplaced
from ..connection.client import Client
from ..connection.errors import PermissionDenied, VaultError
from .method import TOKEN, TOKEN_LEGAL
from .mounts import MethodMounts

Table = Mapping[str, normalise.Normaliser]


def _each(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _claims(value: Any) -> dict[str, list[str]]:
    """Return bound claims with each value as a set: the server takes one value or a list, and tells 42 from "42"."""
    return {str(name): sorted({normalise.typed(one) for one in _each(item)}) for name, item in (value or {}).items()}


def check_claims(claims: Any, glob: bool) -> None:
    """Refuse what no claim ever equals. Raises InvalidInput. Source: OpenBao, builtin/credential/jwt/claims.go."""
    if not isinstance(claims, Mapping):
        raise InvalidInput('"bound_claims" is no mapping', remedy="give each claim a value or a list of values")
    for name, item in claims.items():
        for one in _each(item):
            if glob and not isinstance(one, str):
                raise InvalidInput(
                    'the claim "%s" is no text, and bound_claims_type is glob' % name,
                    remedy='write it as text ("%s")' % one,
                )
            if one is None or isinstance(one, (Mapping, list)) or (isinstance(one, float) and one != int(one)):
                raise InvalidInput(
                    'no claim ever equals what is given for "%s"' % name,
                    remedy="give a text, a whole number or a boolean",
                )


SELECTOR = "bound_service_account_namespace_selector"
KUBERNETES: Table = {
    "bound_service_account_names": normalise.string_set,
    "bound_service_account_namespaces": normalise.string_set,
    SELECTOR: normalise.document_form,
    "audience": normalise.scalar,
    "alias_name_source": default("serviceaccount_uid"),
}
#: of these types two names that differ in case alone are two: of LDAP that is a matter of its configuration
CASE_SENSITIVE = ("token", "ldap")
#: what bcrypt takes of a password
LONGEST_PASSWORD = 72
#: what HashiCorp Vault drops without a word
OPENBAO_ONLY = frozenset(("token_strictly_bind_ip",))
#: what every server takes of a role of any type: no need to ask for it
EVERYWHERE = frozenset((*TOKEN, *KUBERNETES, "role_id", "password", "password_hash")) - OPENBAO_ONLY
#: -1 stands for none at all, 0 for the server's own
LEEWAYS = ("clock_skew_leeway", "expiration_leeway", "not_before_leeway")
_JWT: Table = {
    "role_type": default("oidc"),
    "bound_audiences": normalise.string_set,
    "bound_subject": normalise.scalar,
    "bound_claims": _claims,
    "bound_claims_type": default("string"),
    "user_claim": normalise.scalar,
    "user_claim_json_pointer": normalise.boolean,
    "groups_claim": normalise.scalar,
    "claim_mappings": normalise.string_map,
    **dict.fromkeys(LEEWAYS, normalise.signed_duration),
    "max_age": normalise.duration,
    "oidc_scopes": normalise.string_set,
    "allowed_redirect_uris": normalise.string_set,
    "verbose_oidc_logging": normalise.boolean,
    "callback_mode": normalise.scalar,
    # seconds, as a number
    "poll_interval": count,
    "oauth2_metadata": normalise.string_set,
    "oidc_disable_confirmation": normalise.boolean,
    "token_policies_template_claims": normalise.boolean,
}


def role_of_jwt(role: Mapping[str, Any]) -> None:
    """Refuse a role that the server would not take as a whole. Raises InvalidInput."""
    if not role.get("user_claim"):
        raise InvalidInput("no user_claim is given", remedy="give the claim that names the user, such as sub")
    if (role.get("role_type") or "oidc") == "oidc":
        if not role.get("allowed_redirect_uris"):
            raise InvalidInput(
                "a role of role_type oidc, which is the default, has no allowed_redirect_uris",
                remedy="give them, or role_type: jwt",
            )
    elif not any(role.get(name) for name in ("bound_audiences", "bound_subject", "bound_claims", "token_bound_cidrs")):
        raise InvalidInput(
            "nothing bounds who may log in",
            remedy="give bound_audiences, bound_subject, bound_claims or token_bound_cidrs",
        )


def role_of_kubernetes(role: Mapping[str, Any]) -> None:
    """Refuse a role that is bound to no service account. Raises InvalidInput."""
    if not role.get("bound_service_account_names"):
        raise InvalidInput("bound_service_account_names is empty", remedy="name the service accounts that may log in")
    if not role.get("bound_service_account_namespaces") and not role.get("bound_service_account_namespace_selector"):
        raise InvalidInput(
            "bound_service_account_namespaces is empty", remedy="name the namespaces, or give a namespace selector"
        )
    for name in ("bound_service_account_names", "bound_service_account_namespaces"):
        values = normalise.strings(role.get(name))
        if "*" in values and len(values) > 1:
            raise InvalidInput('%s has "*" and others' % name, remedy="keep one of the two")


def role_of_token(role: Mapping[str, Any]) -> None:
    """Refuse batch tokens that the server makes for orphans only. Raises InvalidInput."""
    if normalise.scalar(role.get("token_type")) == "batch":
        for name, wanted in (("orphan", True), ("renewable", False)):
            if (on_by_default if name == "renewable" else normalise.boolean)(role.get(name)) is not wanted:
                raise InvalidInput(
                    'token_type "batch" wants "%s" to be %s' % (name, normalise.scalar(wanted)),
                    remedy="declare it so, or use default-batch",
                )


_JWT_LEGAL: Mapping[str, legal.Check] = {
    **TOKEN_LEGAL,
    "role_type": legal.one_of("", "jwt", "oidc"),
    "bound_claims_type": legal.one_of("string", "glob"),
    "callback_mode": legal.one_of("client", "direct", "device"),
    "oauth2_metadata": legal.each_of("id_token", "refresh_token", "access_token"),
    "poll_interval": legal.between(0),
}


@dataclass(frozen=True)
class Type:
    """One type of auth method: where its entries are and how its own fields compare."""

    #: folder of the entries below the mount
    folder: str = "role"
    fields: Table = field(default_factory=dict)
    #: never returned by the server
    secrets: frozenset[str] = frozenset()
    #: options for tokens that the server drops without a word
    without: frozenset[str] = frozenset()
    #: fields that name policies
    policies: tuple[str, ...] = ("token_policies",)
    #: what single fields may hold
    legal: Mapping[str, legal.Check] = field(default_factory=lambda: TOKEN_LEGAL)
    #: refuses what a role may not be as a whole
    whole: Callable[[Mapping[str, Any]], None] | None = None
    #: fields that cannot be changed, each with the value that stands for none
    fixed: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def table(self) -> Table:
        """How all fields of a role compare."""
        return {**TOKEN, **self.fields}

    @cached_property
    def known(self) -> frozenset[str]:
        """All options of a role."""
        return frozenset((*self.table, *self.secrets, "role_id"))


TYPES: dict[str, Type] = {
    "kubernetes": Type(fields=KUBERNETES, whole=role_of_kubernetes),
    "approle": Type(
        fields={
            "bind_secret_id": on_by_default,
            "secret_id_bound_cidrs": networks,
            "secret_id_num_uses": count,
            "secret_id_ttl": normalise.duration,
            "local_secret_ids": normalise.boolean,
            # the server turns "default-service" into "service" here
            "token_type": lambda value: (normalise.scalar(value) or "default").replace("default-", ""),
        },
        legal={
            **TOKEN_LEGAL,
            "secret_id_bound_cidrs": legal.blocks,
            "secret_id_num_uses": legal.between(0),
            "token_type": legal.one_of("", "default", "service", "batch", "default-service", "default-batch"),
        },
        fixed={"local_secret_ids": "false"},
    ),
    "jwt": Type(fields=_JWT, legal=_JWT_LEGAL, whole=role_of_jwt),
    "oidc": Type(fields=_JWT, legal=_JWT_LEGAL, whole=role_of_jwt),
    "userpass": Type(folder="users", secrets=frozenset(("password", "password_hash"))),
    # the server keeps both, and groups' names, in lower case
    "ldap": Type(
        folder="groups",
        fields={"policies": lower_set, "groups": lower_set},
        policies=("policies",),
    ),
    # what tokens may be made by `auth/token/create/<name>`: whoever asks says policies and lives within these bounds
    "token": Type(
        folder="roles",
        fields={
            **dict.fromkeys(("allowed_policies", "allowed_policies_glob", "allowed_entity_aliases"), lower_set),
            **dict.fromkeys(("disallowed_policies", "disallowed_policies_glob"), lower_set),
            "orphan": normalise.boolean,
            "renewable": on_by_default,
            "path_suffix": normalise.scalar,
            "token_type": default("default-service"),
        },
        legal={
            **TOKEN_LEGAL,
            "token_type": legal.one_of("service", "batch", "default-service", "default-batch"),
            "path_suffix": legal.matching(r"\w[\w.-]+\w", "ci-runs"),
        },
        whole=role_of_token,
        without=frozenset(("token_policies", "token_ttl", "token_max_ttl", "token_strictly_bind_ip")),
        policies=("allowed_policies",),
    ),
    "aws": Type(
        fields={
            "auth_type": default("iam"),
            **dict.fromkeys(
                (
                    *("bound_ami_id", "bound_account_id", "bound_region", "bound_vpc_id", "bound_subnet_id"),
                    *("bound_iam_role_arn", "bound_iam_instance_profile_arn", "bound_ec2_instance_id"),
                    *("bound_iam_principal_arn", "bound_iam_principal_id"),
                ),
                normalise.string_set,
            ),
            **dict.fromkeys(("role_tag", "inferred_entity_type", "inferred_aws_region"), normalise.scalar),
            "resolve_aws_unique_ids": on_by_default,
            **dict.fromkeys(("allow_instance_migration", "disallow_reauthentication"), normalise.boolean),
        },
        fixed={"auth_type": "iam"},
    ),
    "cert": Type(
        folder="certs",
        fields={
            "certificate": normalise.pem,
            "allowed_names": normalise.string_set,
            "allowed_common_names": normalise.string_set,
            "allowed_dns_sans": normalise.string_set,
            "allowed_email_sans": normalise.string_set,
            "allowed_uri_sans": normalise.string_set,
            "allowed_organizational_units": normalise.string_set,
            "allowed_metadata_extensions": normalise.string_set,
            "required_extensions": normalise.string_set,
            "display_name": normalise.scalar,
            "ocsp_enabled": normalise.boolean,
            "ocsp_ca_certificates": normalise.pem,
            "ocsp_servers_override": normalise.strings,
            "ocsp_fail_open": normalise.boolean,
            "ocsp_query_all_servers": normalise.boolean,
        },
        legal={
            **TOKEN_LEGAL,
            "certificate": legal.both(legal.given, legal.pem("CERTIFICATE")),
            "ocsp_ca_certificates": legal.pem("CERTIFICATE"),
        },
    ),
}
#: what stands beside the roles of a type: the folder of each subject, and its fields when they are not the type's
SUBJECTS: dict[str, dict[str, tuple[str, Table | None]]] = {
    "ldap": {"group": ("groups", None), "user": ("users", None)},
    # roles in other AWS accounts; ``name`` is the account's id
    "aws": {"sts_account": ("config/sts", {"sts_role": normalise.scalar, "external_id": normalise.scalar})},
}
#: answered beside the fields that replaced them, and no longer to be written
REPLACED = frozenset(
    (
        *("policies", "ttl", "max_ttl", "period", "explicit_max_ttl", "num_uses", "bound_cidrs", "bound_cidr_list"),
        *("lease", "name"),
    )
)
#: options of the module that are fields of the API as well
TYPED = (*TOKEN, *KUBERNETES)


#: HashiCorp Vault 1.21 warns as well, and a later one is to refuse it
NO_AUDIENCE = (
    'it has no "audience", so that a token which a service account got for anybody else will do as well, and versions '
    "to come refuse that; give the audience of the tokens that log in (said once for all roles of the task)"
)


class Policies:
    """The names of the policies, read once; None when the token may not list them."""

    def __init__(self, client: Client, coming: Iterable[str] = ()) -> None:
        """``coming``: those that the same tree is about to make."""
        self.client = client
        self.coming = {name.lower() for name in coming}
        self._lock = threading.Lock()
        self._known = False
        self._names: frozenset[str] | None = None

    def missing(self, names: Iterable[str]) -> list[str]:
        """Return those names that no policy has, as far as the token lets us know."""
        with self._lock:
            if not self._known:
                self._known = True
                try:
                    self._names = frozenset(self.client.list("sys/policies/acl"))
                except PermissionDenied:
                    self._names = None
            known = self._names
        if known is None:
            return []
        # a name with braces is a template that the server fills in at login
        return sorted(name for name in set(names) - known - self.coming - {"root", "default"} if "{{" not in name)


class AuthRole(Resource):
    """One role, user, group or certificate of an auth method; named ``<mount>/<name>``."""

    kind = "auth role"
    rank = 20

    def __init__(self, client: Client, mounts: MethodMounts, policies: Policies, item: Mapping[str, Any]) -> None:
        self.client = client
        self.mounts = mounts
        self.policies = policies
        self.item = item
        self.mount = normalise.path(item.get("mount") or item.get("type"))
        self.role = str(item["name"]).strip()
        self.type = str(item.get("type") or "")
        secret = {str(name): value for name, value in (item.get("secret_options") or {}).items()}
        self.absent = False
        self._settled = False
        self._desired: dict[str, Any] | None = None
        if item.get("state") != "absent":
            self._desired = {name: item.get(name) for name in TYPED}
            self._desired[SELECTOR] = normalise.document(item.get(SELECTOR))
            self._desired.update(item.get("options") or {})
            self._desired.update(secret)
        self.secret_fields = frozenset(secret)
        subject = "/%s" % item["subject"] if item.get("subject") else ""
        super().__init__("%s%s/%s" % (self.mount, subject, self.role), self._desired)

    # -- what it is ---------------------------------------------------------------------------------------------------

    def know_type(self) -> None:
        """Take the type from the mount, or compare it with the mount's. Raises InvalidInput, PermissionDenied."""
        try:
            mount = self.mounts.get(self.mount)
        except PermissionDenied as error:
            if not self.type:
                error.remedy = '%s, or give "type"' % error.remedy
                raise error.at(self.label) from None
            return
        # in a namespace the token method is called so
        found = str((mount or {}).get("type") or "").replace("ns_token", "token")
        if found and self.type and found != self.type:
            raise InvalidInput(
                'the auth method "%s" is of type %s, not %s' % (self.mount, found, self.type),
                remedy='correct "mount" or "type"',
            )
        self.type = self.type or found

    @property
    def _folder(self) -> str:
        subject = SUBJECTS.get(self.type, {}).get(self.item.get("subject") or "")
        return subject[0] if subject else TYPES.get(self.type, Type()).folder

    def _bare(self) -> Table | None:
        """Return the fields of what says nothing about tokens, None for everything else."""
        if self.type == "ldap":
            return TYPES["ldap"].fields
        return (SUBJECTS.get(self.type, {}).get(self.item.get("subject") or "") or ("", None))[1]

    @property
    def path(self) -> str:
        """The path of the entry in the API."""
        return "%s/%s" % (self._place, in_url(self.role))

    @property
    def _place(self) -> str:
        return "auth/%s/%s" % (self.mount, self._folder)

    @property
    def key(self) -> str:
        try:
            self.know_type()
        except SecretopsError:
            # its check or read will say so
            return self.name
        return self.name if self.type in CASE_SENSITIVE else self.name.lower()

    def check(self) -> None:
        if not self.mount:
            raise InvalidInput("no mount is given", remedy='give "mount", or "type" when the mount has the same name')
        check_mount(self.mount, 'write it like "kubernetes"', "mount", blanks=True)
        if self.mount.startswith("auth/"):
            raise InvalidInput('the mount begins with "auth/", which the server adds', remedy='leave "auth/" out')
        if {"", ".", ".."} & set(self.role.split("/")):
            raise InvalidInput(
                "the name is empty or holds what a path cannot hold", remedy="use letters, digits, - _ . @"
            )
        if self.item.get("state") == "absent":
            return
        options = self.item.get("options") or {}
        misplaced(options, "options", "secret_options")
        for name in TYPED if options else ():
            if name in options and self.item.get(name) is not None:
                raise InvalidInput('"%s" is given twice' % name, remedy='remove it from "options"')
        for name in set(options) & set(self.item.get("secret_options") or {}):
            raise InvalidInput('"%s" is given twice' % name, remedy='remove it from "options"')
        values = self.desired or {}
        times = {name: normalise.seconds(values[name]) for name in values if TOKEN.get(name) is normalise.duration}
        ttl, longest = times.get("token_ttl"), times.get("token_max_ttl")
        if ttl and longest and ttl > longest:
            raise InvalidInput("token_ttl is longer than token_max_ttl", remedy="correct one of the two")
        try:
            self._settle()
        except VaultError:
            # what the server does not let the token see is for `read` to say
            return

    def _settle(self) -> None:
        """Fit the declaration to the type, once that is known. Raises InvalidInput, PermissionDenied."""
        if self._settled:
            return
        self.know_type()
        if self.type and self.type not in TYPES:
            raise InvalidInput(
                'roles of type "%s" are not known' % self.type, remedy="use one of %s" % ", ".join(sorted(TYPES))
            )
        subject = self.item.get("subject")
        if subject and self.type and subject not in SUBJECTS.get(self.type, {}):
            owner = next(name for name, subjects in SUBJECTS.items() if subject in subjects)
            raise InvalidInput('subject "%s" is for type %s, not %s' % (subject, owner, self.type), remedy="remove it")
        kind = TYPES.get(self.type, Type())
        # names of LDAP are those of a directory, in which there are blanks
        if self.type not in ("", "ldap"):
            check_plain(self.role)
        bare = self._bare()
        self.fields = kind.table if bare is None else bare
        if self.desired is None:
            return
        self.write_only_fields = kind.secrets & set(self.desired)
        if not self.type:
            return
        if self.type == "ldap" and "token_policies" in self.desired:
            # LDAP groups and users map to policies; everything else about tokens stands in the method's configuration
            self.desired["policies"] = self.desired.pop("token_policies")
        if self.type != "kubernetes":
            for name in KUBERNETES:
                if self.item.get(name) is not None:
                    raise InvalidInput('"%s" is for type kubernetes, not %s' % (name, self.type), remedy="remove it")
        for name in sorted(kind.without & set(self.desired)):
            raise InvalidInput(
                '"%s" is nothing that a role of type %s has' % (name, self.type),
                remedy='use %s in "options"' % ", ".join(kind.policies)
                if name == "token_policies"
                else "remove it, or use token_explicit_max_ttl or token_period",
            )
        if bare is not None:
            extra = sorted(set(self.desired) - set(bare))
            if "groups" in self.desired and self._folder == "groups":
                raise InvalidInput(
                    '"groups" is a field of LDAP users, not of groups', remedy='remove it, or set "subject: user"'
                )
            if extra and self.type == "ldap":
                raise InvalidInput(
                    '"%s" is no field of LDAP %s' % (extra[0], self._folder),
                    remedy="set it in the method's configuration (vault_auth)",
                )
            if extra:
                raise InvalidInput(
                    '"%s" is no field of a %s' % (extra[0], (subject or "").replace("_", " ")),
                    remedy="use %s" % ", ".join(sorted(bare)),
                )
        for name in sorted(self.desired.keys() - kind.known):
            near = difflib.get_close_matches(name, sorted(kind.known), 1, 0.8)
            if near:
                raise InvalidInput('unknown option "%s"' % name, remedy='did you mean "%s"?' % near[0])
        legal.check_all(self.desired, kind.legal)
        if self.desired.get("bound_claims") is not None:
            check_claims(self.desired["bound_claims"], self.desired.get("bound_claims_type") == "glob")
        self.answered_only = (REPLACED - set(self.fields)) | frozenset(kind.fixed) | {"role_id"}
        if set(self.desired) - EVERYWHERE:
            place = Place("auth/%s" % self.mount, self.type, self._folder, in_url(self.role))
            doubt = self.mounts.fields.check_inside(place, self.desired, "a role of type %s" % self.type)
            if doubt:
                self.warnings.append(doubt)
        self._fit()
        self._check_new()
        if kind.whole is not None:
            check_completed(kind.whole, self.desired, lambda: self.client.read(self.path))
        self._settled = True

    def _fit(self) -> None:
        """Give values the form that the server keeps."""
        desired = self.desired or {}
        if desired.get("secret_id_bound_cidrs"):
            desired["secret_id_bound_cidrs"] = masked(desired["secret_id_bound_cidrs"])
        if self.type == "cert" and desired.get("display_name") == "":
            # the server then takes the role's name
            desired["display_name"] = self.role.lower()

    def _check_new(self) -> None:
        """Refuse what the server would refuse of a new user or role only. Raises InvalidInput."""
        desired = self.desired or {}

        def password() -> None:
            if not desired.keys() & TYPES["userpass"].secrets:
                raise InvalidInput("a new user needs a password", remedy='give "password" in "secret_options"')

        def constraint(role: Mapping[str, Any]) -> None:
            bound = role.get("secret_id_bound_cidrs") or role.get("token_bound_cidrs")
            if not on_by_default(role.get("bind_secret_id")) and not bound:
                raise InvalidInput(
                    'without "bind_secret_id" everybody who knows the role\'s ID could log in',
                    remedy='give "token_bound_cidrs" or "secret_id_bound_cidrs"',
                )

        if self.type == "userpass":
            given = sorted(desired.keys() & TYPES["userpass"].secrets)
            if len(given) > 1:
                raise InvalidInput('"password" and "password_hash" contradict each other', remedy="give one of the two")
            for name in given:
                length = len(normalise.scalar(desired[name]).encode())
                if not 0 < length <= LONGEST_PASSWORD:
                    raise InvalidInput(
                        '"%s" is empty or longer than %d bytes' % (name, LONGEST_PASSWORD), remedy="give another one"
                    )
            check_new(password, lambda: self.client.read(self.path) is not None)
        elif self.type == "approle":
            check_completed(constraint, desired, lambda: self.client.read(self.path))

    def _warn(self, current: Mapping[str, Any]) -> None:
        desired = self.desired or {}
        named = TYPES[self.type].policies
        missing = self.policies.missing(item for name in named for item in lower_set(desired.get(name)))
        if missing:
            self.warnings.append("no policy has the name %s" % ", ".join('"%s"' % name for name in missing))
        audience = desired.get("audience", current.get("audience"))
        if self.type == "kubernetes" and not audience and self.client.once(NO_AUDIENCE):
            self.warnings.append(NO_AUDIENCE)

    # -- what the engine asks -----------------------------------------------------------------------------------------

    @classmethod
    def prepare(cls, resources: Sequence[Any]) -> None:
        places = []
        for resource in resources:
            try:
                resource.know_type()
            except SecretopsError:
                # its read will say so
                break
            if resource.type in TYPES:
                places.append((resource._place, resource.role, resource))
        mark_absent(resources[0].client, places)

    def read(self) -> Mapping[str, Any] | None:
        self._settle()
        if not self.type:
            return None
        current = None if self.absent else self.client.read(self.path)
        if self.desired is not None:
            self._warn(current or {})
        if current is None or self.desired is None:
            return current
        for name, none in TYPES[self.type].fixed.items():
            now = normalise.scalar(current.get(name) or none)
            if name in self.desired and not normalise.same(now, self.desired[name], self.fields.get(name)):
                raise InvalidInput(
                    "%s is %s and cannot be changed to %s" % (name, now, self.desired[name]),
                    remedy='correct it, or delete the role first with "state: absent"',
                )
        if "role_id" in self.desired and self.type == "approle":
            current = {**current, **(self.client.read(self.path + "/role-id") or {})}
        return current

    def write(self, change: Change) -> None:
        if not self.type:
            raise VaultError(
                'no auth method is mounted at "%s"' % self.mount,
                remedy="declare it with vault_auth, or correct the mount",
            )
        desired = self.desired or {}
        names = set(change.fields)
        kind = TYPES[self.type]
        body = {name: sent(value, self.fields.get(name)) for name, value in self.whole_body(change).items()}
        self.client.write(self.path, body)
        change.touched = True
        unsure = {name for name in names & OPENBAO_ONLY if desired[name]}
        check_kept(self.client, self.path, (names - kind.known) | unsure, self.type)

    def delete(self, change: Change) -> None:
        self.client.delete(self.path)


def entry(item: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of the list with the module's mount, and its type when that is the same mount."""
    mount = item.get("mount") or common.get("mount")
    same = mount == common.get("mount")
    return {**item, "mount": mount, "type": item.get("type") or (common.get("type") if same else None)}


def listings() -> Iterator[Listing]:
    """Yield where the roles, users and groups of each type of auth method are."""
    for name, kind in TYPES.items():
        folders = {kind.folder: "", **{folder: subject for subject, (folder, _table) in SUBJECTS.get(name, {}).items()}}
        for folder, subject in folders.items():
            yield Listing("auth/{mount}/%s" % folder, engine=name, type=name, subject=subject)


def existing(client: Client, mounts: MethodMounts, mount: str, kind: str = "", subject: str = "") -> list[str]:
    """Return the names of a mount's roles (for LDAP: groups or users). Raises PermissionDenied."""
    probe = AuthRole(client, mounts, Policies(client), {"mount": mount, "type": kind, "name": "-", "subject": subject})
    probe.know_type()
    return client.list("auth/%s/%s" % (probe.mount, probe._folder)) if probe.type else []


def purge(
    client: Client, mounts: MethodMounts, policies: Policies, declared: Iterable[AuthRole], given: Given
) -> list[AuthRole]:
    """Return what removes the roles that are not declared, in the mounts that the task names and of the declared roles.

    In a tree also in the methods that it declares, users and groups alike. Raises InvalidInput, PermissionDenied.
    """
    declared = list(declared)
    for resource in declared:
        resource.know_type()
    # most methods keep names in lower case, so two names that differ in case alone may be one
    protected = {normalise.path(name).lower() for name in given.protected}
    keep = {resource.path.lower() for resource in declared}
    places = {(resource.mount, resource.type, str(resource.item.get("subject") or "")) for resource in declared}
    looked_into = {place[0] for place in places}
    places |= {(mount, "", "") for mount in given.named_mounts() if mount not in looked_into}
    for mount, kind in given.mounts:
        if kind in TYPES:
            places |= {(mount, kind, subject) for subject in ("", *SUBJECTS.get(kind, ()))}
    found: dict[str, AuthRole] = {}
    for path, kind, subject in sorted(places):
        for role in existing(client, mounts, path, kind, subject):
            item = {"mount": path, "type": kind, "subject": subject, "name": role, "state": "absent"}
            resource = AuthRole(client, mounts, policies, item)
            resource.know_type()
            # a default subject is the same as if it were named
            if resource.path.lower() not in keep and not protected & {resource.name.lower(), role.lower()}:
                found.setdefault(resource.path, resource)
    return list(found.values())
