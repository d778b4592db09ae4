#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_token
short_description: Get a short-lived token of a Kubernetes service account
version_added: 0.1.0
description:
  - Asks the API server for a token of a service account by TokenRequest and writes it to a file of mode 0600.
  - The token is in no result; with P(secretops.vault_eso.vault_login#module) and its O(secretops.vault_eso.vault_login#module:jwt_file)
    it shows whether a service account can log in to Vault.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.kubernetes
attributes:
  check_mode:
    description: Gets the token in check mode as well, because nothing that is declared changes by it.
    support: partial
    details: The file is written.
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  name:
    description: Name of the service account.
    type: str
    required: true
  namespace:
    description: Namespace of the service account.
    type: str
    required: true
  audiences:
    description: Audiences of the token; by default the API server's own.
    type: list
    elements: str
    default: []
  expiration_seconds:
    description: Seconds that the token is wanted to live; the API server may give another time.
    type: int
    default: 600
  dest:
    description: Path of the file that the token is written to.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Get a token for the operator's service account
  secretops.vault_eso.k8s_token:
    name: external-secrets
    namespace: external-secrets
    audiences: [vault]
    dest: /run/user/1000/token
"""

RETURN = r"""
expiration:
  description: When the token expires.
  returned: success
  type: str
  sample: "2026-11-21T18:00:00Z"
dest:
  description: Path of the file.
  returned: success
  type: str
  sample: /run/user/1000/token
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes import token
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.module import KubernetesModule

SPEC = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "audiences": {"type": "list", "elements": "str", "default": []},
    "expiration_seconds": {"type": "int", "default": 600},
    "dest": {"type": "path", "required": True},
}


def main() -> None:
    module = KubernetesModule(SPEC)
    with module.client() as client:
        module.ansible.exit_json(changed=True, **token.issue(client, module.params))


if __name__ == "__main__":
    main()
