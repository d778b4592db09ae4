#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_secrets_engine
short_description: Manage secrets engines of Vault or OpenBao
version_added: 0.1.0
description:
  - Mounts, tunes, configures and removes secrets engines, one or many in one task over one login and one read of all mounts.
  - An engine of another type at the path, a fixed setting that differs, or a type that the server does not have is an error before anything changes.
  - Removing an engine deletes all data in it.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
options:
  path: &path
    description:
      - Path at which the engine is mounted.
      - For the built-in mounts V(identity), V(sys) and V(cubbyhole), C(audit_non_hmac_request_keys) and C(audit_non_hmac_response_keys) of O(tune)
        can be declared, nothing else.
    type: str
  type: &type
    description: Type of the engine, such as V(kv), V(pki) or V(transit). V(kv-v1) and V(kv-v2) are V(kv) with a version. Needed unless it is to be
      absent.
    type: str
  description: &description
    description: Description for people.
    type: str
  options: &options
    description: Mount options, such as C(version) for V(kv). Without a version a new V(kv) engine has version 1.
    type: dict
  local: &local
    description: Keep the engine out of replication. Fixed after creation.
    type: bool
  seal_wrap: &seal_wrap
    description: Wrap critical values by the seal. Fixed after creation.
    type: bool
  external_entropy_access: &external_entropy_access
    description: Let the engine use an external source of entropy. Fixed after creation.
    type: bool
  upgrade: &upgrade
    description: Permit the upgrade of a KV engine from version 1 to version 2, which cannot be undone and changes the API paths of its secrets.
    type: bool
    default: false
  tune: &tune
    description: Settings that can be changed at any time. Fields that are left out stay unchanged.
    type: dict
    suboptions:
      default_lease_ttl:
        description: Default TTL of leases, a duration; V(0), V(system) or an empty text for the server's default.
        type: str
      max_lease_ttl:
        description: Maximum TTL of leases, a duration; V(0), V(system) or an empty text for the server's limit.
        type: str
      listing_visibility:
        description: Whether the mount is shown to clients without a token.
        type: str
        choices: [hidden, unauth]
      audit_non_hmac_request_keys:
        description: Keys of requests that audit devices write in the clear.
        type: list
        elements: str
      audit_non_hmac_response_keys:
        description: Keys of answers that audit devices write in the clear.
        type: list
        elements: str
      passthrough_request_headers:
        description: Request headers that are passed to the engine.
        type: list
        elements: str
      allowed_response_headers:
        description: Response headers that the engine may set.
        type: list
        elements: str
      allowed_managed_keys:
        description: Managed keys that the engine may use (HashiCorp Vault Enterprise). Refused for OpenBao.
        type: list
        elements: str
      delegated_auth_accessors:
        description: Accessors of auth methods that the engine may delegate to (HashiCorp Vault). Refused for OpenBao.
        type: list
        elements: str
      identity_token_key:
        description: Key that signs the engine's plugin identity tokens (HashiCorp Vault). Refused for OpenBao.
        type: str
      plugin_version:
        description: Version of the plugin, such as V(v1.2.3). The one that runs counts where none is pinned.
        type: str
  config: &config
    description: Configuration of a KV engine of version 2. Fields that are left out stay unchanged.
    type: dict
    suboptions:
      max_versions:
        description: How many versions of a secret are kept; V(0) for the server's default of 10.
        type: int
      cas_required:
        description: Refuse writes without the version that they are based on.
        type: bool
      metadata_cas_required:
        description: Refuse changes of a secret's metadata without the version that they are based on (OpenBao).
        type: bool
      delete_version_after:
        description: How long a version is kept, a duration; V(0) for ever, V(-1s) for ever even against a secret's metadata.
        type: str
  engines:
    description: Many engines. Excludes O(path).
    type: list
    elements: dict
    suboptions:
      path:
        <<: *path
        required: true
      type: *type
      description: *description
      options: *options
      local: *local
      seal_wrap: *seal_wrap
      external_entropy_access: *external_entropy_access
      upgrade: *upgrade
      tune: *tune
      config: *config
      state:
        description: Whether this engine is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  purge:
    description:
      - Delete the engines of the namespace that are not declared.
      - As every engine holds data, each must be named again in O(purge_data); one that is in none of the lists makes the task fail before anything changes.
      - The server's own mounts, such as C(sys), C(identity) and C(cubbyhole), are never deleted.
    type: bool
    default: false
  purge_data:
    description: Paths of the engines that O(purge) may delete with all their data.
    type: list
    elements: str
    default: []
  protected:
    description: Paths of engines that O(purge) leaves alone.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Mount a KV engine of version 2
  secretops.vault_eso.vault_secrets_engine:
    path: secret
    type: kv-v2
    description: Applications' secrets
    config:
      max_versions: 10
      cas_required: false

- name: Mount all engines, and remove an old one with its data
  secretops.vault_eso.vault_secrets_engine:
    engines:
      - path: secret
        type: kv
        options:
          version: "2"
      - path: pki
        type: pki
        tune:
          max_lease_ttl: 87600h
    purge: true
    purge_data: [legacy]
    protected: [scratch]
"""

RETURN = r"""
results:
  description: One entry per engine.
  returned: always
  type: list
  elements: dict
  sample: [{kind: secrets engine, name: pki, action: update, changed: true, fields: [tune.max_lease_ttl], info: {path: pki, type: pki, accessor: pki_651ca671}}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
accessor:
  description: Accessor of the mount.
  returned: for a single engine that existed before
  type: str
  sample: kv_bdd9021e
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.mount import SecretsEngines


def main() -> None:
    converge(SecretsEngines())


if __name__ == "__main__":
    main()
