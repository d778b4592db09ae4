# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module that talks to a Kubernetes API server against every behaviour of a hostile server.

From the first request on and after the discovery it ends in one sentence, in time, has changed nothing, and no other
host has heard of it.

A new module fails by name until it has options in `ARGS`; a new behaviour is tried on all of them.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.hostile import Hostile, hostile_server
from support.kubernetes_api import KubeApi
from support.local import Authority
from support.many import Run, run_many
from support.matrix import BODY, TIMEOUT, TOKEN, filled, problems, unpunctual, whole_matrix
from support.system import ROOT

MODULES = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]["eso"]
IN_NAMESPACE = {"name": "x", "namespace": "default"}
VAULT = {"url": ["{hostile}/later/silent"], "ca_cert": "{ca}", "token": BODY, "timeout": TIMEOUT, "retries": 0}
AUTH = {"kubernetes": {"role": "x", "service_account": {"name": "x"}}}
STORE = {"server": "https://vault.example.com:8200", "path": "secret", "auth": AUTH}
DATA = [{"secret_key": "a", "remote_ref": {"key": "b", "property": "c"}}]
KEPT = {
    "apiVersion": "external-secrets.io/v1",
    "kind": "ExternalSecret",
    "metadata": IN_NAMESPACE,
    "spec": {"secretStoreRef": {"name": "x"}, "data": [{"secretKey": "a", "remoteRef": {"key": "b"}}]},
}
#: what each module needs so that it would write something
ARGS: dict[str, dict[str, Any]] = {
    "eso_backup": {"path": "{tmp}/backup.yaml"},
    "eso_clusterexternalsecret": {
        "name": "x",
        "namespaces": ["default"],
        "external_secret": {"store": {"name": "x"}, "data": DATA},
    },
    "eso_externalsecret": {**IN_NAMESPACE, "store": {"name": "x"}, "data": DATA},
    "eso_generator": {
        **IN_NAMESPACE,
        "path": "x",
        "provider": {"server": "https://vault.example.com:8200", "auth": AUTH},
    },
    "eso_handover": {"state": "released", "objects": [{"api_version": "v1", "kind": "ConfigMap", **IN_NAMESPACE}]},
    "eso_info": {},
    "eso_pushsecret": {
        **IN_NAMESPACE,
        "store_refs": [{"name": "x"}],
        "selector": {"secret": {"name": "x"}},
        "data": [{"match": {"secret_key": "a", "remote_ref": {"remote_key": "b"}}}],
    },
    "eso_restore": {"path": "{tmp}/kept.yaml"},
    "eso_secretstore": {**IN_NAMESPACE, **STORE},
    "eso_state": {
        "objects": {"x": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": IN_NAMESPACE}]},
        "dependents": True,
        "api_server": True,
    },
    "eso_sync": IN_NAMESPACE,
    "eso_verify": {"namespaces": ["default"], "vault": VAULT},
    "flux_reconcile": IN_NAMESPACE,
    "k8s_rollout": IN_NAMESPACE,
    "k8s_token": {**IN_NAMESPACE, "dest": "{tmp}/k8s-token"},
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    with hostile_server(Authority(tmp_path_factory.mktemp("hostile"), "a hostile authority")) as server:
        yield server


def test_every_module_has_options_here() -> None:
    assert sorted(set(MODULES) - set(ARGS)) == [], "give a new module the options with which it writes something"
    assert sorted(set(ARGS) - set(MODULES)) == []


def options_for(hostile: Hostile, tmp_path: Path, name: str, url: str) -> dict[str, Any]:
    """Return the options of a module with which it talks to the hostile server."""
    folder = tmp_path / name
    folder.mkdir(exist_ok=True, mode=0o700)
    (folder / "kept.yaml").write_text(yaml.safe_dump(KEPT))
    (folder / "kept.yaml").chmod(0o600)
    common = {"host": url, "ca_cert": hostile.ca, "api_key": TOKEN, "timeout": TIMEOUT, "retries": 0}
    places = {"{hostile}": hostile.url, "{ca}": hostile.ca}
    return {**common, **filled(ARGS[name], folder, places)}


def test_whole_matrix(hostile: Hostile, tmp_path: Path) -> None:
    found = whole_matrix(
        hostile,
        MODULES,
        lambda name, url: options_for(hostile, tmp_path, name, url),
        lambda *_: False,
        frozenset(),
    )
    assert not found, "%d:\n%s" % (len(found), "\n".join(found[:60]))


def test_the_timeout_that_is_set_is_the_one_that_counts(hostile: Hostile, tmp_path: Path) -> None:
    assert not unpunctual(hostile, "eso_info", lambda name, url: options_for(hostile, tmp_path, name, url), 2)


def test_an_endless_answer_is_cut_off(hostile: Hostile, tmp_path: Path) -> None:
    options = {**options_for(hostile, tmp_path, "eso_info", hostile.at("always", "flood")), "timeout": 30}
    run = run_many("eso_info", [options])[0]
    assert "the answer is larger than 64 MiB" in run.result.msg
    assert not problems("eso_info", Run(run.result, 0))


def test_what_no_server_takes_is_refused_before_it_is_asked(hostile: Hostile, tmp_path: Path) -> None:
    before = hostile.server.connections
    options = options_for(hostile, tmp_path, "eso_info", hostile.at("always", "null-200"))
    cases = {
        'option "timeout"': {"timeout": -5},
        'option "timeout": 99999999999 seconds': {"timeout": 99999999999},
        'option "retries"': {"retries": -1},
        'option "host": "https://[::1" is not a URL': {"host": "https://[::1"},
        "holds a name that no server has": {"host": "https://%s.example.com" % ("a" * 300)},
        "the value of Impersonate-User holds": {"impersonate_user": BODY + "\nX-Evil: 1"},
        "holds a user, a password or a token": {"host": "https://x:%s@127.0.0.1:1" % BODY},
    }
    runs = run_many("eso_info", [{**options, **case} for case in cases.values()])
    for said, run in zip(cases, runs):
        assert said in run.result.msg, (said, run.result.msg)
        # the echo of the options is no message
        assert not [one for one in problems("eso_info", run) if one != "printed a secret"]
        assert BODY not in run.result.msg
    assert hostile.server.connections == before


#: the list option of each module that takes many
PLURALS = {
    "eso_clusterexternalsecret": "cluster_external_secrets",
    "eso_externalsecret": "external_secrets",
    "eso_generator": "generators",
    "eso_handover": "objects",
    "eso_pushsecret": "push_secrets",
    "eso_secretstore": "stores",
    "eso_sync": "external_secrets",
    "flux_reconcile": "kustomizations",
    "k8s_rollout": "workloads",
}
MANY = 50
CODES = {
    "connection refused": "connection_refused",
    "is not signed by": "tls",
    "does not accept the credentials": "unauthorized",
}


def many_of(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return options with many objects in place of one, in as many namespaces."""
    plural = PLURALS.get(name)
    if plural is None:
        return options
    common = {key: options.pop(key) for key in ("host", "ca_cert", "api_key", "timeout", "retries")}
    one = options[plural][0] if plural in options else options
    others = {"state": options["state"]} if plural in options else {}
    entries = [{**one, "name": "x%d" % number} for number in range(MANY)]
    for number, entry in enumerate(entries):
        if "namespace" in entry:
            entry["namespace"] = "n%d" % number
    return {**common, **others, plural: entries}


def test_a_failure_of_all_is_told_once(hostile: Hostile, kube_api: KubeApi, tmp_path: Path) -> None:
    """A dead port, a wrong CA, wrong credentials: each module says it once, and has asked a few times at most."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        dead = "https://127.0.0.1:%d" % server.getsockname()[1]
    failures = {
        "connection refused": {"host": dead},
        "is not signed by": {"host": kube_api.url, "ca_cert": hostile.ca},
        "does not accept the credentials": {"host": kube_api.url, "ca_cert": kube_api.ca_cert, "api_key": "wrong"},
        "does not accept the credentials; ": {},
    }
    found = []
    for name in MODULES:
        url = hostile.at("always", "status-401", name)
        given = many_of(name, options_for(hostile, tmp_path, name, url))
        cases = [
            {**given, **failure, "timeout": 30, "_check": check}
            for check in (False, True)
            for failure in failures.values()
        ]
        for said, run in zip([*failures, *failures], run_many(name, cases)):
            if run.result.get("error_code") != CODES[said.rstrip("; ")]:
                found.append("%s, %s: %s" % (name, said, run.result.get("error_code")))
            if not run.result.failed or run.result.changed or run.result.msg.count(said.rstrip("; ")) != 1:
                found.append("%s, %s: %s" % (name, said, run.result.msg))
            compared = [one for one in run.result.get("results") or [] if not one.get("error")]
            if compared:
                found.append("%s, %s: %d were called compared" % (name, said, len(compared)))
        # of two runs; as many at once as there are workers, and the listing before
        if hostile.asked(url) > 2 * 6:
            found.append("%s asked %d times" % (name, hostile.asked(url)))
    assert not found, "\n".join(found)


def test_a_page_of_html_is_no_missing_operator(hostile: Hostile, tmp_path: Path) -> None:
    options = options_for(hostile, tmp_path, "eso_externalsecret", hostile.at("always", "html-404"))
    run = run_many("eso_externalsecret", [options])[0]
    assert "the server that answers is not a Kubernetes API server (status 404, text/html" in run.result.msg
    assert "install" not in run.result.msg
