#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eso_pushsecret
short_description: Manage PushSecrets of External Secrets Operator
version_added: 0.1.0
description:
  - Creates, updates and deletes PushSecrets, which have the operator write keys of a Secret to Vault, and waits until they are there.
  - What the operator would refuse, ignore or misread is refused before anything is sent, and the error says what to write instead.
  - With the deletion policy V(Delete) the operator removes from Vault what it pushed when the PushSecret is deleted. Such a one is never purged.
notes:
  - PushSecrets exist as C(external-secrets.io/v1alpha1) only.
  - The operator's policy in Vault needs C(create), C(read) and C(update) on the data and on the metadata of the secret, and C(delete) for
    the deletion policy V(Delete).
  - The operator does not overwrite a secret whose custom metadata does not say C(managed-by=external-secrets).
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.kubernetes
  - secretops.vault_eso.kubernetes.apply
  - secretops.vault_eso.kubernetes.namespaced
  - secretops.vault_eso.kubernetes.wait
  - secretops.vault_eso.reconcile
options:
  name: &name
    description: Name of the PushSecret.
    type: str
  namespace: &namespace
    description: Its namespace, and that of the Secret.
    type: str
  labels: &labels
    description: Labels of the object.
    type: dict
  annotations: &annotations
    description: Annotations of the object.
    type: dict
  spec: &spec
    description: The whole spec, as a manifest has it. Excludes all options below.
    type: dict
  store_refs: &store_refs
    description: The stores that it writes to.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the store.
        type: str
      kind:
        description: Kind of the store.
        type: str
        choices: [SecretStore, ClusterSecretStore]
        default: SecretStore
      label_selector:
        description: Label selector of stores instead of C(name), as a manifest has it.
        type: dict
  selector: &selector
    description: What is pushed. Exactly one of C(secret) and C(generator_ref).
    type: dict
    suboptions:
      secret:
        description: A Secret of the namespace.
        type: dict
        suboptions:
          name:
            description: Its name.
            type: str
          selector:
            description: Label selector of Secrets instead of C(name), as a manifest has it. Not known to old versions of the operator.
            type: dict
      generator_ref:
        description: A generator, by C(kind) and C(name). Not known to old versions of the operator.
        type: dict
  refresh_interval: &refresh_interval
    description: How often the operator compares Vault with the Secret, such as V(15m); V(0) for once.
    type: str
  update_policy: &update_policy
    description: Whether a value that is in Vault already is replaced. The operator's default is V(Replace).
    type: str
    choices: [Replace, IfNotExists]
  deletion_policy: &deletion_policy
    description: Whether what was pushed goes with the PushSecret. The operator's default is V(None).
    type: str
    choices: [None, Delete]
  template: &template
    description: How what is pushed is made of the Secret.
    type: dict
    suboptions:
      type:
        description: Type of the Secret that is made in between.
        type: str
      engine_version:
        description: Version of the template engine.
        type: str
        choices: [v2]
      merge_policy:
        description: Whether the template's keys replace the Secret's or join them.
        type: str
        choices: [Replace, Merge]
      data:
        description: Keys and their templates. Use C(urlquery) in URLs and C(toJson) in JSON.
        type: dict
      metadata:
        description: Labels and annotations of the Secret that is made in between.
        type: dict
        suboptions:
          labels:
            description: Labels.
            type: dict
          annotations:
            description: Annotations.
            type: dict
          finalizers:
            description: Finalizers. The Secret is made in between only, so that they have no effect.
            type: list
            elements: str
      template_from:
        description: Further templates, as a manifest has them.
        type: list
        elements: dict
  data: &data
    description: Which key goes where.
    type: list
    elements: dict
    suboptions:
      match:
        description: Source and destination.
        type: dict
        required: true
        suboptions:
          secret_key:
            description: Key of the Secret; without it all keys as one JSON document.
            type: str
          remote_ref:
            description: Where it goes in Vault.
            type: dict
            required: true
            suboptions:
              remote_key:
                description: Path of the secret.
                type: str
                required: true
              property:
                description: Key in the secret; without it the value is the whole secret and must be a JSON document.
                type: str
      conversion_strategy:
        description: How escaped characters in keys are turned back.
        type: str
        choices: [None, ReverseUnicode]
      metadata:
        description: What the provider wants to know beside, as a manifest has it.
        type: dict
  data_to: &data_to
    description: All keys that match, as a manifest has it. Not known to old versions of the operator.
    type: list
    elements: dict
  push_secrets:
    description: Many PushSecrets. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      name:
        <<: *name
        required: true
      namespace: *namespace
      labels: *labels
      annotations: *annotations
      spec: *spec
      store_refs: *store_refs
      selector: *selector
      refresh_interval: *refresh_interval
      update_policy: *update_policy
      deletion_policy: *deletion_policy
      template: *template
      data: *data
      data_to: *data_to
      state:
        description: Whether this PushSecret is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
"""

EXAMPLES = r"""
- name: Keep a copy of a certificate that the cluster made in Vault
  secretops.vault_eso.eso_pushsecret:
    name: ingress-certificate
    namespace: ingress
    store_refs:
      - {kind: ClusterSecretStore, name: vault}
    selector:
      secret: {name: ingress-tls}
    deletion_policy: None
    data:
      - match:
          secret_key: tls.crt
          remote_ref: {remote_key: backups/ingress, property: certificate}
      - match:
          secret_key: tls.key
          remote_ref: {remote_key: backups/ingress, property: private_key}
    wait: true
"""

RETURN = r"""
results:
  description: One entry per PushSecret.
  returned: always
  type: list
  elements: dict
  sample: [{kind: PushSecret, name: ingress/ingress-certificate, action: create, changed: true, fields: [spec.data]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 1, update: 0, delete: 0, none: 4, failed: 0, not_reached: 0}
requests:
  description: How many requests were sent, and how many of them were no reads.
  returned: always
  type: dict
  sample: {total: 4, writes: 1}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.push_secret import PushSecrets


def main() -> None:
    converge(PushSecrets())


if __name__ == "__main__":
    main()
