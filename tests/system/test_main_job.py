# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a platform team relies on, on a converged lab, in the order of a working day. Molecule verifies by it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.system import Lab, Play

SITE = "playbooks/site.yml"


def peers(lab: Lab) -> list[dict[str, object]]:
    """The raft peers."""
    answer = json.loads(lab.bao("operator", "raft", "list-peers", "-format=json"))
    return list(answer["data"]["config"]["servers"])


def test_a_second_run_changes_nothing(lab: Lab) -> None:
    again = lab.play(SITE, "--diff").succeeded()
    assert again.changed == 0, again.changed_tasks()


def test_three_voters_one_leader_all_unsealed(lab: Lab) -> None:
    found = peers(lab)
    assert [peer["voter"] for peer in found] == [True, True, True]
    assert sum(bool(peer["leader"]) for peer in found) == 1
    for url in lab.urls.values():
        state = lab.health(url)
        assert state and state["initialized"] and not state["sealed"]


def test_root_token_is_gone(lab: Lab) -> None:
    store = json.loads((lab.credentials / "unseal-keys.json").read_text())
    assert not store.get("root_token")
    assert (lab.credentials / "unseal-keys.json").stat().st_mode & 0o777 == 0o600
    accessors = json.loads(lab.bao("list", "-format=json", "auth/token/accessors"))
    policies = [
        json.loads(lab.bao("write", "-format=json", "auth/token/lookup-accessor", f"accessor={accessor}"))["data"][
            "policies"
        ]
        for accessor in accessors
    ]
    assert policies, "at least the token of this test is there"
    assert ["root"] not in policies


def test_external_secrets_are_ready(lab: Lab) -> None:
    items = json.loads(lab.kubectl("get", "externalsecrets", "-A", "-o", "json"))["items"]
    assert items
    for item in items:
        ready = [one for one in item["status"]["conditions"] if one["type"] == "Ready"]
        assert ready and ready[0]["status"] == "True", item["metadata"]["name"]
    in_vault = lab.kv("applications/web-app")
    assert lab.secret("production", "web-app")["API_KEY"] == in_vault["api_key"]


def test_a_patched_value_arrives_within_the_refresh_interval(lab: Lab, eventually: Callable[..., None]) -> None:
    value = f"patched-{time.time_ns()}"
    lab.bao("kv", "patch", "-mount=secret", "applications/web-app", f"webhook_secret={value}")
    eventually(lambda: lab.secret("production", "web-app")["WEBHOOK_SECRET"] == value, 15 + 15, "the patched value")


def test_a_patched_value_arrives_at_once_when_forced(lab: Lab, eventually: Callable[..., None]) -> None:
    value = f"forced-{time.time_ns()}"
    lab.bao("kv", "patch", "-mount=secret", "cache/redis", f"password={value}")
    lab.kubectl(
        "annotate", "externalsecret", "-n", "production", "redis", f"force-sync={time.time_ns()}", "--overwrite"
    )
    eventually(lambda: lab.secret("production", "redis")["password"] == value, 10, "the forced value")


def test_check_mode_shows_exactly_what_a_person_changed_and_the_next_run_repairs_it(lab: Lab) -> None:
    lab.bao("policy", "delete", "cicd")
    lab.bao("write", "auth/kubernetes/role/external-secrets", "token_ttl=3600")

    checked = lab.play(SITE, "--check", "--diff").succeeded()
    assert checked.changed_tasks() == ["Converge what is declared"]
    assert checked.changed_objects() == [
        'create policy "cicd"',
        'update auth role "kubernetes/external-secrets": token_ttl',
    ]
    assert "cicd" not in lab.bao("policy", "list"), "check mode changed something"
    role = json.loads(lab.bao("read", "-format=json", "auth/kubernetes/role/external-secrets"))
    assert role["data"]["token_ttl"] == 3600, "check mode changed something"

    repaired = lab.play(SITE).succeeded()
    assert repaired.changed_tasks() == checked.changed_tasks()
    assert repaired.changed_objects() == checked.changed_objects()
    assert "cicd" in lab.bao("policy", "list")
    role = json.loads(lab.bao("read", "-format=json", "auth/kubernetes/role/external-secrets"))
    assert role["data"]["token_ttl"] == 900
    assert lab.play(SITE, "--check", "--diff").succeeded().changed == 0


def test_the_same_data_as_a_tree_in_git(lab: Lab, tmp_path: Path) -> None:
    """No Flux is in the lab: what it would apply is tried on the API server, and nothing is handed over to it."""
    repository = tmp_path / "fleet.git"

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", f"--git-dir={repository}", *arguments], capture_output=True, text=True, check=True
        ).stdout

    def deliver(*options: str) -> Play:
        given = {
            "eso_delivery": "gitops",
            "eso_gitops_repository": str(repository),
            "eso_gitops_checkout": str(tmp_path / "checkout"),
            "eso_gitops_handover": False,
        }
        return lab.play("playbooks/gitops.yml", "-e", json.dumps(given), *options)

    git("init", "--quiet", "--bare", "--initial-branch=main")
    empty = deliver()
    assert empty.rc != 0
    assert 'has no branch "main"; push a first commit to it' in " ".join(empty.output.split())
    nobody = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.com"]
    first = git(*nobody, "commit-tree", "-m", "Begin", git("hash-object", "-w", "-t", "tree", "/dev/null").strip())
    git("update-ref", "refs/heads/main", first.strip())
    deliver().succeeded()
    assert git("rev-list", "--count", "main").strip() == "2"
    tree = tmp_path / "checkout" / "clusters" / "kubernetes" / "external-secrets"
    apply = ["apply", "--server-side", "--force-conflicts", "--field-manager=flux", "--dry-run=server", "-k", str(tree)]
    taken = lab.kubectl(*apply)
    for name in ("clustersecretstore.external-secrets.io/vault", "externalsecret.external-secrets.io/web-app"):
        assert name in taken
    deliver().succeeded()
    assert git("rev-list", "--count", "main").strip() == "2", "nothing changed, so there is no commit"
    deliver("-e", "demo_refresh_interval=30s").succeeded()
    assert git("rev-list", "--count", "main").strip() == "3"
    assert git("show", "--shortstat", "--format=", "main").strip() == "1 file changed, 1 insertion(+), 1 deletion(-)"
    assert lab.play(SITE, "--check").succeeded().changed == 0, "the cluster is as it was"


def test_functional_validation_passes_and_writes_a_report(lab: Lab) -> None:
    lab.play("playbooks/validate.yml").succeeded()
    suite = ET.parse(lab.directory / "validation.xml").getroot().find("testsuite")  # noqa: S314 (our own file)
    assert suite is not None
    assert int(suite.get("tests", 0)) == 12
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "0")


def test_rotation_changes_exactly_the_declared_keys_and_they_arrive(lab: Lab) -> None:
    before, arrived_before = lab.kv("applications/web-app"), lab.secret("production", "web-app")
    lab.play("playbooks/rotate.yml").succeeded()
    after, arrived = lab.kv("applications/web-app"), lab.secret("production", "web-app")
    differing = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert differing == {"database_password", "api_key", "rotated_at"}
    assert arrived["API_KEY"] == after["api_key"] != arrived_before["API_KEY"]
    assert arrived["WEBHOOK_SECRET"] == arrived_before["WEBHOOK_SECRET"]
    assert lab.play(SITE).succeeded().changed == 0, "a run after a rotation leaves the new values alone"


def test_a_deleted_secret_comes_back_from_a_snapshot(lab: Lab, eventually: Callable[..., None]) -> None:
    lab.play("playbooks/snapshot.yml").succeeded()
    wanted = lab.kv("cache/redis")
    lab.bao("kv", "metadata", "delete", "-mount=secret", "cache/redis")
    lab.play("playbooks/restore.yml", "-e", "restore_confirmed=vault").succeeded()
    assert lab.kv("cache/redis") == wanted


def test_a_killed_node_costs_nothing_and_is_healed_alone(lab: Lab) -> None:
    leader = lab.active()
    victim = next(host for host, url in lab.urls.items() if url == leader)
    lab.host("kill", victim)
    lab.bao("kv", "patch", "-mount=secret", "applications/web-app", "while_down=yes")
    assert lab.kv("applications/web-app")["while_down"] == "yes"
    lab.host("start", victim)
    healed = lab.play(SITE).succeeded()
    assert [task for task in healed.changed_tasks() if "nseal" in task] == ["Unseal what is sealed"]
    unsealed = [host for host, url in lab.urls.items() if f"unsealed {url}" in healed.output]
    assert unsealed == [victim]
    assert lab.kv("applications/web-app")["while_down"] == "yes"
    assert [peer["voter"] for peer in peers(lab)] == [True, True, True]
    assert lab.play(SITE).succeeded().changed == 0


def test_all_servers_killed_at_once_come_back(lab: Lab) -> None:
    lab.host("kill", *lab.urls)
    lab.host("start", *lab.urls)
    lab.play(SITE).succeeded()
    assert lab.kv("applications/web-app")["while_down"] == "yes"
    assert lab.play(SITE).succeeded().changed == 0


@pytest.fixture
def secrets(lab: Lab) -> Iterator[list[str]]:
    """Every secret that this lab knows of: shares, credentials, values."""
    store = json.loads((lab.credentials / "unseal-keys.json").read_text())
    found = [text for value in store.values() if isinstance(value, list) for text in value if isinstance(text, str)]
    assert len(found) >= 5, "the key store holds shares"
    found += [(lab.credentials / name).read_text().strip() for name in ("admin-secret-id", "operator-secret-id")]
    # generated or random values only: "5432" is a value, and no secret
    found += [value for value in lab.kv("applications/web-app").values() if len(value) >= 32]
    found += [value for value in lab.kv("cache/redis").values() if len(value) >= 20]
    found.append(lab.admin_token())
    found.append((lab.credentials / "ca" / "ca.key").read_text().splitlines()[1])
    yield [value for value in found if value]


def test_no_secret_is_in_any_output_journal_argument_or_temporary_file(lab: Lab, secrets: list[str]) -> None:
    arguments = set()
    process = subprocess.Popen(
        ["ansible-playbook", "-vvv", "-i", "inventories/demo", SITE],
        cwd=Path(__file__).resolve().parents[2],
        env=lab.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    output = []
    for line in process.stdout:
        output.append(line)
        if line.startswith("TASK ") or len(output) % 50 == 0:
            arguments.add(
                subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
            )
    assert process.wait() == 0
    lab.outputs.append("".join(output))

    places = {f"output {number}": text for number, text in enumerate(lab.outputs)}
    places.update({f"ps {number}": text for number, text in enumerate(arguments)})
    places.update({f"journal of {host}": lab.ssh(host, "journalctl --no-pager") for host in lab.urls})
    for host in lab.urls:
        places[f"temporary files of {host}"] = lab.ssh(
            host, "find /tmp /var/tmp /root/.ansible -type f -size -5M -exec cat {} + 2>/dev/null || true"
        )
    hits = [place for place, text in places.items() if any(secret in text for secret in secrets)]
    wanted = [secret.encode() for secret in secrets]
    # the authority is the first that the lab makes: what was last changed before it holds no secret of this lab
    made = min(file.stat().st_ctime for file in lab.ca_cert.parent.iterdir())
    for folder in ("/tmp", "/dev/shm", Path.home() / ".ansible"):
        # os.walk passes over what another program removes meanwhile
        for parent, _folders, names in os.walk(folder):
            for file in (Path(parent) / name for name in names):
                with suppress(FileNotFoundError):
                    state = file.lstat()
                    if stat.S_ISREG(state.st_mode) and state.st_size < 5_000_000 and state.st_ctime >= made:
                        content = file.read_bytes()
                        hits += [str(file) for secret in wanted if secret in content]
    assert len(arguments) >= 5
    assert hits == []


STEPS = {
    "install": "Create the user",
    "tls": "Sign the certificate",
    "configure": "Write the server's configuration",
    "harden": "Write the unit's drop-in",
    "service": "Conclude what is pending",
    "init": "Initialise the cluster once",
    "unseal": "Unseal what is sealed",
    "administer": "Set autopilot and wait for the voters",
}


@pytest.fixture(scope="module")
def another_shell(lab: Lab) -> Iterator[None]:
    """The account of the servers with a shell, so that every step of a server has something to do."""

    def set_shell(shell: str) -> None:
        for host in lab.urls:
            lab.ssh(host, f"usermod --shell {shell} openbao")

    set_shell("/bin/sh")
    yield
    set_shell("/usr/sbin/nologin")


@pytest.mark.parametrize("tag", STEPS)
def test_each_tag_runs_its_step_and_no_other(lab: Lab, another_shell: None, tag: str) -> None:
    # a step of a server that has nothing to do is not run, and one that has takes those after it along
    play = lab.play("playbooks/vault.yml", "--check", "--tags", tag).succeeded()
    assert set(play.changed_tasks()) == ({"Create the user"} if tag == "install" else set())
    ran = {name for name, task in STEPS.items() if f": {task}]" in play.output}
    assert ran == {tag}
