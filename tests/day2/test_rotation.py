# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations on real hosts: the leader's host is lost in the middle, the controller is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import hvac
import pytest

from support.system import ROOT, Lab, Play

ROTATE = "playbooks/rotate.yml"
MANY = 40
Declared = Callable[..., tuple[str, str]]


def kv(lab: Lab) -> Any:
    """Return hvac's part for KV engines, at the leader."""
    return hvac.Client(url=lab.active(), verify=str(lab.ca_cert), token=lab.admin_token()).secrets.kv.v2


@pytest.fixture
def folder(lab: Lab) -> Iterator[str]:
    """Secrets that no application of the demo uses, and that look as if they were rotated long ago."""
    name, store = f"rotated-{time.time_ns()}", kv(lab)
    for number in range(MANY):
        path = f"{name}/app{number}"
        store.create_or_update_secret(path, {"password": f"first-{number}", "kept": str(number)})
        store.update_metadata(path, custom_metadata={"rotated_at": "2020-01-01T00:00:00Z"})
    yield name
    store = kv(lab)
    for number in range(MANY):
        store.delete_metadata_and_all_versions(f"{name}/app{number}")


def applications(folder: str) -> list[dict[str, Any]]:
    """Return the folder, and the application of the demo, which has an ExternalSecret and a Deployment."""
    place = {"namespace": "production", "name": "web-app"}
    return [
        {"name": "all", "path": f"{folder}/*", "generate": {"password": {"length": 30}}, "max_age": "1d"},
        {
            "name": "web-app",
            "path": "applications/web-app",
            "generate": {"api_key": {"format": "hex"}},
            "external_secrets": [place],
            "workloads": [place],
        },
    ]


def version(lab: Lab, path: str) -> int:
    return int(kv(lab).read_secret_metadata(path)["data"]["current_version"])


def restarted(lab: Lab) -> str:
    path = r"jsonpath={.spec.template.metadata.annotations.kubectl\.kubernetes\.io/restartedAt}"
    return lab.kubectl("get", "deployment", "-n", "production", "web-app", "-o", path)


def in_order(lab: Lab, folder: str, at: int) -> None:
    """Assert that each secret was rotated once, with its other key kept."""
    store = kv(lab)
    for number in range(MANY):
        path = f"{folder}/app{number}"
        held = store.read_secret_version(path, raise_on_deleted_version=True)["data"]
        assert held["data"]["kept"] == str(number) and len(held["data"]["password"]) == 30, path
        assert held["metadata"]["version"] == at, path


def test_the_leaders_host_is_lost_in_the_middle(lab: Lab, folder: str, declared: Declared, converged: None) -> None:
    before = version(lab, "applications/web-app")
    victim = next(host for host, url in lab.urls.items() if url == lab.active())
    plays: list[Play] = []
    options = declared(rotation_applications=applications(folder), rotation_batch=5)
    thread = threading.Thread(target=lambda: plays.append(lab.play(ROTATE, *options)))
    thread.start()
    deadline = time.monotonic() + 120
    store = kv(lab)
    while time.monotonic() < deadline:
        if store.read_secret_metadata(f"{folder}/app0")["data"]["current_version"] == 2:
            break
        time.sleep(0.05)
    lab.host("kill", victim)
    thread.join()
    plays[0].succeeded()
    in_order(lab, folder, 2)
    assert version(lab, "applications/web-app") == before + 1
    assert lab.secret("production", "web-app")["API_KEY"] == lab.kv("applications/web-app")["api_key"]


def test_without_a_leader_nothing_is_restarted(lab: Lab, folder: str, declared: Declared, converged: None) -> None:
    """Two of three hosts are lost before it begins: nothing is rotated, so nothing is restarted."""
    before = restarted(lab)
    lost = list(lab.urls)[:2]
    lab.host("kill", *lost)
    run = lab.play(ROTATE, *declared(rotation_applications=applications(folder), rotation_retry_timeout=5))
    assert run.rc != 0
    assert restarted(lab) == before


def test_the_controller_is_killed(lab: Lab, folder: str, declared: Declared) -> None:
    options = declared(rotation_applications=applications(folder), rotation_batch=5)
    chance = random.Random(4711)  # noqa: S311 - moments to kill at
    for _number in range(3):
        process = subprocess.Popen(
            ["ansible-playbook", "-i", "inventories/demo", ROTATE, *options],
            cwd=ROOT,
            env=lab.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(chance.uniform(6, 14))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    lab.play(ROTATE, *options).succeeded()
    in_order(lab, folder, 2)
    assert lab.secret("production", "web-app")["API_KEY"] == lab.kv("applications/web-app")["api_key"]
