# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""ACL policies. Source: /api-docs/system/policies (sys/policies/acl), /docs/concepts/policies (templated policies)."""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..._engine import normalise
from ..._engine.errors import InvalidInput
from ..._engine.field import Field, normalisers
from ..._engine.resource import Change, Resource
from .. import products
from ..auth.mounts import MethodMounts
from ..base import purge
from ..base.declaring import View
from ..base.kind import PURGE, Kind, RunContext
from ..base.listing import Found, Listing, mark_absent
from ..base.naming import check_name, in_url
from ..connection.client import Client
from .policy_text import check_hcl, check_rule, fill_accessors, name_accessors, render

#: switches of a policy beside its text. Source: OpenBao, sys/policies/acl
FLAGS = ("cas_required", "allow_slashes_in_identity_templates", "allow_wildcards_in_identity_templates")
#: what HashiCorp Vault does not have
OPENBAO_ONLY = ("expiration", *FLAGS)
#: SHA-256 of the text of "default" as a server makes it (OpenBao 2.6 and 2.7); any other is somebody's, or unknown
DEFAULT = frozenset(("1b6ea8e97975b572c64fcc41c30e1aa0560fb2c680687b5dbdc874bdbef823a9",))
#: from so many policies on, all of them are read by one request
SEVERAL = 10
_INSTANT = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:[Tt ](?P<time>\d\d:\d\d:\d\d)(?:\.\d+)?)?"
    r"(?:[Zz]| ?(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d))?"
)


def instant(value: Any) -> Any:
    """Return a point of time in one form, such as ``2099-01-01T00:00:00Z``; none at all for an empty one.

    Without an offset it is UTC. What is not a point of time is returned unchanged.
    """
    text = normalise.scalar(value).strip()
    match = _INSTANT.fullmatch(text)
    if match is None:
        return text or None
    try:
        moment = datetime.datetime.fromisoformat("%sT%s" % (match["day"], match["time"] or "00:00:00"))
    except ValueError:
        return text
    if match["hours"]:
        away = datetime.timedelta(hours=int(match["hours"]), minutes=int(match["minutes"]))
        moment = moment - away if match["sign"] == "+" else moment + away
    return moment.isoformat() + "Z"


FIELDS: Sequence[Field] = (
    Field("name", "Name of the policy. The server keeps it in lower case.", sent=False),
    Field(
        "policy",
        "The policy as HCL or JSON text, or as data. Excludes O(rules).",
        type="raw",
        normaliser=normalise.document_form,
    ),
    Field(
        "rules",
        "The policy as data. Excludes O(policy).",
        type="list",
        elements="dict",
        fields=(
            Field(
                "path", "Path that the rule is about; C(*) at its end and C(+) for one part are allowed.", required=True
            ),
            Field("capabilities", "What is allowed on the path.", type="list", elements="str", required=True),
            Field("description", "Comment that stands above the rule."),
            Field(
                "allowed_parameters",
                (
                    "Parameters that are allowed, each with a list of values; an empty list allows any value.",
                    (
                        "Values are texts, with C(*) at an end as a wildcard, or booleans. Numbers are refused, "
                        'because the server finds none in a request; a text such as C("3") is found in requests that '
                        "send it as text."
                    ),
                ),
                type="dict",
            ),
            Field(
                "denied_parameters",
                (
                    "Parameters that are denied, each with a list of values; an empty list denies any value.",
                    (
                        "Values are texts, with C(*) at an end as a wildcard, or booleans. Numbers are refused, "
                        'because the server finds none in a request; a text such as C("3") is found in requests that '
                        "send it as text."
                    ),
                ),
                type="dict",
            ),
            Field("required_parameters", "Parameters that a request must have.", type="list", elements="str"),
            Field("min_wrapping_ttl", "Shortest permitted life of a wrapped answer, a duration."),
            Field("max_wrapping_ttl", "Longest permitted life of a wrapped answer, a duration."),
        ),
        sent=False,
    ),
    Field(
        "expiration",
        (
            (
                "When the policy ends and the server removes it, such as C(2030-12-31T23:59:59Z); in UTC when it says "
                "no offset. An empty one takes the end away. Without it, what stands is kept."
            ),
            "OpenBao only.",
        ),
        normaliser=instant,
    ),
    Field(
        "cas_required",
        (
            (
                "Whether every change must name the version that it replaces. The module does so for such a policy, "
                "so that a change of somebody else in between makes it fail instead of being lost."
            ),
            "OpenBao only. Without it, what stands is kept.",
        ),
        type="bool",
    ),
    Field(
        "allow_slashes_in_identity_templates",
        ("Whether a value that a template fills in may hold slashes. OpenBao only. Without it, what stands is kept."),
        type="bool",
    ),
    Field(
        "allow_wildcards_in_identity_templates",
        (
            "Whether a value that a template fills in may hold C(*) and C(+). OpenBao only. Without it, what stands "
            "is kept."
        ),
        type="bool",
    ),
)


class Policy(Resource):
    """One ACL policy: ``policy`` as HCL or ``rules`` as data."""

    kind = "policy"
    fields = normalisers(FIELDS)
    answered_only = frozenset(("name", "version", "modified"))

    def __init__(
        self,
        client: Client,
        item: Mapping[str, Any],
        mounts: MethodMounts | None = None,
        context: RunContext | None = None,
    ) -> None:
        """``mounts`` is shared by all policies of a task; ``context`` tells whether a missing method is an error."""
        self.client = client
        self.item = item
        self.mounts = mounts or MethodMounts(client)
        self.context = context
        #: all policies of the namespace by their names, where the API lists them with their content
        self.known: Mapping[str, Any] | None = None
        self.absent = False
        self._version: int | None = None
        # the server keeps names in lower case
        name = str(item["name"]).strip().lower()
        desired = None
        if item["state"] == "present":
            policy = normalise.document(item.get("policy"))
            desired = {
                "policy": render(item["rules"]) if policy is None and item.get("rules") is not None else policy,
                **{option: item.get(option) for option in OPENBAO_ONLY},
            }
        super().__init__(name, desired)

    def check(self) -> None:
        check_name(self.name, "use letters, digits, - _ . /")
        if self.name == "root":
            raise InvalidInput("the server's own policy cannot be managed", remedy="use another name")
        if self.desired is None:
            if self.name == "default":
                raise InvalidInput("the default policy cannot be deleted", remedy="change its rules instead")
            return
        if self.item.get("policy") is not None and self.item.get("rules") is not None:
            raise InvalidInput('"policy" and "rules" contradict each other', remedy="give one of the two")
        if not (self.desired.get("policy") or "").strip():
            raise InvalidInput("no content", remedy='give "rules" or "policy"')
        for rule in self.item.get("rules") or []:
            check_rule(rule)
        if self.item.get("policy") is not None:
            check_hcl(self.desired["policy"])
        self._check_expiration()

    def preflight(self) -> None:
        if self.desired is None:
            return
        fill_accessors(self.desired["policy"], self._accessor)
        own = [option for option in OPENBAO_ONLY if option in self.desired]
        if own:
            self.mounts.fields.check(self._path(), own, "a policy", "sys/policies/acl")

    def _check_expiration(self) -> None:
        """Refuse what is not a point of time, or is over. Raises InvalidInput."""
        wanted = instant((self.desired or {}).get("expiration"))
        if wanted is None:
            return
        try:
            moment = datetime.datetime.fromisoformat(wanted.replace("Z", "+00:00"))
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise InvalidInput(
                'expiration: "%s" is not a point of time' % wanted, remedy="write it like 2030-12-31T23:59:59Z"
            )
        if moment <= datetime.datetime.now(datetime.timezone.utc):
            raise InvalidInput("expiration: %s is in the past" % wanted, remedy='give a later one, or "state: absent"')

    def _accessor(self, mount: str) -> str:
        """Return the accessor of an auth method; in check mode a placeholder for one that is not mounted yet."""
        found = self.mounts.get(mount)
        if found is not None:
            return str(found["accessor"])
        trouble = 'a template names the auth method "%s", and none is mounted there' % mount
        if self.context is None or not self.context.planning:
            raise InvalidInput(trouble, remedy="mount it first, or correct the path")
        if (
            mount.lower() not in self.context.planned_names("auth_methods")
            and "%s (yet)" % trouble not in self.warnings
        ):
            self.warnings.append("%s (yet)" % trouble)
        return "(accessor of %s)" % mount

    def _path(self) -> str:
        return "sys/policies/acl/%s" % in_url(self.name)

    @classmethod
    def prepare(cls, resources: Sequence[Any]) -> None:
        """Read all policies by one request where the API has it. Source: OpenBao, LIST sys/policies/detailed/acl."""
        client = resources[0].client
        found = client.try_list("sys/policies/detailed/acl") if len(resources) >= SEVERAL else None
        known = (found or {}).get("key_info")
        for resource in resources:
            resource.known = known
        if not known:
            mark_absent(client, (("sys/policies/acl", resource.name, resource) for resource in resources))

    def read(self) -> Mapping[str, Any] | None:
        if self.absent:
            return None
        data = self.known.get(self.name) if self.known else self.client.read(self._path())
        if data is None:
            return None
        names = ("policy", *OPENBAO_ONLY)
        self._version = data.get("version")
        return {
            **{name: data[name] for name in names if data.get(name) is not None},
            "policy": data.get("policy") or "",
        }

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        desired = super().resolve(current)
        return {**desired, "policy": fill_accessors(desired["policy"], self._accessor)}

    def write(self, change: Change) -> None:
        body = self.whole_body(change)
        if "expiration" in body:
            body["expiration"] = instant(body["expiration"])
        if not body.get("expiration"):
            # to say nothing of it is to have none
            body.pop("expiration", None)
        required = any(
            normalise.boolean((state or {}).get("cas_required")) for state in (change.current, change.desired)
        )
        if required:
            # the version that was read; -1 stands for whatever is there
            body["cas"] = -1 if change.current is None or self._version is None else self._version
        self.client.write(self._path(), body, method="PUT")

    def delete(self, change: Change) -> None:
        self.client.delete(self._path())


def deletable(client: Client) -> set[str]:
    """Return the names of the policies that a purge may delete.

    Never among them: the servers' own policies, and those by which this very token works. Raises PermissionDenied.
    """
    own = client.read("auth/token/lookup-self") or {}
    kept = {name for product in products.PRODUCTS.values() for name in product.protected_policies}
    kept.update(own.get("policies") or [], own.get("identity_policies") or [])
    return set(client.list("sys/policies/acl")) - kept


class Policies(Kind):
    """ACL policies."""

    about = "ACL policies"
    tag = "policies"
    module = "vault_policy"
    plural = "policies"
    fields = FIELDS
    options = PURGE
    listings = (Listing("sys/policies/acl"),)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        item = super().declaration(one, view) if one.name != "root" else None
        if (
            one.name == "default"
            and hashlib.sha256(str((one.told or {}).get("policy")).encode()).hexdigest() in DEFAULT
        ):
            return None
        if item is not None:
            mounts: MethodMounts = view.once("auth methods", lambda: MethodMounts(view.client))
            item["policy"] = name_accessors(item.get("policy") or "", mounts.path_of)
        return item

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        mounts = MethodMounts(client)
        make = partial(Policy, client, mounts=mounts, context=context)
        declared = [make(item) for item in items]
        if not context.purge:
            return declared
        return [*declared, *purge.undeclared(context, declared, deletable(client), make, str.lower)]
