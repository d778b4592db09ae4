#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eso_info
short_description: Show what External Secrets Operator has to do in a cluster, and in what state it is
version_added: 0.1.0
description:
  - Tells whether the operator's CRDs are installed, in which versions, and what state its stores, ExternalSecrets, ClusterExternalSecrets,
    PushSecrets and generators are in.
  - Counts by namespace and kind what is ready and what is not. Generators have no status.
  - An ExternalSecret is ready when the operator says so and the Secret exists with the keys that it promises; the operator also says Ready where it
    wrote nothing. C(proven) is false for it, with the reason in C(not_proven), where the Secret may not be read.
  - Of Secrets only the names of the keys are told, never a value.
  - A cluster without the CRDs is no error; O(ignore:installed) is then false.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.kubernetes
attributes:
  check_mode:
    description: Only reads.
    support: full
  diff_mode:
    description: Changes nothing, so there is no difference to show.
    support: none
options:
  gather:
    description: What to tell beside the versions.
    type: list
    elements: str
    choices: [stores, generators, external_secrets, cluster_external_secrets, push_secrets]
    default: [stores, generators, external_secrets, cluster_external_secrets, push_secrets]
  namespaces:
    description: Namespaces to look into; by default all. Objects that belong to no namespace are told in any case.
    type: list
    elements: str
  name:
    description: Only objects of this name.
    type: str
  label_selector:
    description: Only objects with these labels, such as V(team=payments).
    type: str
  target_keys:
    description: Whether the names of the keys of each ExternalSecret's Secret are told. Needs the right to read Secrets.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Look at everything
  secretops.vault_eso.eso_info:
  register: eso

- name: Name what is not ready
  ansible.builtin.debug:
    msg: "{{ eso.external_secrets | rejectattr('ready') | map(attribute='name') }}"

- name: Name the namespaces in which something is not ready
  ansible.builtin.debug:
    msg: "{{ eso.readiness | selectattr('not_ready') | map(attribute='namespace') | unique }}"

- name: Make sure that the operator is installed
  secretops.vault_eso.eso_info:
    gather: []
  register: eso
  failed_when: not eso.installed
"""

RETURN = r"""
installed:
  description: Whether stores and ExternalSecrets can be declared in this cluster.
  returned: always
  type: bool
  sample: true
versions:
  description: The versions of each kind that would be used.
  returned: always
  type: dict
  sample: {SecretStore: v1, ClusterSecretStore: v1, ExternalSecret: v1}
reason:
  description: Why the operator counts as not installed, and what to do; empty when it is installed.
  returned: always
  type: str
  sample: ""
readiness:
  description: How many objects are ready, by namespace and kind; the namespace of what belongs to none is empty.
  returned: always
  type: list
  elements: dict
  sample: [{namespace: applications, kind: ExternalSecret, ready: 12, not_ready: 1, not_ready_names: [app-secrets]}]
stores:
  description: SecretStores and ClusterSecretStores. C(ca_bundle) are the certificates by which the operator checks Vault's.
  returned: when gathered
  type: list
  elements: dict
  sample: [{kind: SecretStore, name: vault, namespace: applications, ready: true, reason: Valid, message: store validated,
            managed: true, provider: vault, server: "https://vault.example.com:8200", path: secret, auth_method: kubernetes,
            ca_bundle: "-----BEGIN CERTIFICATE-----..."}]
external_secrets:
  description: ExternalSecrets.
  returned: when gathered
  type: list
  elements: dict
  sample: [{name: app-secrets, namespace: applications, ready: true, in_sync: true, reason: SecretSynced, message: secret synced,
            managed: true, store: {name: vault, kind: SecretStore}, target: app-secrets, target_kind: Secret, proven: true, refresh_interval: 15m,
            refresh_policy: Periodic, refresh_time: "2026-08-01T12:00:00Z", target_keys: [password, username]}]
cluster_external_secrets:
  description: ClusterExternalSecrets; one is ready when it is in every namespace that it selects.
  returned: when gathered
  type: list
  elements: dict
  sample: [{name: registry, ready: false, message: 'is not ready: namespace "web": external secret already exists in namespace', managed: true,
            external_secret: registry, store: {name: vault, kind: ClusterSecretStore}, provisioned_namespaces: [payments],
            failed_namespaces: [{namespace: web, reason: external secret already exists in namespace}], refresh_interval: 5m}]
push_secrets:
  description: PushSecrets, and the places in Vault that they have pushed to.
  returned: when gathered
  type: list
  elements: dict
  sample: [{name: backup, namespace: applications, ready: true, in_sync: true, reason: Synced, message: PushSecret synced successfully,
            managed: true, stores: [{name: vault, kind: SecretStore}], source: app-secrets, pushed: [backups/app/password],
            refresh_interval: 1h0m0s, update_policy: Replace, deletion_policy: None}]
generators:
  description: Generators of the kinds VaultDynamicSecret, Password, UUID and ClusterGenerator.
  returned: when gathered
  type: list
  elements: dict
  sample: [{kind: VaultDynamicSecret, generator_kind: VaultDynamicSecret, name: web, namespace: applications, managed: true,
            path: pki/issue/web, server: "https://vault.example.com:8200", auth_method: kubernetes}]
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.survey import PARTS, survey
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.module import KubernetesModule

SPEC = {
    "gather": {"type": "list", "elements": "str", "choices": list(PARTS), "default": list(PARTS)},
    "namespaces": {"type": "list", "elements": "str"},
    "name": {"type": "str"},
    "label_selector": {"type": "str"},
    "target_keys": {"type": "bool", "default": False, "no_log": False},
}


def main() -> None:
    module = KubernetesModule(SPEC)
    with module.client() as client:
        module.ansible.exit_json(changed=False, **survey(client, module.params))


if __name__ == "__main__":
    main()
