# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator would refuse, ignore or misread is refused, and the message says what to write instead."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.external_secret import check_external_secret
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.provider import ca_bundle, same_bundle, trusted
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.status import frozen, synced
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.store import check_store, store_spec

KUBERNETES = {"kubernetes": {"mountPath": "kubernetes", "role": "eso"}}
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
REF = {"name": "s", "key": "k"}


def vault(**fields: Any) -> dict[str, Any]:
    return {"provider": {"vault": {"server": "https://vault:8200", "auth": KUBERNETES, **fields}}}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "exactly one provider"),
        (vault(server="vault:8200"), "is not a URL"),
        (vault(version="v3"), 'KV version "v3"'),
        (vault(checkAndSet={"required": True}, version="v1"), "KV version 1 has no check-and-set"),
        (vault(clientTimeout="30s"), "a store has no timeout"),
        (vault(timeout="30s"), "a store has no timeout"),
        (vault(tls={"serverName": "vault"}), "provider.vault.tls.serverName does not exist"),
        (vault(tls={"clientCert": {"secretRef": REF}}), "write tls.certSecretRef and tls.keySecretRef"),
        (vault(tls={"certSecretRef": REF}), "tls needs certSecretRef and keySecretRef"),
        (vault(caBundle=PEM), "where the API wants its base64"),
        (vault(caBundle="bm90aGluZw=="), "is not the base64 of PEM certificates"),
        (vault(caBundle=base64.b64encode(PEM.encode()).decode(), caProvider={"name": "x"}), "contradict each other"),
        (vault(caProvider={"type": "Secret", "name": "ca", "key": "k", "namespace": "other"}), "another namespace"),
        (vault(caProvider={"type": "Secret", "name": "ca"}), "caProvider lacks key"),
        (vault(auth={}), "no auth method is given"),
        (
            vault(auth={**KUBERNETES, "jwt": {"path": "jwt"}, "appRole": {"path": "approle"}}),
            "3 auth methods are given (appRole, kubernetes, jwt); the operator would take appRole and say nothing",
        ),
        (vault(auth={"kubernetes": {"mountPath": "k"}}), "auth.kubernetes lacks role"),
        (vault(auth={"appRole": {"secretRef": REF}}), "neither roleId and roleRef"),
        (vault(auth={"appRole": {"roleId": "r", "roleRef": REF, "secretRef": REF}}), "both roleId and roleRef"),
        (vault(auth={"jwt": {"role": "r"}}), "neither secretRef and kubernetesServiceAccountToken"),
        (vault(auth={"ldap": {"username": "u"}}), "auth.ldap lacks secretRef"),
        (vault(auth={"tokenSecretRef": {"name": "t"}}), "auth.tokenSecretRef lacks key"),
        (
            vault(auth={"tokenSecretRef": {"name": "t", "key": "k", "namespace": "other"}}),
            'auth.tokenSecretRef points into the namespace "other"',
        ),
        ({**vault(), "conditions": [{"namespaces": ["a"]}]}, "conditions are for a ClusterSecretStore"),
    ],
)
def test_a_wrong_store_is_refused(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_store("SecretStore", "apps", spec)
    assert message in str(caught.value)
    assert caught.value.remedy


def test_right_stores_are_taken_and_doubtful_ones_warned_about() -> None:
    assert check_store("SecretStore", "apps", vault()) == []
    assert check_store("SecretStore", "apps", {"provider": {"aws": {}}}) == []
    assert "act only together" in check_store("SecretStore", "apps", vault(readYourWrites=True))[0]
    reference = {"kubernetes": {"role": "r", "serviceAccountRef": {"name": "eso"}}}
    assert "without ever having tried it" in check_store("ClusterSecretStore", None, vault(auth=reference))[0]
    reference["kubernetes"]["serviceAccountRef"]["namespace"] = "eso"
    assert "such as audiences: [vault]" in check_store("ClusterSecretStore", None, vault(auth=reference))[0]
    reference["kubernetes"]["serviceAccountRef"]["audiences"] = ["vault"]
    assert check_store("ClusterSecretStore", None, vault(auth=reference)) == []
    with pytest.raises(InvalidInput, match="caProvider needs a namespace"):
        check_store("ClusterSecretStore", None, vault(caProvider={"type": "Secret", "name": "ca", "key": "k"}))
    # behind an agent or a proxy that logs in
    assert "has no auth" in check_store("SecretStore", "apps", vault(auth=None))[0]
    selector = {"conditions": [{"namespaceSelector": {}}, {"namespaceRegexes": ["team-.*"]}]}
    assert "act only" in check_store("ClusterSecretStore", None, {**vault(readYourWrites=True), **selector})[-1]
    with pytest.raises(InvalidInput, match="not a regular expression of Go"):
        check_store("ClusterSecretStore", None, {**vault(), "conditions": [{"namespaceRegexes": ["(?!kube)"]}]})


def test_options_become_the_manifest() -> None:
    item = {
        "server": "https://vault:8200",
        "vault_namespace": "team",
        "ca_bundle": PEM,
        "headers": {"X-My_Header": "a"},
        "auth": {
            "app_role": {"role_id": "r", "secret_ref": {"name": "s", "key": None}},
            "kubernetes": None,
            "jwt": {"kubernetes_service_account_token": {"service_account": {"name": "eso", "audiences": ["vault"]}}},
        },
        "refresh_interval": "5m",
    }
    spec = store_spec(item)
    assert spec["refreshInterval"] == 300
    given = spec["provider"]["vault"]
    assert base64.b64decode(given.pop("caBundle")).decode() == PEM
    assert given == {
        "server": "https://vault:8200",
        "namespace": "team",
        "version": "v2",
        "headers": {"X-My_Header": "a"},
        "auth": {
            "appRole": {"roleId": "r", "secretRef": {"name": "s"}},
            "jwt": {"kubernetesServiceAccountToken": {"serviceAccountRef": {"name": "eso", "audiences": ["vault"]}}},
        },
    }
    with pytest.raises(InvalidInput, match='"spec" excludes server'):
        store_spec({"spec": {"provider": {}}, "server": "https://v"})
    with pytest.raises(InvalidInput, match="private key"):
        ca_bundle(PEM + "-----BEGIN PRIVATE KEY-----")


def test_the_order_of_a_bundle_has_no_meaning() -> None:
    first, second = (PEM.replace("-----\n", f"-----\n{word}", 1) for word in ("AAAA", "BBBB"))
    bundles = [base64.b64encode(text.encode()).decode() for text in (f"{first}\n{second}", f"{second}{first}", first)]
    assert same_bundle(bundles[0]) == same_bundle(bundles[1]) != same_bundle(bundles[2])
    # what else stands in a bundle is compared, and told to nobody
    odd = base64.b64encode(f"{first}-----BEGIN PRIVATE KEY-----\nx\n".encode()).decode()
    assert same_bundle(odd) != same_bundle(bundles[2])
    assert trusted({"caBundle": odd}) == trusted({"caBundle": bundles[2]}) and "PRIVATE" not in trusted(
        {"caBundle": odd}
    )


def external(**fields: Any) -> dict[str, Any]:
    return {"secretStoreRef": {"name": "vault"}, "dataFrom": [{"extract": {"key": "app"}}], **fields}


def entry(key: str, remote: str = "app") -> dict[str, Any]:
    return {"secretKey": key, "remoteRef": {"key": remote}}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"secretStoreRef": {"name": "vault"}}, "neither data nor data_from"),
        (external(secretStoreRef={}), "no store is given"),
        (external(secretStoreRef={"name": "v", "namespace": "other"}), "a store in another namespace"),
        (external(refreshInterval="1d"), 'the refresh interval "1d"'),
        (external(refreshPolicy="Sometimes"), 'refreshPolicy "Sometimes" does not exist'),
        (external(target={"creationPolicy": "Merge", "deletionPolicy": "Delete"}), "contradicts creationPolicy Merge"),
        (external(target={"creationPolicy": "None", "deletionPolicy": "Delete"}), "contradicts creationPolicy None"),
        (external(target={"creationPolicy": "CreateOrMerge", "deletionPolicy": "Delete"}), "CreateOrMerge"),
        (external(target={"creationPolicy": "None", "deletionPolicy": "Merge"}), "deletionPolicy Merge contradicts"),
        (external(target={"template": {"engineVersion": "v1"}}), "is gone"),
        (external(target={"template": {"data": {"a": "{{ .x | base64decode }}"}}}), 'write "b64dec"'),
        (external(target={"template": {"templateFrom": [{"literal": "{{ base64decode .x }}"}]}}), 'write "b64dec"'),
        (external(data=[entry("a"), entry("a")]), 'the key "a" is declared twice'),
        (external(data=[entry("a b")]), "is not a key of a Secret"),
        (external(data=[{"secretKey": "a", "remoteRef": {}}]), "has no key"),
        (external(data=[entry("a", "/app")]), "begins with a slash"),
        (external(data=[entry("crt", "pki/issue/app")]), "VaultDynamicSecret"),
        (external(dataFrom=[{}]), "has no source"),
        (external(dataFrom=[{"extract": {"key": "a"}, "find": {"name": {"regexp": "b"}}}]), "has extract and find"),
        (external(dataFrom=[{"find": {"name": {"regexp": "(a"}}}]), "not a regular expression of Go"),
        (external(dataFrom=[{"extract": {"key": "a"}, "rewrite": [{"regexp": {"source": "a++"}}]}]), "rewrite[0]"),
        (external(refreshInterval="300"), 'the refresh interval "300"'),
        (external(target={"template": {"type": "bootstrap.kubernetes.io/token"}}), "makes no Secret of the type"),
        (external(data=[{**entry("a"), "sourceRef": {"generatorRef": {"kind": "UUID"}}}]), "ignores it there"),
        (
            external(dataFrom=[{"extract": {"key": "a"}, "sourceRef": {"generatorRef": {"kind": "UUID"}}}]),
            "has extract and source_ref.generator_ref",
        ),
    ],
)
def test_a_wrong_external_secret_is_refused(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_external_secret("app", spec)
    assert message in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "spec",
    [
        external(),
        external(refreshInterval="0", refreshPolicy="CreatedOnce"),
        external(target={"creationPolicy": "Orphan", "deletionPolicy": "Delete"}),
        external(target={"template": {"data": {"base64decode": '{{ .base64decode | b64dec }} {{ "base64decode" }}'}}}),
        external(data=[entry("a", "apps/pkiissue/creds")], dataFrom=[]),
        {"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "UUID", "name": "u"}}}]},
        external(dataFrom=[{"extract": {"key": "a"}, "sourceRef": {"storeRef": {"name": "other"}}}]),
        external(data=[entry("a", "apps/pki-portal/creds/db"), entry("b", "apps/database/creds/app")]),
        external(dataFrom=[{"find": {"path": "a"}}]),
        external(dataFrom=[{"extract": {"key": "a"}, "rewrite": [{"merge": {}}]}]),
        external(refreshInterval="1.5h30m"),
    ],
)
def test_a_right_external_secret_is_taken(spec: dict[str, Any]) -> None:
    assert check_external_secret("app", spec) == []


@pytest.mark.parametrize(
    ("spec", "warning"),
    [
        (external(data=[entry("pw", "database/creds/app")]), "only a store of version v1 reads it"),
        (external(data=None, dataFrom=[{"extract": {"key": "database/static-creds/app"}}]), "version v1"),
        (external(data=None, dataFrom=[{"find": {}}]), "takes every secret of the mount"),
    ],
)
def test_a_doubtful_external_secret_is_taken_with_a_warning(spec: dict[str, Any], warning: str) -> None:
    (told,) = check_external_secret("app", spec)
    assert warning in told


def status(generation: int, **fields: Any) -> dict[str, Any]:
    ready = {"type": "Ready", "status": "True", "reason": "SecretSynced"}
    return {
        "metadata": {"name": "app", "generation": generation},
        "spec": {"refreshInterval": "1h"},
        "status": {"conditions": [ready], "syncedResourceVersion": "2-abc", **fields},
    }


def test_ready_is_not_enough_when_it_is_about_an_older_spec() -> None:
    assert synced(status(2)) == ""
    assert "not synced yet since its last change" in synced(status(3))
    assert synced({**status(3), "spec": {"refreshInterval": "0s"}}) == ""
    assert "does the operator run?" in synced(status(2, conditions=[]))
    failed = {"type": "Ready", "status": "False", "reason": "SecretSyncedError", "message": "no"}
    assert synced(status(2, conditions=[failed])) == "is not ready: SecretSyncedError: no"
    assert synced(None) == "does not exist"


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"refreshInterval": "0"}, "interval is 0"),
        ({"refreshInterval": "0s", "refreshPolicy": "Periodic"}, "interval is 0"),
        ({"refreshInterval": "1h", "refreshPolicy": "CreatedOnce"}, "CreatedOnce"),
    ],
)
def test_what_is_never_synced_again_is_known(spec: dict[str, Any], reason: str) -> None:
    assert reason in frozen(spec)


@pytest.mark.parametrize("spec", [{}, {"refreshInterval": "1h"}, {"refreshInterval": "0", "refreshPolicy": "OnChange"}])
def test_what_is_synced_again_is_known(spec: dict[str, Any]) -> None:
    assert frozen(spec) == ""
