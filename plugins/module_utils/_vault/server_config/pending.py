# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What a running node still has to do to run as declared: reload, restart. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import products

#: for each key of a configuration a digest of its value and one of the part that only a start reads
Fingerprints = Mapping[str, Sequence[Any]]
WHOLE, FIXED, DEVICES = 0, 1, 2
_ABSENT = ("", "")


def pending(
    product: str,
    desired: Fingerprints,
    started: Fingerprints | None,
    loaded: Fingerprints | None,
    restart_because: Sequence[str] = (),
    reload_because: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what a running node needs to run as declared: C(reload), C(restart) and the reasons of each.

    The configurations are told by their `Fingerprints`. C(started) and C(loaded) are those with which the process was
    started and last reloaded; C(None) for the former means that nobody knows, which only a restart settles.
    """
    reloadable = products.product(product).reloadable_keys
    if started is None:
        return {
            "restart": True,
            "reload": False,
            "reload_reasons": [],
            "restart_reasons": ["it was started before this role recorded with which configuration"],
        }
    now = loaded if loaded is not None else started

    def differs(other: Fingerprints, key: str, which: int) -> bool:
        # without the key there is nothing to tell apart
        return desired.get(key, _ABSENT)[which] != other.get(key, _ABSENT)[which]

    restart = [
        "configuration: %s" % key
        for key in sorted(set(desired) | set(started))
        if key not in reloadable and differs(started, key, FIXED)
    ]
    reload = [
        "configuration: %s" % key
        for key in sorted(set(desired) | set(now))
        if (key in reloadable or key == "listener")
        and differs(now, key, WHOLE)
        and (key in reloadable or not differs(now, key, FIXED))
    ]
    restart += [str(reason) for reason in restart_because]
    reload += [str(reason) for reason in reload_because]
    return {"restart": bool(restart), "reload": bool(reload), "restart_reasons": restart, "reload_reasons": reload}


def changed_devices(desired: Fingerprints, accepted: Fingerprints) -> list[str]:
    """Return the paths of the audit devices that are declared otherwise than a server has them.

    OpenBao adds devices of its configuration or removes them, and never changes one: it refuses the reload, and a node
    that starts with such a configuration can never lead.
    """
    wanted, present = (
        one["audit"][DEVICES] if len(one.get("audit", ())) > DEVICES else {} for one in (desired, accepted)
    )
    return sorted(path for path in wanted if path in present and wanted[path] != present[path])
