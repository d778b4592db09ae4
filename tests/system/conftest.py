# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the system tests: the lab that VAULT_ESO_LAB names."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from support.system import Lab


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab that VAULT_ESO_LAB names."""
    return Lab(os.environ.get("VAULT_ESO_LAB") or "demo")


@pytest.fixture
def eventually() -> Callable[..., None]:
    """A function that waits until a check holds."""

    def wait(check: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not check():
            assert time.monotonic() < deadline, f"not within {seconds} seconds: {what}"
            time.sleep(0.5)

    return wait
