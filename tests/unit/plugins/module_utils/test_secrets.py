# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The register of secrets."""

from __future__ import annotations

import itertools
from typing import Callable

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.secret_names import FIELDS, SECRET_NAME
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.secrets import Secrets


def test_the_order_of_the_calls_does_not_matter() -> None:
    calls: list[Callable[[Secrets], None]] = [
        lambda secrets: secrets.add("shop", {"a": ["firm-1"]}),
        lambda secrets: secrets.add({"x": "applications", "y": "abc", "z": "loose-1", "n": 1}, unless_public=True),
        lambda secrets: secrets.public(["applications/shop/api", ""]),
    ]
    found = set()
    for order in itertools.permutations(calls):
        secrets = Secrets()
        for call in order:
            call(secrets)
            secrets.values()
        found.add(secrets.values())
    assert found == {frozenset(("shop", "firm-1", "loose-1"))}


def test_what_is_added_is_scrubbed_and_what_is_sent_too() -> None:
    secrets = Secrets()
    secrets.add(None, "", "Canary-1")
    assert secrets.scrub("got Canary-1") == "got (hidden)"
    assert secrets.scrub_foreign(b"Canary-1".hex(), {}) == "(hidden)"
    assert secrets.scrub_foreign("no Canary-2", {"password": "Canary-2"}) == "no (hidden)"
    assert secrets.scrub_foreign("no Canary-2") == "no Canary-2"
    secrets.forget()
    assert secrets.scrub("got Canary-1") == "got Canary-1"


def test_one_list_names_the_fields_that_hold_secrets() -> None:
    assert {name for name in FIELDS if not SECRET_NAME.search(name)} == set()
    assert not SECRET_NAME.search("bind_secret_id")
    assert not SECRET_NAME.search("secret_id_ttl")
