# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upgrade takes away, and what it took."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.secretops.vault_eso.plugins.filter.rolling_mounts import FilterModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault import products

FILTERS = FilterModule().filters()
leaving, lost, silent = (FILTERS["vault_rolling_" + name] for name in ("leaving", "lost", "silent"))


def mount(path: str, kind: str, namespace: str = "", **changes: Any) -> dict[str, Any]:
    """Return what vault_info says of a mount that answers."""
    category = "auth" if path.startswith("auth/") else "secret"
    known = {"version": "v2.6.2+builtin.bao", "external": False, "answers": True, "category": category}
    return {"namespace": namespace, "path": path, "type": kind, **known, **changes}


KV, LDAP, INSIDE = mount("secret", "kv"), mount("auth/ldap", "ldap"), mount("auth/staff", "radius", "team/a")


def test_what_leaves_is_told_with_its_namespace_and_what_to_do() -> None:
    found = leaving([KV, LDAP, INSIDE], "openbao", ["2.7.2"])
    assert [one.split()[0] for one in found] == ["auth/ldap", "team/a/auth/staff"]
    assert "before 2.7" in found[0] and "external plugin" in found[0]


@pytest.mark.parametrize(
    ("mounts", "product", "targets", "given_up"),
    [
        ([KV, LDAP], "openbao", ["2.6.3"], []),
        ([LDAP], "vault", ["2.0.0"], []),
        ([LDAP, INSIDE], "openbao", ["2.7.2"], ["auth/ldap/", "team/a/auth/staff"]),
        ([{**LDAP, "external": True}], "openbao", ["2.7.2"], []),
        ([mount("own", "our-plugin"), mount("sys", "system")], "openbao", ["2.7.2"], []),
        ([mount("", "", "team", answers=None)], "openbao", ["2.7.2"], []),
    ],
)
def test_what_stays_or_is_given_up_is_no_reason(
    mounts: list[dict[str, Any]], product: str, targets: list[str], given_up: list[str]
) -> None:
    assert leaving(mounts, product, targets, given_up) == []


def test_one_namespace_gives_up_nothing_of_another() -> None:
    assert leaving([LDAP, {**LDAP, "namespace": "team"}], "openbao", ["2.7.2"], ["team/auth/ldap"]) != []


def test_everything_that_leaves_a_product_is_seen() -> None:
    for name, product in products.PRODUCTS.items():
        for category, spans in (("auth", product.auth_methods), ("secret", product.secrets_engines)):
            for kind, span in spans.items():
                path = ("auth/" if category == "auth" else "") + "m"
                found = leaving([mount(path, kind)], name, [span.until or "99.0"])
                assert bool(found) == bool(span.until), (name, kind)


def test_a_mount_is_lost_that_answered_before() -> None:
    dead = {**LDAP, "answers": False}
    assert lost([KV, dead], [KV, LDAP]) == ["auth/ldap"]
    assert lost([KV, dead], [KV, LDAP], ["auth/ldap"]) == []
    assert lost([KV, dead], [KV, dead]) == [], "it did not answer before"
    assert lost([KV], [KV, LDAP]) == [], "it was deleted"
    assert silent([KV, dead, mount("", "", "team", answers=None)]) == ["auth/ldap", "namespace team (sealed)"]


def test_what_are_no_mounts_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="vault_info"):
        leaving("x", "openbao", [])
    with pytest.raises(AnsibleFilterError, match="product"):
        leaving([LDAP], "bao", ["2.7"])
