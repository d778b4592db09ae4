# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a purge deletes, and what it refuses to delete."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.resource import Resource
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.base import purge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.base.kind import RunContext


def gone(entry: Mapping[str, str]) -> Resource:
    assert entry["state"] == "absent"
    return Resource(entry["name"], None)


def declared(name: str) -> Resource:
    return Resource(name, {})


def names(resources: list[Resource]) -> list[str]:
    return [one.name for one in resources]


def test_what_is_neither_declared_nor_protected_goes() -> None:
    context = RunContext({"purge": True, "protected": ["root", "unknown"]})
    assert names(purge.undeclared(context, [declared("b")], ["c", "a", "root", "b"], gone)) == ["a", "c"]
    assert purge.undeclared(context, [declared("b")], [], gone) == []
    assert names(purge.undeclared(context, [declared("B")], ["b", "Root", "c"], gone, str.lower)) == ["c"]


def test_what_cannot_be_declared_again_is_named_twice() -> None:
    context = RunContext({"purge": True, "purge_data": ["a"]})
    assert names(purge.undeclared(context, [], ["a"], gone, loss="the data of %s")) == ["a"]
    with pytest.raises(InvalidInput, match='purge would delete the data of "b", "c"'):
        purge.undeclared(context, [], ["a", "b", "c"], gone, loss="the data of %s")


def test_every_loss_names_what_is_lost() -> None:
    from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines import transit

    assert transit.LOSS % '"key"' == '"key", and nobody could decrypt what was encrypted by them'
