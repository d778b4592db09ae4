#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_oidc
short_description: Manage Vault or OpenBao as an OIDC provider
version_added: 0.1.0
description:
  - Manages keys, roles of identity tokens, scopes, assignments, clients and providers, in the order in which they need each other.
  - What is not declared stays as it is. The server's own key and provider V(default) and assignment V(allow_all) can be changed and never deleted.
  - The secret of a client is made by the server and is not read; its O(client_id) is in the result.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
options:
  type: &type
    description: Type of the object.
    type: str
    choices: [key, role, scope, assignment, client, provider]
  name: &name
    description: Name of the object, unique among those of its type.
    type: str
  algorithm: &algorithm
    description: Signature algorithm of a V(key); V(RS256) by default.
    type: str
    choices: [RS256, RS384, RS512, ES256, ES384, ES512, EdDSA]
  rotation_period: &rotation_period
    description: How often a V(key) is rotated, a duration of a minute or more.
    type: str
  verification_ttl: &verification_ttl
    description: How long tokens of a V(key) can be verified after its rotation, a duration.
    type: str
  allowed_client_ids: &allowed_client_ids
    description:
      - IDs of the clients and roles that may use a V(key), or of the clients that may use a V(provider); V(*) for all.
      - For a V(provider) names of clients are accepted as well.
    type: list
    elements: str
  key: &key
    description: Name of the key that signs tokens of a V(role) or a V(client). That of a client cannot be changed.
    type: str
  template: &template
    description: Claims of a V(role) or a V(scope), a template of JSON as text or as data.
    type: raw
  client_id: &client_id
    description: Audience of the tokens of a V(role); by default the server generates one.
    type: str
  ttl: &ttl
    description: How long tokens of a V(role) are valid, a duration.
    type: str
  description: &description
    description: Description of a V(scope) for people.
    type: str
  entity_ids: &entity_ids
    description: Names or IDs of the entities of an V(assignment); V(*) for all.
    type: list
    elements: str
  group_ids: &group_ids
    description: Names or IDs of the groups of an V(assignment); V(*) for all.
    type: list
    elements: str
  redirect_uris: &redirect_uris
    description: Addresses of a V(client) that the server may redirect people to.
    type: list
    elements: str
  assignments: &assignments
    description: Names of the assignments of a V(client), such as V(allow_all).
    type: list
    elements: str
  client_type: &client_type
    description: Whether a V(client) can keep a secret; V(confidential) by default. It cannot be changed.
    type: str
    choices: [confidential, public]
  id_token_ttl: &id_token_ttl
    description: How long ID tokens of a V(client) are valid, a duration.
    type: str
  access_token_ttl: &access_token_ttl
    description: How long access tokens of a V(client) are valid, a duration.
    type: str
  authorization_code: &authorization_code
    description: Whether a V(client) may use the authorization code flow (OpenBao).
    type: bool
  client_credentials: &client_credentials
    description: Whether a V(client) may use the client credentials flow (OpenBao).
    type: bool
  issuer: &issuer
    description: Address of the server in the issuer of a V(provider), without a path; by default the server's own.
    type: str
  scopes_supported: &scopes_supported
    description: Names of the scopes of a V(provider).
    type: list
    elements: str
  objects:
    description: Many objects. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      type:
        <<: *type
        required: true
      name:
        <<: *name
        required: true
      algorithm: *algorithm
      rotation_period: *rotation_period
      verification_ttl: *verification_ttl
      allowed_client_ids: *allowed_client_ids
      key: *key
      template: *template
      client_id: *client_id
      ttl: *ttl
      description: *description
      entity_ids: *entity_ids
      group_ids: *group_ids
      redirect_uris: *redirect_uris
      assignments: *assignments
      client_type: *client_type
      id_token_ttl: *id_token_ttl
      access_token_ttl: *access_token_ttl
      authorization_code: *authorization_code
      client_credentials: *client_credentials
      issuer: *issuer
      scopes_supported: *scopes_supported
      state:
        description: Whether this object is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  purge:
    description: Delete the objects of every type that are not declared, except those in O(protected).
    type: bool
    default: false
  protected:
    description: Names that O(purge) never deletes.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Let the wiki log people in by Vault
  secretops.vault_eso.vault_oidc:
    objects:
      - type: key
        name: wiki
        allowed_client_ids: ["*"]
      - type: assignment
        name: staff
        group_ids: [staff]
      - type: scope
        name: groups
        template: '{"groups": {{ "{{" }}identity.entity.groups.names{{ "}}" }}}'
      - type: client
        name: wiki
        key: wiki
        assignments: [staff]
        redirect_uris: [https://wiki.example.com/oidc/callback]
      - type: provider
        name: company
        allowed_client_ids: [wiki]
        scopes_supported: [groups]
"""

RETURN = r"""
results:
  description: One entry per object.
  returned: always
  type: list
  elements: dict
  sample: [{kind: OIDC client, name: wiki, action: create, changed: true, fields: [key], info: {type: client, name: wiki, client_id: x1}}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth.oidc.kind import Oidc
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge


def main() -> None:
    converge(Oidc())


if __name__ == "__main__":
    main()
