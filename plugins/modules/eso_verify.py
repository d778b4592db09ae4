#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eso_verify
short_description: Verify the whole way between Secrets and their values in Vault
version_added: 0.1.0
description:
  - Follows each ExternalSecret link by link and names the first one that does not hold, in one sentence with the remedy.
  - The links are the store, the auth method's mount and type, the credential in Kubernetes, the role, its bindings and audience, the login,
    the engine, the policies' paths, the secret, its keys, what the operator's status says, and at last the Secret in Kubernetes with its keys.
  - Logs in as the operator would, with a token of the store's service account for ten minutes or the credentials in its Secrets, asks Vault for
    the capabilities of all paths at once, reads each distinct secret once, and revokes the login. Values never leave the module.
  - A PushSecret is followed the other way, from its Secret over the store to what the policies let it write and to whom the secret there belongs.
  - Stores that nothing uses are verified as far as their login.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.kubernetes
  - secretops.vault_eso.kubernetes.vault_connection
requirements:
  - hvac >= 2.3
attributes:
  check_mode:
    description: Changes nothing in any mode. Tokens are made and revoked.
    support: full
  diff_mode:
    description: Changes nothing, so there is no difference to show.
    support: none
options:
  namespaces:
    description: Namespaces to look into; by default all.
    type: list
    elements: str
  name:
    description: Only ExternalSecrets and PushSecrets of this name.
    type: str
  label_selector:
    description: Only ExternalSecrets and PushSecrets with these labels, such as V(team=payments).
    type: str
  ready:
    description: Whether the operator's own status counts. With V(false) only what can be known without it, such as before it is installed.
    type: bool
    default: true
  fail_on_broken:
    description: Whether the module fails when a link does not hold.
    type: bool
    default: true
  workers:
    description: How many logins and reads are under way at the same time, over one pool of connections to each side.
    type: int
    default: 4
"""

EXAMPLES = r"""
- name: Verify everything that the cluster takes from Vault
  secretops.vault_eso.eso_verify:
    vault: "{{ vault_connection }}"

- name: Look at one namespace before the operator runs
  secretops.vault_eso.eso_verify:
    namespaces: [applications]
    ready: false
    fail_on_broken: false
    vault:
      url: [https://vault.example.com:8200]
      ca_cert: /etc/ssl/vault-ca.crt
      token_file: /run/user/1000/vault-token
  register: verified

- name: Name the broken links
  ansible.builtin.debug:
    msg: "{{ verified.results | rejectattr('holds') | map(attribute='message') }}"
"""

RETURN = r"""
results:
  description: One entry per ExternalSecret and PushSecret, and one per store that none of them uses.
  returned: always
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object.
      type: str
      sample: ExternalSecret
    namespace:
      description: Its namespace.
      type: str
      sample: applications
    name:
      description: Its name.
      type: str
      sample: app-secrets
    holds:
      description: Whether every link holds.
      type: bool
      sample: false
    link:
      description:
        - The first link that does not hold, one of V(store), V(auth_mount), V(credential), V(role), V(binding), V(audience), V(login), V(engine),
          V(policy), V(secret), V(property), V(source) (the Secret of a PushSecret), V(status) and V(target) (what an ExternalSecret fills); empty
          when all hold.
      type: str
      sample: binding
    message:
      description: What is wrong with it and what to do.
      type: str
      sample: >-
        auth/kubernetes: role "eso" binds namespace "apps", but the service account is in "external-secrets"; add it to
        bound_service_account_namespaces
    not_verified:
      description: What could not be tried from here, and why.
      type: list
      elements: str
      sample: []
broken:
  description: How many of them do not hold.
  returned: always
  type: int
  sample: 1
requests:
  description: How many requests were sent to the API server.
  returned: always
  type: int
  sample: 7
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._chain import verify
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.module import KubernetesModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import (
    CONNECTION_SPEC,
    LOGIN_SPEC,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.transport import HVAC_ERROR

SPEC = {
    "namespaces": {"type": "list", "elements": "str"},
    "name": {"type": "str"},
    "label_selector": {"type": "str"},
    "ready": {"type": "bool", "default": True},
    "fail_on_broken": {"type": "bool", "default": True},
    "workers": {"type": "int", "default": 4},
    "vault": {"type": "dict", "apply_defaults": True, "options": {**CONNECTION_SPEC, **LOGIN_SPEC}},
}


def main() -> None:
    module = KubernetesModule(SPEC)
    module.require("hvac", HVAC_ERROR)
    with module.client() as client:
        with verify.connected(client, module) as verifier:
            results = verifier.survey(module.params)
        count = sum(not one["holds"] for one in results)
        answer = {"results": results, "broken": count, "requests": client.requests}
        if count and module.params["fail_on_broken"]:
            module.ansible.fail_json(msg=verify.sentence(results), **answer)
        module.ansible.exit_json(changed=False, **answer)


if __name__ == "__main__":
    main()
