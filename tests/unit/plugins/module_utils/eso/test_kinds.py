# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every kind of External Secrets Operator: a declaration is checked and rendered without a server."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._eso import backup, handover
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.forced import SyncRun
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.generator import RAW
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.kind import EsoKind
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.kinds import KINDS
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.sync import FORCED
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes import flux, rollout
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.apply import Cluster
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.kind import Kind
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.reading import Reader

STORE = {"server": "https://vault.example.com:8200", "auth": {"token_secret_ref": {"name": "token", "key": "token"}}}
SECRET = {"store": {"name": "vault"}, "refresh_interval": "90m", "data_from": [{"extract": {"key": "app"}}]}
#: the least that each list takes, by its option
LEAST: dict[str, dict[str, Any]] = {
    "stores": STORE,
    "external_secrets": SECRET,
    "cluster_external_secrets": {"namespaces": ["apps"], "external_secret": SECRET},
    "push_secrets": {
        "store_refs": [{"name": "vault"}],
        "selector": {"secret": {"name": "app"}},
        "data": [{"match": {"secret_key": "a", "remote_ref": {"remote_key": "app"}}}],
    },
}
GENERATORS: dict[str, dict[str, Any]] = {
    "VaultDynamicSecret": {"path": "database/creds/app", "provider": STORE},
    "ClusterGenerator": {"generator_kind": "UUID"},
    **{name: {"spec": {"anything": 1}} for name in RAW},
}
EVERY = [(kind, api) for kind in KINDS for api in kind.apis]


class Silent:
    """A client that asks nobody: every method raises."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError("the API server is asked: %s" % name)


def entry(kind: EsoKind, api: Kind, state: str = "present") -> dict[str, Any]:
    """Return an entry with every option, as a module has it."""
    given = GENERATORS.get(api.name, {}) if kind.plural == "generators" else LEAST[kind.plural]
    named = {"kind": api.name, "name": "one", "namespace": "apps" if api.namespaced else None, "state": state}
    return {**dict.fromkeys(kind.entry), **({} if state == "absent" else given), **named}


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize(("kind", "api"), EVERY, ids=[api.name for _kind, api in EVERY])
def test_a_declaration_is_checked_without_a_server_and_stays_as_it_is(kind: EsoKind, api: Kind, state: str) -> None:
    client: Any = Silent()
    item = entry(kind, api, state)
    before = copy.deepcopy(item)
    one = kind.make(item, Cluster(client))
    declared = copy.deepcopy(one.desired)
    kind.check_together([one], {})
    one.check()
    assert one.api is api
    assert item == before
    assert one.desired == declared


@pytest.mark.parametrize(("kind", "api"), EVERY, ids=[api.name for _kind, api in EVERY])
def test_a_manifest_is_rendered_without_a_cluster(kind: EsoKind, api: Kind) -> None:
    one = kind.make(entry(kind, api))
    manifest = one.rendered(api.versions[0])
    assert (manifest["apiVersion"], manifest["kind"]) == (api.api_version(api.versions[0]), api.name)
    assert manifest["metadata"] == {"name": "one", **({"namespace": "apps"} if api.namespaced else {})}
    assert manifest["spec"] == one.spec


@pytest.mark.parametrize("name", list(FORCED))
def test_a_forced_sync_is_checked_without_a_server(name: str) -> None:
    client: Any = Silent()
    space = "apps" if FORCED[name].api.namespaced else None
    FORCED[name](SyncRun(client), {"kind": name, "name": "one", "namespace": space}).check()


def test_what_passes_objects_on_is_checked_without_a_server() -> None:
    client: Any = Silent()
    named = {"kind": "ExternalSecret", "name": "one", "namespace": "apps"}
    manifest = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "one"}}
    api = handover.KINDS["ExternalSecret"]
    for one in (
        *handover.handovers(client, [named], "protected", handover.FLUX),
        *handover.handovers(client, [named], "released", handover.FLUX),
        backup.Restored(client, Reader(client), api, manifest, False, set()),
        flux.Reconciled(client, {**named, "revision": None}, 10),
        rollout.Rollout(client, {**named, "kind": "Deployment"}, True),
    ):
        one.check()


def test_every_kind_says_when_it_is_restored() -> None:
    ranks = {api.name: backup.rank({"kind": api.name}) for _kind, api in EVERY}
    assert ranks["SecretStore"] < ranks["UUID"] < ranks["ExternalSecret"] < ranks["PushSecret"]
    assert all(backup.rank({"kind": api.name}) == kind.restored for kind, api in EVERY)
