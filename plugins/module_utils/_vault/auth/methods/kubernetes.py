# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Kubernetes: service accounts log in with their tokens. Source: /api-docs/auth/kubernetes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

from ...._engine import jwt, normalise
from ...._engine.errors import InvalidInput
from ...base import valid
from ...base.normalisers import default, on_by_default
from ...connection.client import Client
from ...connection.login import AUTH_ROLE, Login, read_secret_file
from ...products import VAULT
from ..method_type import FORMER, Config, Entries, MethodField, MethodType, Values
from .jwt import JWT_OPTIONS

TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token"
#: a reviewer token must be valid for at least this many seconds
SOON = 30 * 24 * 3600
#: HashiCorp Vault 1.21 warns as well, and a later one is to refuse it
NO_AUDIENCE = (
    'it has no "audience", so a token that a service account got for any other recipient is accepted as well, and '
    "versions to come refuse that; set it to the audience of the tokens that log in (shown once for all roles of the "
    "task)"
)


class KubernetesLogin(Login):
    """Source: /api-docs/auth/kubernetes#login. Inside a pod the service account's own token is the default."""

    method = "kubernetes"
    secret_files = ("jwt_file",)
    options = (AUTH_ROLE, *JWT_OPTIONS)

    def validate(self) -> None:
        self.need("auth_role")
        if not self.params.get("jwt") and not self.params.get("jwt_file") and not os.path.exists(TOKEN_FILE):
            self.need("jwt")

    def ask(self, client: Client, mount: str) -> Any:
        given = self.params.get("jwt") or self.params.get("jwt_file")
        token = self.value("jwt") if given else read_secret_file(TOKEN_FILE, "jwt_file")
        return client.api.auth.kubernetes.login(self.params["auth_role"], token, use_token=False, mount_point=mount)


def review(config: Values) -> Iterator[str]:
    """Refuse a reviewer token that expires soon: nothing renews it, and every login fails after that."""
    end = jwt.expiry(str(config.get("token_reviewer_jwt") or ""))
    if end is None:
        return
    text = "its token_reviewer_jwt expires at %s, and every login fails after that" % time.strftime(
        "%Y-%m-%dT%H:%M:%SZ", time.gmtime(end)
    )
    remedy = (
        'leave it out and set "disable_local_ca_jwt", so that each token reviews itself, or give one without an '
        "end, of a Secret of the type kubernetes.io/service-account-token"
    )
    if end - time.time() < SOON:
        raise InvalidInput(text, remedy=remedy)
    yield "%s; %s" % (text, remedy)


CONFIG = Config(
    fields=(
        MethodField("kubernetes_host", normaliser=normalise.path, check=valid.not_empty),
        MethodField("kubernetes_ca_cert", normaliser=normalise.pem, check=valid.pem("CERTIFICATE")),
        MethodField(
            "pem_keys",
            normaliser=lambda value: sorted(normalise.pem_list(value)),
            check=valid.pem("(?:PUBLIC KEY|CERTIFICATE)"),
        ),
        MethodField("token_reviewer_jwt", normaliser=normalise.scalar, secret=True, told_by="token_reviewer_jwt_set"),
        MethodField("issuer", normaliser=normalise.scalar),
        MethodField("disable_iss_validation", normaliser=on_by_default),
        MethodField("disable_local_ca_jwt", normaliser=normalise.boolean),
        MethodField("use_annotations_as_alias_metadata", normaliser=normalise.boolean, only=VAULT),
    ),
    answered_only=frozenset(("token_reviewer_jwt_set",)),
    review=review,
)


def check_role(role: Values) -> None:
    """Refuse a role without bound service accounts. Raises InvalidInput."""
    if not role.get("bound_service_account_names"):
        raise InvalidInput("bound_service_account_names is empty", remedy="name the service accounts that may log in")
    if not role.get("bound_service_account_namespaces") and not role.get("bound_service_account_namespace_selector"):
        raise InvalidInput(
            "bound_service_account_namespaces is empty", remedy="name the namespaces, or give a namespace selector"
        )
    for name in ("bound_service_account_names", "bound_service_account_namespaces"):
        values = normalise.strings(role.get(name))
        if "*" in values and len(values) > 1:
            raise InvalidInput('%s has "*" and others' % name, remedy="keep one of the two")


def advise(role: Values) -> Iterator[str]:
    """Warn of a role that accepts tokens for any audience."""
    if not role.get("audience"):
        yield NO_AUDIENCE


FIELDS = (
    MethodField(
        "bound_service_account_names",
        "For kubernetes, names of the service accounts that may log in.",
        "list",
        "str",
        normaliser=normalise.string_set,
    ),
    MethodField(
        "bound_service_account_namespaces",
        "For kubernetes, namespaces of these service accounts.",
        "list",
        "str",
        normaliser=normalise.string_set,
    ),
    MethodField(
        "bound_service_account_namespace_selector",
        "For kubernetes, label selector of these namespaces, as JSON or YAML text, or as data.",
        "raw",
        normaliser=normalise.document_form,
    ),
    MethodField(
        "audience",
        (
            "For kubernetes, audience that a service account's token must have.",
            "A role without one gives a warning, once for all roles of a task.",
        ),
        normaliser=normalise.scalar,
    ),
    MethodField(
        "alias_name_source",
        "For kubernetes, the source of the alias name.",
        choices=("serviceaccount_uid", "serviceaccount_name"),
        normaliser=default("serviceaccount_uid"),
    ),
)
ROLES = Entries(
    fields=FIELDS,
    also=FORMER + " name",
    certain=frozenset(field.name for field in FIELDS),
    whole=check_role,
    advise=advise,
)

METHOD = MethodType("kubernetes", login=KubernetesLogin, config=CONFIG, entries=(ROLES,))
