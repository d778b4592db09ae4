# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from the fields of a kind."""

from __future__ import annotations

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine import field, normalise
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.field import Field

FIELDS = (
    Field("name", "Name of the object.", sent=False),
    Field("ttl", ("A duration.", "Empty for none."), normaliser=normalise.duration, fixed=True),
    Field("key_bits", "Size.", type="int", choices=(256, 384), default=256),
    Field("password", "Secret.", secret=True, write_only=True),
    Field("owners", "Who.", type="list", elements="dict", fields=(Field("mail", "Address.", required=True),)),
)


def test_options_say_whether_they_are_secret() -> None:
    spec = field.argument_spec(FIELDS)
    assert {name: one["no_log"] for name, one in spec.items() if one["no_log"]} == {"password": True}
    assert spec["key_bits"] == {"type": "int", "choices": [256, 384], "default": 256, "no_log": False}
    assert spec["owners"]["options"] == {"mail": {"type": "str", "required": True, "no_log": False}}


def test_only_what_the_server_has_is_compared() -> None:
    assert set(field.normalisers(FIELDS)) == {"ttl", "key_bits", "password", "owners"}
    assert field.normalisers(FIELDS)["ttl"]("1h") == field.normalisers(FIELDS)["ttl"](3600)
    assert field.duration_names(FIELDS) == field.fixed_names(FIELDS) == {"ttl"}
    assert field.secret_names(FIELDS) == field.write_only_names(FIELDS) == {"password"}


def test_documentation_has_what_the_options_have() -> None:
    found = field.documentation(FIELDS)
    assert found["ttl"] == {"description": ["A duration.", "Empty for none."], "type": "str"}
    assert found["key_bits"] == {"description": "Size.", "type": "int", "choices": [256, 384], "default": 256}
    assert found["owners"]["suboptions"] == {"mail": {"description": "Address.", "type": "str", "required": True}}


def test_the_same_fields_are_described_for_another_kind() -> None:
    other = field.described(FIELDS, {"name": "Name of the other.", "owners.mail": "Mail."})
    assert field.argument_spec(other) == field.argument_spec(FIELDS)
    changed = field.documentation(other)
    assert changed["name"]["description"] == "Name of the other."
    assert changed["owners"]["description"] == "Who."
    assert changed["owners"]["suboptions"]["mail"]["description"] == "Mail."
