#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_configuration
short_description: Converge everything that is declared about the inside of Vault or OpenBao
version_added: 0.1.0
description:
  - Takes the lists that the modules for single kinds of objects take, all at once, also for namespaces, and converges them in the
    order in which they need each other, over one login and one pool of connections.
  - One task takes as long as one module does, where a task for each kind would take that time for each.
  - Everything declared is checked before the first object is changed.
  - An object that fails is named, the others go on, and the task fails. When anything failed, nothing is deleted.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile.update_secrets
options:
  configuration:
    description:
      - Lists of objects by kind. Their entries are those of the modules' options for many objects, documented there.
      - C(audit_devices) as O(secretops.vault_eso.vault_audit#module:devices).
      - C(audited_headers) as O(secretops.vault_eso.vault_audited_header#module:headers).
      - C(cors) as O(secretops.vault_eso.vault_cors#module:configurations).
      - C(ui_headers) as O(secretops.vault_eso.vault_ui_header#module:headers).
      - C(namespaces) as O(secretops.vault_eso.vault_namespace#module:namespaces).
      - C(auth_methods) as O(secretops.vault_eso.vault_auth#module:methods).
      - C(secrets_engines) as O(secretops.vault_eso.vault_secrets_engine#module:engines).
      - C(password_policies) as O(secretops.vault_eso.vault_password_policy#module:policies).
      - C(policies) as O(secretops.vault_eso.vault_policy#module:policies).
      - C(auth_roles) as O(secretops.vault_eso.vault_auth_role#module:roles).
      - C(identity_entities) as O(secretops.vault_eso.vault_identity_entity#module:entities).
      - C(identity_groups) as O(secretops.vault_eso.vault_identity_group#module:groups).
      - C(oidc) as O(secretops.vault_eso.vault_oidc#module:objects).
      - C(login_mfa_methods) as O(secretops.vault_eso.vault_login_mfa#module:methods).
      - C(quotas) as O(secretops.vault_eso.vault_quota#module:quotas).
      - C(pki_cas) as O(secretops.vault_eso.vault_pki_ca#module:authorities).
      - C(pki_roles) as O(secretops.vault_eso.vault_pki_role#module:roles).
      - C(pki_acme) as O(secretops.vault_eso.vault_pki_acme#module:configurations).
      - C(transit_keys) as O(secretops.vault_eso.vault_transit_key#module:keys).
      - C(ssh_cas) as O(secretops.vault_eso.vault_ssh_ca#module:authorities).
      - C(ssh_roles) as O(secretops.vault_eso.vault_ssh_role#module:roles).
      - C(database_connections) as O(secretops.vault_eso.vault_database_connection#module:connections).
      - C(database_roles) as O(secretops.vault_eso.vault_database_role#module:roles).
      - C(aws_configs) as O(secretops.vault_eso.vault_aws_config#module:configs).
      - C(aws_roles) as O(secretops.vault_eso.vault_aws_role#module:roles).
      - C(secrets) as O(secretops.vault_eso.vault_kv#module:secrets).
      - C(endpoints) as O(secretops.vault_eso.vault_endpoint#module:endpoints).
      - C(pki_certificates) as O(secretops.vault_eso.vault_pki_certificate#module:certificates).
      - C(approle_secret_ids) as O(secretops.vault_eso.vault_approle_secret_id#module:secret_ids).
      - C(login_mfa_enforcements) as O(secretops.vault_eso.vault_login_mfa_enforcement#module:enforcements).
      - C(purge) is a mapping of the kinds of which everything that is not declared is deleted. Its values are the options beside
        C(purge) of the kind's module, such as C(protected) and C(purge_data).
      - C(inside) is a mapping of namespaces, relative to the connection's own, to trees like this one. They are converged
        after the tree that they are in.
    type: dict
    required: true
  kinds:
    description: The kinds to look at, by the names that they have in O(configuration); without it all of them.
    type: list
    elements: str
  workers:
    description: How many requests are under way at the same time, over one pool of connections.
    type: int
    default: 4
attributes:
  check_mode:
    description: Reads everything, writes nothing, and reports what would change.
    support: full
  diff_mode:
    description: Names the fields that change, with their values unless these are secret.
    support: full
"""

EXAMPLES = r"""
- name: Converge all that a team has
  secretops.vault_eso.vault_configuration:
    configuration:
      secrets_engines:
        - path: secret
          type: kv-v2
      policies:
        - name: shop
          rules:
            - path: secret/data/shop/*
              capabilities: [read]
      auth_methods:
        - path: approle
          type: approle
      auth_roles:
        - mount: approle
          name: shop
          token_policies: [shop]
      secrets:
        - path: shop/database
          data:
            password: "{{ shop_database_password }}"
      purge:
        policies:
          protected: [secretops-admin]

- name: See what a namespace would become
  secretops.vault_eso.vault_configuration:
    configuration:
      namespaces:
        - name: team-a
      inside:
        team-a:
          secrets_engines:
            - path: secret
              type: kv-v2
  check_mode: true
  diff: true
"""

RETURN = r"""
results:
  description: One entry per object. C(part) is the list that it stands in, C(namespace) the namespace when it is inside one.
  returned: always
  type: list
  elements: dict
  sample: [{kind: policy, name: shop, action: update, changed: true, fields: [policy], part: policies}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 41, failed: 0, not_reached: 0}
requests:
  description: How many requests it took, by C(total).
  returned: always
  type: dict
  sample: {total: 12}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.secrets import KNOWN
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.configuration import Tree
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule

SPEC = {
    "configuration": {"type": "dict", "required": True, "no_log": True},
    "kinds": {"type": "list", "elements": "str"},
    "workers": {"type": "int", "default": 4},
}


def main() -> None:
    module = VaultModule(SPEC, update_secrets=True, tree="configuration")
    params = module.params
    tree = Tree(params["configuration"], params["kinds"], module.check_mode)
    KNOWN.add(*tree.hidden)
    with module.failing_clearly():
        tree.validate()
    for library, error in tree.libraries():
        module.require(library, error)
    with module.client() as client:
        tree.check(client)
        module.finish(tree.converge(client, params["update_secrets"], params["workers"]))


if __name__ == "__main__":
    main()
