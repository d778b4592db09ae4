# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that expand teams, described in a few lines, into entries of vault_config and eso_resources.

A team has a tree of its own in a KV engine, a policy and a role for each of its environments, and in each of its
namespaces a service account and a store that reach the namespace's environment and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

TEAM = frozenset(
    (
        "name",
        "environments",
        "namespaces",
        "clusters",
        "paths",
        "find",
        "quota",
        "secrets",
        "token_ttl",
        "labels",
        "state",
    )
)
NAMESPACE = frozenset(("name", "environment", "clusters", "labels"))
SECRET_OWN = frozenset(("name", "path", "keys", "environments"))
#: options of an ExternalSecret that a team may set; what it reads and where it stands are not among them
SECRET_PASSED = frozenset(("labels", "annotations", "refresh_interval", "refresh_policy", "target", "adopt", "state"))
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")
_PATH = re.compile(r"[\w.-]+(/[\w.-]+)*")


def _fail(where: str, what: str, remedy: str) -> AnsibleFilterError:
    return AnsibleFilterError("%s: %s; %s" % (where, what, remedy))


def _known(where: str, entry: Any, names: Iterable[str]) -> None:
    if not isinstance(entry, Mapping):
        raise _fail(where, "is not a mapping", "write it as one")
    unknown = sorted(set(entry) - set(names))
    if unknown:
        raise _fail(where, "has no option %s" % ", ".join(unknown), "use %s" % ", ".join(sorted(names)))


def _named(where: str, what: str, name: Any) -> str:
    text = str(name or "")
    if not _NAME.fullmatch(text):
        raise _fail(
            where, 'the %s "%s" is not a name' % (what, text), 'use up to 40 lower case letters, digits and "-"'
        )
    return text


def _path(where: str, path: Any) -> str:
    text = str(path or "").strip("/")
    # a wildcard or a step upwards would lead out of the team's tree
    if not _PATH.fullmatch(text) or any(part in (".", "..") for part in text.split("/")):
        raise _fail(
            where, 'the path "%s" is none' % path, 'use words of letters, digits, "_", "-" and "." between slashes'
        )
    return text


class Place:
    """One namespace of a team: its environment ("" for a team without any) and on which clusters it is."""

    def __init__(self, name: str, environment: str, clusters: Sequence[str] | None, labels: Mapping[str, Any]) -> None:
        self.name = name
        self.environment = environment
        self.clusters = clusters
        self.labels = labels

    def on(self, cluster: str) -> bool:
        """Tell whether the namespace is on a cluster."""
        return self.clusters is None or cluster in self.clusters


class Team:
    """One team, checked."""

    def __init__(self, entry: Mapping[str, Any], prefix: str) -> None:
        name = entry.get("name") if isinstance(entry, Mapping) else None
        self.where = 'tenant "%s"' % name
        _known(self.where, entry, TEAM)
        self.entry = entry
        self.name = _named(self.where, "team", name)
        self.tree = "%s/%s" % (prefix, self.name)
        self.state = str(entry.get("state") or "present")
        if self.state not in ("present", "absent"):
            raise _fail(self.where, 'the state "%s" does not exist' % self.state, "write present or absent")
        self.environments = [_named(self.where, "environment", one) for one in entry.get("environments") or []] or [""]
        self.clusters: Sequence[str] | None = entry.get("clusters")
        self.paths = [_path(self.where, one) for one in entry.get("paths") or []]
        for path in self.paths:
            if "%s/" % path == "%s/" % prefix or path.startswith("%s/" % prefix):
                raise _fail(self.where, 'the path "%s" belongs to teams' % path, "put what is shared elsewhere")
        self.places = [self._place(one) for one in self._namespaces()]

    @property
    def account(self) -> str:
        """Name of its service accounts."""
        return "%s-secrets" % self.name

    def _namespaces(self) -> list[Any]:
        given = self.entry.get("namespaces")
        if given is not None:
            return list(given)
        return [{"name": self.identity(one), "environment": one} for one in self.environments]

    def _place(self, entry: Any) -> Place:
        entry = {"name": entry} if isinstance(entry, str) else entry
        _known("%s, namespaces" % self.where, entry, NAMESPACE)
        name = str(entry.get("name") or "")
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name):
            raise _fail(self.where, 'the namespace "%s" is not a name' % name, 'use lower case letters, digits and "-"')
        environment = entry.get("environment")
        if environment is None:
            if len(self.environments) > 1:
                raise _fail(
                    self.where,
                    'it is not known to which environment the namespace "%s" belongs' % name,
                    "write {name: %s, environment: %s}" % (name, self.environments[0]),
                )
            environment = self.environments[0]
        if environment not in self.environments:
            raise _fail(
                self.where,
                'the namespace "%s" belongs to the environment "%s", which it does not have' % (name, environment),
                "add it to environments",
            )
        labels = {"tenant": self.name, **(self.entry.get("labels") or {}), **(entry.get("labels") or {})}
        return Place(name, environment, entry.get("clusters", self.clusters), labels)

    def identity(self, environment: str) -> str:
        """Return the name of what belongs to an environment: ``payments-production``."""
        return "%s-%s" % (self.name, environment) if environment else self.name

    def policy(self, environment: str) -> str:
        """Return the name of the policy and the role of an environment."""
        return "tenant-%s" % self.identity(environment)

    def base(self, environment: str) -> str:
        """Return the tree of an environment, below the engine."""
        return "%s/%s" % (self.tree, environment) if environment else self.tree


def _teams(tenants: Any, prefix: str, clusters: Iterable[str] | None = None) -> list[Team]:
    """Return the teams, none of which can stand in for another. Raises AnsibleFilterError."""
    if isinstance(tenants, (str, Mapping)) or not isinstance(tenants, Iterable):
        raise AnsibleFilterError("tenants: is not a list; write a list of teams")
    teams = [Team(entry, _path("prefix", prefix)) for entry in tenants]
    owners: dict[tuple[str, str], str] = {}

    def claim(what: str, name: str, team: Team, remedy: str) -> None:
        other = owners.setdefault((what, name), team.name)
        if other != team.name:
            raise _fail(team.where, 'its %s "%s" is that of "%s" as well' % (what, name, other), remedy)

    names = [team.name for team in teams]
    for team in teams:
        if names.count(team.name) > 1:
            raise _fail(team.where, "is declared twice", "keep one of the two")
        for environment in team.environments:
            claim("policy", team.policy(environment), team, "give a team or an environment another name")
        for place in team.places:
            # whoever may start a pod in a namespace may use every service account there
            for cluster in place.clusters if place.clusters is not None else clusters or [""]:
                label = "%s/%s" % (cluster, place.name) if cluster else place.name
                claim("namespace", label, team, "give each team namespaces of its own")
    return teams


def tenant_vault(
    tenants: Any, clusters: Mapping[str, Mapping[str, Any]], mount: str = "secret", prefix: str = "teams"
) -> dict[str, Any]:
    """Return lists for vault_config: policies, auth_roles, quotas."""
    mount = _path("mount", mount)
    policies: list[dict[str, Any]] = []
    roles: list[dict[str, Any]] = []
    quotas: list[dict[str, Any]] = []
    for team in _teams(tenants, prefix, clusters):
        for environment in team.environments:
            state = {"state": "absent"} if team.state == "absent" else {}
            base = team.base(environment)
            # a glob ends with a slash before it, so that "pay" does not read what is of "payments"
            rules = [{"path": "%s/data/%s/*" % (mount, base), "capabilities": ["read"]}]
            rules += [{"path": "%s/data/%s" % (mount, path), "capabilities": ["read"]} for path in team.paths]
            rules += [{"path": "%s/data/%s/*" % (mount, path), "capabilities": ["read"]} for path in team.paths]
            if team.entry.get("find"):
                rules += [
                    {"path": "%s/metadata/%s" % (mount, base), "capabilities": ["list"]},
                    {"path": "%s/metadata/%s/*" % (mount, base), "capabilities": ["read", "list"]},
                ]
            policies.append({"name": team.policy(environment), **(state or {"rules": rules})})
            for cluster, facts in clusters.items():
                places = [one for one in team.places if one.environment == environment and one.on(cluster)]
                role = {
                    "mount": facts.get("auth_mount") or "kubernetes",
                    "type": "kubernetes",
                    "name": team.policy(environment),
                }
                if state or not places:
                    roles.append({**role, "state": "absent"})
                    continue
                roles.append(
                    {
                        **role,
                        "bound_service_account_names": [team.account],
                        "bound_service_account_namespaces": sorted({one.name for one in places}),
                        "audience": facts.get("audience") or "vault",
                        "token_policies": [team.policy(environment)],
                        "token_ttl": str(team.entry.get("token_ttl") or "15m"),
                    }
                )
        quota = team.entry.get("quota")
        if quota or team.state == "absent":
            named = {"name": "tenant-%s" % team.name}
            if team.state == "absent":
                quotas.append({**named, "state": "absent"})
            else:
                _known("%s, quota" % team.where, quota, ("rate", "interval", "block_interval"))
                quotas.append({**named, "path": "%s/data/%s/*" % (mount, team.tree), **(quota or {})})
    return {"policies": policies, "auth_roles": _merged(roles), "quotas": quotas}


def _merged(roles: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Join the roles of clusters that share an auth mount: what one of them wants stands."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for role in roles:
        key = (str(role["mount"]), str(role["name"]))
        other = found.get(key)
        if other is None or other.get("state") == "absent":
            found[key] = dict(role)
        elif role.get("state") != "absent":
            name = "bound_service_account_namespaces"
            other[name] = sorted({*other[name], *role[name]})
    return list(found.values())


def _external_secret(team: Team, place: Place, entry: Any, store: str) -> dict[str, Any]:
    where = "%s, secrets" % team.where
    _known(where, entry, SECRET_OWN | SECRET_PASSED)
    if not entry.get("name"):
        raise _fail(where, "an entry has no name", "give it one")
    unknown = [one for one in entry.get("environments") or [] if one not in team.environments]
    if unknown:
        raise _fail(where, '"%s" names the unknown environment "%s"' % (entry["name"], unknown[0]), "correct it")
    path = _path(where, entry.get("path") or entry.get("name"))
    key = "%s/%s" % (team.base(place.environment), path)
    passed = {name: value for name, value in entry.items() if name in SECRET_PASSED}
    declared = {
        "name": entry["name"],
        "namespace": place.name,
        **passed,
        "labels": {"tenant": team.name, **(passed.get("labels") or {})},
        "store": {"kind": "SecretStore", "name": store},
    }
    keys = entry.get("keys")
    if keys:
        pairs = keys.items() if isinstance(keys, Mapping) else ((one, one) for one in keys)
        declared["data"] = [
            {"secret_key": name, "remote_ref": {"key": key, "property": inner}} for name, inner in pairs
        ]
    else:
        declared["data_from"] = [{"extract": {"key": key}}]
    return declared


def tenant_kubernetes(
    tenants: Any,
    cluster: str,
    server: str,
    ca_bundle: str = "",
    auth_mount: str = "kubernetes",
    audiences: Sequence[str] = ("vault",),
    auth_delegator: bool = False,
    mount: str = "secret",
    prefix: str = "teams",
    store: str = "vault",
) -> dict[str, Any]:
    """Return lists for eso_resources on one cluster: namespaces, service_accounts, stores, external_secrets."""
    mount = _path("mount", mount)
    found: dict[str, list[dict[str, Any]]] = {
        "namespaces": [], "service_accounts": [], "stores": [], "external_secrets": []
    }  # fmt: skip
    for team in _teams(tenants, prefix, [cluster]):
        absent = team.state == "absent"
        for place in team.places:
            if not place.on(cluster):
                continue
            secrets = [
                _external_secret(team, place, entry, store)
                for entry in team.entry.get("secrets") or []
                if not isinstance(entry, Mapping)
                or entry.get("environments") is None
                or place.environment in entry["environments"]
            ]
            where = {"name": store, "namespace": place.name}
            if absent:
                # namespaces and service accounts stay: other things live there
                found["external_secrets"] += [
                    {"name": one["name"], "namespace": place.name, "state": "absent"} for one in secrets
                ]
                found["stores"].append({**where, "state": "absent"})
                continue
            found["namespaces"].append({"name": place.name, "labels": dict(place.labels)})
            found["service_accounts"].append(
                {
                    "name": team.account,
                    "namespace": place.name,
                    "labels": {"tenant": team.name},
                    "auth_delegator": bool(auth_delegator),
                }
            )
            account = {"name": team.account, "audiences": list(audiences)}
            kubernetes = {
                "mount_path": auth_mount,
                "role": team.policy(place.environment),
                "service_account": account,
            }
            found["stores"].append(
                {
                    **where,
                    "labels": {"tenant": team.name},
                    "server": server,
                    "path": mount,
                    "version": "v2",
                    **({"ca_bundle": ca_bundle} if ca_bundle else {}),
                    "auth": {"kubernetes": kubernetes},
                }
            )
            found["external_secrets"] += secrets
    return found


class FilterModule:
    """Filters for tenants."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"tenant_vault": tenant_vault, "tenant_kubernetes": tenant_kubernetes}
