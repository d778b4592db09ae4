# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which numbers may be negative, in the options of all modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.numbers import SIGNED, check_numbers
from support.specs import argument_specs, walk

NUMBERS = {"int", "float"}


def placed(spec: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return options with one value, at a path."""
    name, *rest = path
    option = spec[name]
    inner = placed(option["options"], tuple(rest), value) if rest else value
    return {name: [inner] if option.get("type") == "list" else inner}


def test_numbers_that_may_be_negative_are_listed_by_name() -> None:
    refused, signed = set(), set()
    for module, spec in argument_specs().items():
        for path, option in walk(spec):
            if not NUMBERS & {option.get("type"), option.get("elements")}:
                continue
            check_numbers(placed(spec, path, 0), spec)
            try:
                check_numbers(placed(spec, path, -1), spec)
            except InvalidInput as error:
                assert path[-1] in str(error), (module, path)
                refused.add(path[-1])
            else:
                signed.add((module, path[-1]))
    assert signed == {
        ("vault_aws_config", "max_retries"),
        ("vault_database_connection", "max_idle_connections"),
        ("vault_database_connection", "max_open_connections"),
        ("vault_pki_ca", "max_path_length"),
        ("vault_pki_ca", "page_size"),
    }
    # no reason is given for an option that is gone
    assert {name for _module, name in signed} == set(SIGNED)
    assert {"retries", "workers", "timeout", "wait_timeout", "keep", "num_uses", "max_retries"} <= refused


def test_a_negative_number_is_told_with_its_place() -> None:
    spec = {"quotas": {"type": "list", "elements": "dict", "options": {"rate": {"type": "float"}}}}
    with pytest.raises(InvalidInput, match=r'option "quotas\[1\].rate": -0.5 is negative; give 0 or more'):
        check_numbers({"quotas": [{"rate": 1.0}, {"rate": -0.5}]}, spec)
