# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Errors of the Kubernetes client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._engine.errors import NoAnswer, ServerError
from .._http import failure

WORDS = failure.Words(
    "the API server",
    "check that the API server runs, and the kubeconfig's address",
    "use an address that is in the certificate",
    "set \"ca_cert\" or the kubeconfig's certificate-authority to the cluster's CA",
    'check "client_cert" and "client_key", or the kubeconfig\'s',
)


class KubernetesError(ServerError):
    """An error answer of the API server. ``reason``: that of its Status; ``body``: the Status."""

    reason = ""
    body: Mapping[str, Any] = {}


class Unreachable(KubernetesError, NoAnswer):
    """No API server answered, or it is not trusted."""


class NotKubernetes(KubernetesError):
    """The answer does not come from an API server, but perhaps from a proxy in between."""

    code = "not_kubernetes"
    ends_task = True


class Forbidden(KubernetesError):
    """401, 403: the credentials are invalid or not allowed to do this."""

    code = "permission_denied"


class Unauthorized(Forbidden):
    """401: the credentials are missing, invalid or expired."""

    code = "unauthorized"
    ends_task = True


class Conflict(KubernetesError):
    """409: another field manager owns the field, or the object has changed meanwhile."""

    code = "conflict"


class Refused(KubernetesError):
    """400, 422 and similar: the server refuses the request."""

    code = "refused"


class Missing(KubernetesError):
    """404: the object or its namespace does not exist."""

    code = "missing"


class NotServed(KubernetesError):
    """The API server does not know the group, the version or the kind."""

    code = "not_served"
