# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Environment variables for connections and logins. No other file of the collection reads them."""

from __future__ import annotations

import os


def _first(*names: str) -> str | None:
    return next((found for found in map(os.environ.get, names) if found), None)


def vault(*names: str) -> str | None:
    """Return the first non-empty of ``BAO_x`` and ``VAULT_x`` for each name x."""
    return _first(*(prefix + name for name in names for prefix in ("BAO_", "VAULT_")))


def kubernetes(*names: str) -> str | None:
    """Return the first non-empty of ``K8S_AUTH_x`` for each name x, as kubernetes.core reads them."""
    return _first(*("K8S_AUTH_" + name for name in names))


def kubeconfig() -> str:
    """Return the path of the kubeconfig (several, separated by colons) that kubectl would read."""
    return _first("KUBECONFIG") or os.path.expanduser("~/.kube/config")


def in_pod() -> bool:
    """Tell whether this is a container that Kubernetes runs."""
    return _first("KUBERNETES_SERVICE_HOST") is not None
