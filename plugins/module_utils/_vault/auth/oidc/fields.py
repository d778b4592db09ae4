# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The fields of all objects of OIDC. Pure: no I/O."""

from __future__ import annotations

from ...._engine import normalise
from ...._engine.field import normalisers
from ...._engine.normalise import Normaliser
from ...base.normalisers import default
from ...base.typed_field import TypedField

FIELDS = (
    TypedField(
        "type",
        "Type of the object.",
        choices=("key", "role", "scope", "assignment", "client", "provider"),
        sent=False,
    ),
    TypedField(
        "name",
        "Name of the object, unique among those of its type.",
        sent=False,
    ),
    TypedField(
        "algorithm",
        "Signature algorithm of a V(key); V(RS256) by default.",
        choices=("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"),
        normaliser=default("RS256"),
        of=("key",),
    ),
    TypedField(
        "rotation_period",
        "How often a V(key) is rotated, a duration of a minute or more.",
        normaliser=normalise.duration,
        of=("key",),
    ),
    TypedField(
        "verification_ttl",
        "How long tokens of a V(key) can be verified after its rotation, a duration.",
        normaliser=normalise.duration,
        of=("key",),
    ),
    TypedField(
        "allowed_client_ids",
        (
            (
                "IDs of the clients and roles that may use a V(key), or of the clients that may use a V(provider); "
                "V(*) for all."
            ),
            "For a V(provider) names of clients are accepted as well.",
        ),
        type="list",
        elements="str",
        of=(
            "key",
            "provider",
        ),
    ),
    TypedField(
        "key",
        "Name of the key that signs tokens of a V(role) or a V(client). That of a client cannot be changed.",
        normaliser=default("default"),
        of=(
            "role",
            "client",
        ),
    ),
    TypedField(
        "template",
        "Claims of a V(role) or a V(scope), a template of JSON as text or as data.",
        type="raw",
        normaliser=normalise.document_form,
        of=(
            "role",
            "scope",
        ),
    ),
    TypedField(
        "client_id",
        "Audience of the tokens of a V(role); by default the server generates one.",
        of=("role",),
    ),
    TypedField(
        "ttl",
        "How long tokens of a V(role) are valid, a duration.",
        normaliser=normalise.duration,
        of=("role",),
    ),
    TypedField(
        "description",
        "Description of a V(scope) for people.",
        normaliser=normalise.text,
        of=("scope",),
    ),
    TypedField(
        "entity_ids",
        "Names or IDs of the entities of an V(assignment); V(*) for all.",
        type="list",
        elements="str",
        of=("assignment",),
    ),
    TypedField(
        "group_ids",
        "Names or IDs of the groups of an V(assignment); V(*) for all.",
        type="list",
        elements="str",
        of=("assignment",),
    ),
    TypedField(
        "redirect_uris",
        "Addresses of a V(client) that the server may redirect people to.",
        type="list",
        elements="str",
        of=("client",),
    ),
    TypedField(
        "assignments",
        "Names of the assignments of a V(client), such as V(allow_all).",
        type="list",
        elements="str",
        of=("client",),
    ),
    TypedField(
        "client_type",
        "Whether a V(client) can keep a secret; V(confidential) by default. It cannot be changed.",
        choices=("confidential", "public"),
        normaliser=default("confidential"),
        of=("client",),
    ),
    TypedField(
        "id_token_ttl",
        "How long ID tokens of a V(client) are valid, a duration.",
        normaliser=normalise.duration,
        of=("client",),
    ),
    TypedField(
        "access_token_ttl",
        "How long access tokens of a V(client) are valid, a duration.",
        normaliser=normalise.duration,
        of=("client",),
    ),
    TypedField(
        "authorization_code",
        "Whether a V(client) may use the authorization code flow (OpenBao).",
        type="bool",
        of=("client",),
    ),
    TypedField(
        "client_credentials",
        "Whether a V(client) may use the client credentials flow (OpenBao).",
        type="bool",
        of=("client",),
    ),
    TypedField(
        "issuer",
        "Address of the server in the issuer of a V(provider), without a path; by default the server's own.",
        of=("provider",),
    ),
    TypedField(
        "scopes_supported",
        "Names of the scopes of a V(provider).",
        type="list",
        elements="str",
        of=("provider",),
    ),
)


def of_type(kind: str) -> dict[str, Normaliser]:
    """Return the fields of a type, each with its normaliser."""
    return normalisers(field for field in FIELDS if kind in field.of)
