# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Environment variables for connections and logins. No other file of the collection reads them.

``docs/environment.md`` is written from the tables by ``make generate``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

#: variables by option, in the order in which they are tried
Table = Mapping[str, Sequence[str]]


def _products(*names: str) -> tuple[str, ...]:
    """Return ``BAO_x`` and ``VAULT_x`` for each name x."""
    return tuple(prefix + name for name in names for prefix in ("BAO_", "VAULT_"))


VAULT: Table = {
    "url": _products("ADDR"),
    "namespace": _products("NAMESPACE"),
    "ca_cert": _products("CACERT"),
    "validate_certs": _products("SKIP_VERIFY"),
    "tls_server_name": _products("TLS_SERVER_NAME"),
    "client_cert": _products("CLIENT_CERT"),
    "client_key": _products("CLIENT_KEY"),
    "proxy": _products("PROXY_ADDR", "HTTP_PROXY"),
    "token": _products("TOKEN"),
    # AWX's built-in credential type sets these with VAULT_
    "role_id": _products("APPROLE_ROLE_ID"),
    "secret_id": _products("APPROLE_SECRET_ID"),
}
# those of kubernetes.core, and the names of its options
KUBERNETES: Table = {
    "kubeconfig": ("K8S_AUTH_KUBECONFIG",),
    "context": ("K8S_AUTH_CONTEXT",),
    "host": ("K8S_AUTH_HOST",),
    "api_key": ("K8S_AUTH_API_KEY",),
    "ca_cert": ("K8S_AUTH_CA_CERT", "K8S_AUTH_SSL_CA_CERT"),
    "client_cert": ("K8S_AUTH_CLIENT_CERT", "K8S_AUTH_CERT_FILE"),
    "client_key": ("K8S_AUTH_CLIENT_KEY", "K8S_AUTH_KEY_FILE"),
    "validate_certs": ("K8S_AUTH_VALIDATE_CERTS", "K8S_AUTH_VERIFY_SSL"),
    "proxy": ("K8S_AUTH_PROXY",),
    "no_proxy": ("K8S_AUTH_NO_PROXY",),
    "impersonate_user": ("K8S_AUTH_IMPERSONATE_USER",),
}
#: what variables of other programs are for, and their names; libraries under both clients read the last two groups
OTHERS: Table = {
    "Files of kubectl; not where a kubeconfig or `host` with a credential is given": ("KUBECONFIG",),
    "Proxy for https and for http, and hosts that are reached without one; not where the option `proxy` or one of its"
    " variables is set": ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"),
    "CA certificates for Vault; not where `ca_cert` or one of its variables is set": (
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ),
}
#: set in every container of Kubernetes
IN_POD = "KUBERNETES_SERVICE_HOST"


def _first(names: Sequence[str]) -> str | None:
    return next((found for found in map(os.environ.get, names) if found), None)


def vault(option: str) -> str | None:
    """Return the value for an option of the Vault modules, None when no variable has one."""
    return _first(VAULT.get(option, ()))


def kubernetes(option: str) -> str | None:
    """Return the value for an option of the Kubernetes modules, None when no variable has one."""
    return _first(KUBERNETES[option])


def kubeconfig() -> str:
    """Return the path of the kubeconfig (several, separated by colons) that kubectl would read."""
    return os.environ.get("KUBECONFIG") or os.path.expanduser("~/.kube/config")


def in_pod() -> bool:
    """Tell whether this is a container that Kubernetes runs."""
    return bool(os.environ.get(IN_POD))
