# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the day-2 tests: the converged lab that VAULT_ESO_LAB names, and a client that works all the time."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hvac
import pytest

from support.system import Lab
from support.traffic import Traffic

SITE = "playbooks/site.yml"


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab that VAULT_ESO_LAB names, converged."""
    return Lab(os.environ.get("VAULT_ESO_LAB") or "day2")


@pytest.fixture
def traffic(lab: Lab) -> Callable[..., Traffic]:
    """A function that makes a client which reads and writes until it is left: `with traffic() as client: ...`.

    Takes other addresses than those of the lab.
    """

    def log_in(urls: list[str]) -> str:
        credentials = [(lab.credentials / f"admin-{name}-id").read_text().strip() for name in ("role", "secret")]
        last: Exception | None = None
        for url in urls * 20:
            try:
                answer = hvac.Client(url=url, verify=str(lab.ca_cert), timeout=5).auth.approle.login(*credentials)
                return str(answer["auth"]["client_token"])
            except Exception as error:  # noqa: BLE001  (an election is going on)
                last = error
                time.sleep(0.5)
        raise AssertionError(f"no server takes the login: {last}")

    def client(urls: list[str] | None = None) -> Traffic:
        found = urls or list(lab.urls.values())
        return Traffic(found, str(lab.ca_cert), lambda: log_in(found))

    return client


@pytest.fixture
def declared(tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """A function that returns the options by which a play declares more: `lab.play(book, *declared(a=1))`."""

    def options(**variables: Any) -> tuple[str, str]:
        file = tmp_path / f"declared-{time.time_ns()}.json"
        file.write_text(json.dumps(variables))
        return "-e", f"@{file}"

    return options


@pytest.fixture
def canary(lab: Lab) -> Iterator[Callable[[], None]]:
    """A secret that a test writes first; the function asserts that it is as it was."""
    path, value = f"canary/{time.time_ns()}", f"canary-{time.time_ns()}"
    lab.bao("kv", "put", "-mount=secret", path, f"value={value}")

    def still_there() -> None:
        assert lab.kv(path) == {"value": value}

    yield still_there
    lab.bao("kv", "metadata", "delete", "-mount=secret", path)


@pytest.fixture
def converged(lab: Lab) -> Iterator[None]:
    """Leaves the lab as `site.yml` makes it, whatever the test did: hosts are started, links are up."""
    yield
    lab.host("start", *lab.urls)
    lab.host("heal", *lab.urls)
    lab.play(SITE).succeeded()
    assert lab.play(SITE).succeeded().changed == 0
