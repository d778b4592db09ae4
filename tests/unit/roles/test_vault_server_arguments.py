# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role vault_server: its argument specification, its defaults and the product data speak of the same things."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault import products
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server_config.stanzas import SEAL_REQUIRED

ROLE = Path(__file__).parents[3] / "roles" / "vault_server"
OPTIONS = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]


def test_each_variable_is_described_and_has_a_default():
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    assert set(defaults) == set(OPTIONS)
    assert all(name.startswith("vault_server_") for name in defaults)


def test_each_key_of_the_wish_is_a_variable():
    declaration = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__vault_server_declared"]
    # The licence is declared by its file on the controller and rendered by its path on the node.
    names = {"license_file" if name == "license_path" else name for name in declaration}
    assert {"vault_server_" + name for name in names} <= set(OPTIONS)


@pytest.mark.parametrize("variable", ["listener", "telemetry"])
def test_each_typed_option_is_known_to_a_product_or_refused_with_a_remedy(variable):
    known = set(products.REMOVED_LISTENER_KEYS)
    for product in products.PRODUCTS.values():
        known |= product.listener_keys if variable == "listener" else product.telemetry_keys
    assert set(OPTIONS["vault_server_" + variable]["options"]) <= known


def test_each_seal_of_a_product_can_be_declared():
    seals = OPTIONS["vault_server_seals"]["options"]
    for product in products.PRODUCTS.values():
        assert set(product.seals) <= set(seals["type"]["choices"])
    for name, required in SEAL_REQUIRED.items():
        assert set(required) <= set(seals[name]["options"])


def test_secret_options_are_kept_out_of_output():
    secret = set()
    for product in products.PRODUCTS.values():
        for kind, options in product.seal_environment.items():
            secret |= {(kind, option) for option in options}
    for kind, option in secret:
        assert OPTIONS["vault_server_seals"]["options"][kind]["options"][option].get("no_log") is True


def test_tasks_name_no_product():
    """What differs between the products is data: a task that compares names would be a second place."""
    for path in (ROLE / "tasks").glob("*.yml"):
        assert not re.search(r"vault_server_product\s*==", path.read_text()), path.name
