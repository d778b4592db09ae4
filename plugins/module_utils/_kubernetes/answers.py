# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Turns answers of the API server into objects or errors with a remedy. Pure: no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .._engine import wording
from .._engine.secrets import KNOWN
from .._http import failure, rules
from .._http.transport import Answer
from .errors import (
    Conflict,
    Forbidden,
    KubernetesError,
    Missing,
    NotKubernetes,
    NotServed,
    Refused,
    Unauthorized,
    Unreachable,
)
from .kind import Object

#: discovery paths: 404 means that the group or version is not installed
_DISCOVERY = re.compile(r"/apis?(/[^/]+){0,2}")
#: kinds that describe the API and have no metadata
_DISCOVERED = re.compile(r"API(Versions|GroupList|Group|ResourceList)|Status")
#: paths whose answers are not objects
_NO_OBJECTS = re.compile(r"/(version|openapi/.*|openid/.*|\.well-known/.*)")


def object_of(answer: Answer, path: str, host: str) -> Object:
    """Return the object of a successful answer. Raises NotKubernetes when it does not come from an API server."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    if isinstance(found, dict):
        if _NO_OBJECTS.fullmatch(path):
            return found
        kind = found.get("kind")
        described = isinstance(kind, str) and (
            isinstance(found.get("metadata"), dict) or _DISCOVERED.fullmatch(kind) is not None
        )
        if described and isinstance(found.get("items"), (list, type(None))):
            return found
    raise _stranger(answer, host)


def _stranger(answer: Answer, host: str) -> NotKubernetes:
    if answer.status_code in rules.REDIRECTS:
        target = rules.redirect(answer.status_code, host + "/", str(answer.headers.get("Location") or ""), ()).target
        what = "it redirects (status %d) to %s, which is never followed" % (
            answer.status_code,
            target or "an address that is none",
        )
    else:
        what = "the server that answers is not a Kubernetes API server (%s)" % answer.about()
    error = NotKubernetes(what, host, "correct the address, or look at the proxy or load balancer in between")
    error.status = answer.status_code
    return error


def refusal(answer: Answer, path: str, host: str) -> KubernetesError:
    """Return the error for an answer with an error status."""
    code = answer.status_code
    try:
        status = answer.json()
    except ValueError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return _error(code, path, status, host)
    # an API server answers in plain text for unknown paths and when it is too busy
    plain = str(answer.headers.get("Content-Type") or "").startswith("text/plain")
    if code == 404 and plain and wording.no_path(answer.text()):
        if _DISCOVERY.fullmatch(path):
            return _error(code, path, {"message": "not served"}, host)
        return NotServed("the API server does not serve this path", path, "see that the CRD is installed")
    if plain and (code == 400 or code == 429 or code >= 500):
        return _error(code, path, {"message": answer.text()[:2000]}, host)
    return _stranger(answer, host)


def _error(code: int, path: str, status: Mapping[str, Any], host: str) -> KubernetesError:
    text = " ".join(KNOWN.scrub_foreign(status.get("message") or "status %d" % code).split())[:600]
    details = status.get("details")
    details = details if isinstance(details, Mapping) else {}
    error: KubernetesError
    unknown = wording.unknown_fields(text)
    if code == 401:
        error = Unauthorized(
            "the API server does not accept the credentials",
            host,
            "check the token or client certificate; it may have expired",
        )
    elif code == 403:
        error = _forbidden(text, path)
    elif code == 404:
        if details.get("kind") == "namespaces":
            error = Missing(
                'the namespace "%s" does not exist' % details.get("name"),
                remedy="create it first, or correct the name",
            )
        else:
            error = Missing("does not exist (%s)" % text, path)
    elif code == 409:
        error = Conflict(text, remedy="run again")
    elif unknown:
        error = Refused(
            "the installed CRD has no field %s" % ", ".join(unknown),
            remedy="correct the name, or upgrade the operator and its CRDs to a version that knows it",
        )
    elif code == 400 and wording.speaks_tls(text):
        error = Unreachable("the port speaks TLS only", host, "write https:// in the address")
        error.code, error.retryable = failure.TLS, False
    elif code in (400, 405, 415, 422):
        causes = [one for one in details.get("causes") or [] if isinstance(one, Mapping)]
        parts = [
            "%s: %s" % (cause.get("field") or "object", KNOWN.scrub_foreign(cause.get("message")))
            for cause in causes[:5]
        ]
        error = Refused("the API server refuses it: %s" % (" ".join("; ".join(parts).split())[:600] or text))
    elif wording.webhook_failed(text):
        error = Refused(
            "a webhook could not be called: %s" % text,
            remedy="check that the operator's webhook runs (Deployment external-secrets-webhook)",
        )
    else:
        error = KubernetesError("the API server answers %d: %s" % (code, text), path)
    error.status, error.said = code, text
    error.reason, error.body = str(status.get("reason") or ""), status
    return error


def _forbidden(text: str, path: str) -> KubernetesError:
    found = wording.denied(text)
    if found is None:
        # refused by admission: quota, a policy engine, a webhook
        return Forbidden("refused: %s" % text, path)
    where = 'in namespace "%s"' % found.namespace if found.namespace else "in the whole cluster"
    return Forbidden(
        '"%s" may not %s %s %s' % (found.user, found.verb, found.resource, where),
        remedy='allow the verb "%s" on resource "%s", API group "%s", by a %s'
        % (
            found.verb,
            found.resource,
            found.group,
            "Role and RoleBinding there" if found.namespace else "ClusterRole and ClusterRoleBinding",
        ),
    )
