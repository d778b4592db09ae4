# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The fields of an auth method's mount, for all types. Those of its configuration are in `methods`. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Mapping

from ..._engine import normalise
from ..._engine.field import Field, normalisers
from ..base.normalisers import default
from . import registry

LOCK_OUT = ", ".join("C(%s)" % name for name, method in registry.METHODS.items() if method.locks_out)
FIELDS = (
    Field(
        "path",
        "Path of the mount, without C(auth/); by default the O(type).",
        sent=False,
    ),
    Field(
        "type",
        (
            "Type of the method, such as V(kubernetes), V(approle), V(jwt), V(oidc), V(userpass), V(ldap), V(cert) or "
            "V(aws). Cannot be changed later."
        ),
        fixed=True,
    ),
    Field(
        "description",
        "Description for people.",
    ),
    Field(
        "local",
        "Whether the mount is kept out of replication. Cannot be changed later.",
        type="bool",
        fixed=True,
    ),
    Field(
        "seal_wrap",
        "Whether the data of the mount is wrapped by the seal as well. Cannot be changed later.",
        type="bool",
        fixed=True,
    ),
    Field(
        "default_lease_ttl",
        "Default TTL of tokens, a duration; V(0) is the system's default.",
        normaliser=normalise.duration,
    ),
    Field(
        "max_lease_ttl",
        "Maximum TTL of tokens, a duration; V(0) is the system's maximum.",
        normaliser=normalise.duration,
    ),
    Field(
        "listing_visibility",
        "Whether the login page of the user interface shows the method.",
        choices=("hidden", "unauth"),
        # the server leaves "hidden" out when it is the default
        normaliser=lambda value: "" if value in (None, "hidden") else str(value),
    ),
    Field(
        "token_type",
        "Type of the tokens that the method issues.",
        choices=("default-service", "default-batch", "service", "batch"),
        normaliser=default("default-service"),
    ),
    Field(
        "passthrough_request_headers",
        "Request headers that are passed to the method.",
        type="list",
        elements="str",
    ),
    Field(
        "allowed_response_headers",
        "Response headers that the method may set.",
        type="list",
        elements="str",
    ),
    Field(
        "audit_non_hmac_request_keys",
        "Keys of requests that audit devices write in the clear.",
        type="list",
        elements="str",
    ),
    Field(
        "audit_non_hmac_response_keys",
        "Keys of answers that audit devices write in the clear.",
        type="list",
        elements="str",
    ),
    Field(
        "user_lockout_config",
        (
            "When a user is locked out after failed logins, for methods of type %s." % LOCK_OUT,
            "Fields that are left out stay unchanged. C(0) means the server's default.",
        ),
        type="dict",
        fields=(
            Field(
                "lockout_threshold",
                "Number of failed logins.",
                type="int",
            ),
            Field(
                "lockout_duration",
                "How long the user is locked out, a duration.",
            ),
            Field(
                "lockout_counter_reset",
                "Time without a failed login after which the counter is reset, a duration.",
            ),
            Field(
                "lockout_disable",
                "Whether the lockout is disabled.",
                type="bool",
            ),
        ),
        sent=False,
    ),
    Field(
        "config",
        (
            (
                "Configuration of the method, with the fields of C(auth/PATH/config); for aws, of C(config/client) and "
                "C(config/identity) do."
            ),
            (
                "Durations, lists and certificates are compared by their meaning. Secrets are refused here, see "
                "O(secret_config)."
            ),
            (
                "A field that the server does not know is refused before anything is mounted. Where nobody can tell, "
                "as with a server that is newer than this collection, check mode warns, and a method that was made "
                "for it is removed again."
            ),
        ),
        type="dict",
        sent=False,
    ),
    Field(
        "secret_config",
        (
            (
                "Secret fields of the configuration, such as C(token_reviewer_jwt) (kubernetes), C(bindpass) (ldap), "
                "C(oidc_client_secret) (oidc) or C(secret_key) (aws)."
            ),
            (
                "They are never printed. Those that the server never returns follow O(update_secrets), and are "
                "sent along whenever another field changes."
            ),
        ),
        type="dict",
        secret=True,
        sent=False,
    ),
)

#: tunable fields of a mount
TUNE = normalisers(field for field in FIELDS if not field.fixed)
#: fields of the lockout, as the server answers them: their normalisers, and their names in a write
LOCKOUT: Mapping[str, tuple[normalise.Normaliser, str]] = {
    "lockout_threshold": (normalise.integer, "lockout_threshold"),
    "lockout_duration": (normalise.duration, "lockout_duration"),
    # names of the documentation that the server drops
    "lockout_counter_reset": (normalise.duration, "lockout_counter_reset_duration"),
    "lockout_disable": (normalise.boolean, "lockout_disable"),
}
#: fields that are fixed when the mount is created
FIXED = tuple(field.name for field in FIELDS if field.fixed)
