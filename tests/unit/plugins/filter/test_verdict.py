# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last line of a playbook; and that every playbook has one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.secretops.vault_eso.plugins.filter.verdict import COUNTED, verdict

ROOT = Path(__file__).resolve().parents[4]
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
#: drift and validate end with a sentence of their role: how much is as declared or passed, and where the report is
OWN = {"drift", "validate", "check"}


def engine(*changed: bool) -> dict[str, Any]:
    """Return the result of a module about policies."""
    entries = [{"kind": "policy", "name": str(number), "changed": one} for number, one in enumerate(changed)]
    return {"results": entries, "summary": {"update": sum(changed), "none": len(changed) - sum(changed), "failed": 0}}


@pytest.mark.parametrize(
    "registered, real, check",
    [
        ({}, "There was nothing to do.", "There was nothing to do."),
        ({"__vault_config_result": {"skipped": True}}, "There was nothing to do.", "There was nothing to do."),
        (
            {"__vault_certificates_due": {"renew": {"web": ["it ends soon"]}}, "__vault_certificates_renewed": ["web"]},
            "a: web renewed.",
            "a: web would be renewed.",
        ),
        ({"__vault_certificates_due": {"renew": {}}}, "a: no key pair is due.", "a: no key pair is due."),
        (
            {"__vault_config_result": engine(True, False)},
            "a: 1 of 2 objects in Vault changed.",
            "a: 1 of 2 objects in Vault would change.",
        ),
        (
            {"__eso_resources_stores_result": engine(False), "__eso_resources_push_secrets_result": engine(False)},
            "a: 2 objects in Kubernetes as declared.",
            "a: 2 objects in Kubernetes as declared.",
        ),
        (
            {
                "__eso_resources_namespaces_and_accounts_result": {
                    "changed": True,
                    "method": "create",
                    "result": {"kind": "Namespace"},
                }
            },
            "a: 1 object in Kubernetes changed.",
            "a: 1 object in Kubernetes would change.",
        ),
        (
            {
                "__eso_compared": {"changed": False, "summary": {"none": 12}, "differing": {"release": [0]}},
                "__eso_release_result": {"changed": True, "method": "apply", "result": {"kind": "HelmRelease"}},
                "__eso_tidied": {"skipped": True},
            },
            "a: 1 of 13 parts of the operator changed.",
            "a: 1 of 13 parts of the operator would change.",
        ),
        (
            {"__eso_files_result": {"results": [{"changed": True}, {"changed": False}], "changed": True}},
            "a: 1 of 2 parts of the operator changed.",
            "a: 1 of 2 parts of the operator would change.",
        ),
        (
            {
                "__vault_config_result": {"failed": True, "summary": {"none": 1, "failed": 1, "not_reached": 2}},
                "__rotation_written": {"failed": True, "msg": "no"},
            },
            "a: 1 object in Vault as declared.",
            "a: 1 object in Vault as declared.",
        ),
        ({"__vault_cluster_unsealing": engine(False)}, "a: 1 node unsealed already.", "a: 1 node unsealed already."),
        ({"__snapshot_saved": {"path": "/x.snap"}}, "a: saved /x.snap.", "a: a snapshot would be saved."),
        (
            {"__snapshot_saved": {"path": "/x.snap", "copies": [{"url": "s3://b/", "name": "x.snap.age"}]}},
            "a: saved /x.snap, s3://b/x.snap.age.",
            "a: a snapshot would be saved.",
        ),
        (
            {"__eso_backup_saved": {"path": "/x.yaml", "changed": True, "count": {"Namespace": 2}}},
            "a: 2 objects saved to /x.yaml.",
            "a: 2 objects would be saved to /x.yaml.",
        ),
        (
            {"__validation_chain": {"results": [{}, {}], "broken": 1, "failed": True}},
            "a: 1 of 2 ways to Vault are broken.",
            "a: 1 of 2 ways to Vault are broken.",
        ),
        (
            {"vault_server_state": {"runs": True, "restart": True, "restart_reasons": ["binary"]}},
            "a: the server runs. Pending: a: waits for a restart (binary): playbook rolling.",
            "a: the server runs. Pending: a: waits for a restart (binary): playbook rolling.",
        ),
        (
            {
                "vault_server_state": {"runs": True, "restart": True, "restart_reasons": ["binary"]},
                "__vault_server_restarted": {"changed": True},
            },
            "a: the server was restarted.",
            "a: the server would be restarted.",
        ),
        (
            {"__vault_rolling_order": ["b"], "__vault_rolling_done": ["b"], "__vault_rolling_complete": True},
            "a: b taken.",
            "a: b would be taken.",
        ),
        (
            {"__vault_rolling_order": [], "__vault_rolling_done": [], "__vault_rolling_complete": True},
            "a: no node waits.",
            "a: no node waits.",
        ),
        (
            {"__vault_rolling_order": [], "__vault_rolling_done": [], "__vault_rolling_complete": False},
            "There was nothing to do.",
            "There was nothing to do.",
        ),
        ({"vault_cluster_missing": True}, "There was nothing to do.", "Pending: a: is still to be built."),
        ({"converge_failure": "x: y"}, "Failed: a (see the error below).", "Failed: a (see the error below)."),
    ],
)
def test_what_is_said(registered: dict[str, Any], real: str, check: str) -> None:
    assert verdict({"a": registered}) == real
    assert verdict({"a": registered}, check=True) == "Check mode, nothing was changed. " + check


def test_hosts_that_have_the_same_stand_together() -> None:
    same = {f"host-{number}": {"__vault_config_result": engine(True)} for number in range(2)}
    assert verdict(same, ended=["host-2"]) == (
        "host-0, host-1: 1 object in Vault changed. Failed: host-2 (see the error above)."
    )
    many = {f"host-{number}": {"__vault_config_result": engine(True)} for number in range(9)}
    assert verdict(many) == "9 hosts: 1 object in Vault changed."


def test_a_value_that_was_registered_is_not_said() -> None:
    secret = engine(True)
    secret["results"][0].update(info={"value": "hunter2"}, fields=["hunter2"], error="hunter2")
    assert "hunter2" not in verdict({"a": {"__vault_config_result": secret, "other_result": {"msg": "hunter2"}}})


def test_what_is_counted_is_registered_somewhere() -> None:
    names = set()
    for path in (ROOT / "roles").rglob("tasks/*.yml"):
        names |= {line.split()[-1] for line in path.read_text().splitlines() if line.strip().startswith("register:")}
    for source in COUNTED:
        assert any(source.variables.fullmatch(name) for name in names), source.variables.pattern


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_playbook_ends_with_a_verdict(path: Path) -> None:
    last = yaml.safe_load(path.read_text())[-1]
    if path.stem in OWN:
        return
    if path.stem == "site":
        imported = [play.get("ansible.builtin.import_playbook") for play in yaml.safe_load(path.read_text())]
        assert imported[-2:] == ["configure.yml", "verify.yml"]
        return
    assert last["name"] == "Say how it ended"
    assert last["tasks"][-1]["ansible.builtin.import_tasks"] == "tasks/verdict.yml"


def test_what_the_verdict_reads_is_what_roles_keep() -> None:
    """A variable that is renamed in a role alone would be missing without a word."""
    code = (ROOT / "plugins" / "filter" / "verdict.py").read_text()
    files = [*(ROOT / "roles").glob("*/tasks/**/*.yml"), *(ROOT / "playbooks").glob("*.yml")]
    files += (ROOT / "playbooks" / "tasks").glob("*.yml")
    kept = re.findall(r"^ +(?:register: )?(__\w+)", "\n".join(file.read_text() for file in files), re.MULTILINE)
    read = set(re.findall(r'"(__\w+)"', code))
    assert len(read) > 10 and read - set(kept) == set()
