# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A confirmation names what it confirms."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.filter.confirmation import confirmation


@pytest.mark.parametrize("given", ["vault", "other, vault", ["vault"], "other\nvault", '["vault"]'])
def test_the_clusters_own_name_confirms(given: Any) -> None:
    assert confirmation("vault", given, "restore_confirmed") == ""


@pytest.mark.parametrize("given", [True, "true", "yes", "True", 1, ["true"]])
def test_a_plain_yes_confirms_nothing(given: Any) -> None:
    said = confirmation("vault", given, "restore_confirmed")
    assert said.endswith("names no cluster; confirm by the name of each (-e restore_confirmed=vault)")


@pytest.mark.parametrize("given", ["", None, False, "false", []])
def test_without_one_it_is_said_how(given: Any) -> None:
    assert confirmation("vault", given, "restore_confirmed") == "confirm with -e restore_confirmed=vault"


def test_another_clusters_name_confirms_that_one_only() -> None:
    said = confirmation("vault", "vault-2", "restore_confirmed")
    assert said.startswith(
        "restore_confirmed names vault-2, and not vault: add it (-e restore_confirmed=vault-2,vault)"
    )


def test_a_cluster_that_is_called_true_is_confirmed_by_it() -> None:
    assert confirmation("true", "true", "restore_confirmed") == ""
