#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_export
short_description: Write what a Vault or OpenBao cluster holds as declared data
version_added: 0.1.0
description:
  - Reads a live cluster into the lists that M(secretops.vault_eso.vault_configuration) and the role P(secretops.vault_eso.vault_config#role) take, of all
    kinds and namespaces, so that a cluster that was set up by hand or by another tool can be kept as data from then on.
  - Fields that are the server's default are left out. Ids and accessors become names and paths.
  - No value of a secret is read into the export. Where an object has one that the server does not tell, or a value looks like one, the files hold a
    template of the variable C(vault_secrets_to_fill), and a file names its keys.
  - At the end all of it is held against the server in check mode. What would change it is named in RV(unproven); what
    M(secretops.vault_eso.vault_configuration) would refuse, or the token may not read, is named in RV(left_out), each with the reason.
  - Nothing is changed on the server.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
options:
  dest:
    description:
      - Directory for the files, such as the C(host_vars) of the cluster - one for each kind with the variable of the role vault_config, one for all namespaces
        (C(vault_config_inside)), C(vault_secrets_to_fill.yml) with what is to be filled in, as comments, and C(export.md) with what was left out and why.
      - It is made with mode 0700, the files have mode 0600.
      - Without it nothing is written, and RV(configuration) is all.
    type: path
  overwrite:
    description:
      - Permit to replace files of declarations that are there and differ. Without it these are an error, before anything is written.
      - A C(vault_secrets_to_fill.yml) in which something was filled in is never touched.
    type: bool
    default: false
  kinds:
    description:
      - The kinds to export, by the names that they have in O(secretops.vault_eso.vault_configuration#module:configuration); all of them without it.
      - V(endpoints), V(pki_certificates) and V(approle_secret_ids) are listed by no server.
    type: list
    elements: str
  namespaces:
    description: Whether the namespaces below the connection's own are exported too, each with what is in it.
    type: bool
    default: true
  secrets:
    description:
      - How much of the secrets of KV engines is told. V(none) is nothing, and needs no access to them.
      - V(paths) names mount and path of each in RV(secret_paths).
      - V(keys) declares them, with a template in the place of each value. Of KV version 2 the server is asked for the names of the keys only
        (C(subkeys)); of version 1 the values are read and dropped.
    type: str
    choices: [none, paths, keys]
    default: none
  placeholders:
    description:
      - Whether the files hold a template where the server does not tell a value. With V(false) these fields are left out, so that the files can be used
        as they are for the cluster that they come from; another server would lack the values. RV(secrets_to_fill) names them either way.
      - Excludes O(secrets=keys), whose declarations are nothing without values.
    type: bool
    default: true
  workers:
    description: How many requests are under way at the same time, over one pool of connections.
    type: int
    default: 4
attributes:
  check_mode:
    description: Reads everything, writes no file, and names those that would be written.
    support: full
  diff_mode:
    description: Names the files that change, not what is in them.
    support: full
notes:
  - The token needs C(read) and C(list) on what is exported, and nothing else; the documentation of the day-2 work has a policy for it.
  - A private key stays where it is. What is exported of certificate authorities and of keys of transit and SSH engines makes others with the same settings on
    another server; further issuers and the versions of a key are named in RV(left_out). Role IDs, secret IDs and passwords are not exported either.
  - Entities that a login made by itself are left out; the next login makes them again.
"""

EXAMPLES = r"""
- name: Take over a cluster that exists
  secretops.vault_eso.vault_export:
    dest: "{{ inventory_dir }}/host_vars/{{ inventory_hostname }}"

- name: See what a namespace holds
  secretops.vault_eso.vault_export:
    namespace: team-a
    kinds: [policies, auth_methods, auth_roles]
  register: team
"""

RETURN = r"""
configuration:
  description:
    - What the server holds, as O(secretops.vault_eso.vault_configuration#module:configuration) takes it. What is to be filled in is missing here.
  returned: success
  type: dict
  sample: {policies: [{name: shop, policy: "path \"secret/data/shop/*\" {...}"}]}
secrets_to_fill:
  description: The keys of C(vault_secrets_to_fill) that the files refer to.
  returned: success
  type: list
  elements: str
  sample: [auth_methods/ldap/bindpass]
left_out:
  description: What is not declared, each with C(kind), C(name), C(reason), and C(namespace) when it is inside one.
  returned: success
  type: list
  elements: dict
  sample: [{kind: endpoints, name: "", reason: "no server lists them: any path of the API"}]
unproven:
  description: What a run with the exported data would change on this very server, or could not compare; like RV(left_out).
  returned: success
  type: list
  elements: dict
  sample: []
proven:
  description: Whether all that is declared was held against the server, and nothing of it would change anything.
  returned: success
  type: bool
  sample: true
secret_paths:
  description: The secrets of KV engines, with O(secrets=paths).
  returned: success
  type: list
  elements: dict
  sample: [{mount: secret, path: applications/web-app}]
msg:
  description: What came of it, in a sentence.
  returned: success
  type: str
  sample: 61 objects declared; 3 values to fill in; 3 left out; held against the server, nothing would change
summary:
  description: How many objects are declared, by kind.
  returned: success
  type: dict
  sample: {policies: 7, auth_roles: 12}
files:
  description: The files that were written, or in check mode would be.
  returned: when O(dest) is given
  type: list
  elements: str
  sample: [export.md, vault_config_policies.yml]
requests:
  description: How many requests it took, by C(total).
  returned: success
  type: dict
  sample: {total: 231}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.export import DEPTHS
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.export_files import export

SPEC = {
    "dest": {"type": "path"},
    "overwrite": {"type": "bool", "default": False},
    "kinds": {"type": "list", "elements": "str"},
    "namespaces": {"type": "bool", "default": True},
    "secrets": {"type": "str", "choices": list(DEPTHS), "default": DEPTHS[0], "no_log": False},
    "placeholders": {"type": "bool", "default": True},
    "workers": {"type": "int", "default": 4},
}


def main() -> None:
    export(VaultModule(SPEC))


if __name__ == "__main__":
    main()
