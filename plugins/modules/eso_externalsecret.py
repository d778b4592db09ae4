#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eso_externalsecret
short_description: Manage ExternalSecrets of External Secrets Operator
version_added: 0.1.0
description:
  - Creates, updates and deletes ExternalSecrets, one or many in one task, and waits until their Secrets stand.
  - What the operator would refuse, ignore or misread is refused before anything is sent, and the error says what to write instead.
  - Deleting an ExternalSecret with the creation policy V(Owner) has Kubernetes delete its Secret too, whatever the deletion policy.
  - With O(wait) success is the Secret with the keys that the declaration promises; a Ready condition alone is none, as the operator says Ready where
    it wrote nothing as well. Where the Secret may not be read, a warning says that nothing is proven.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.kubernetes
  - secretops.vault_eso.kubernetes.apply
  - secretops.vault_eso.kubernetes.namespaced
  - secretops.vault_eso.kubernetes.wait
  - secretops.vault_eso.reconcile
options:
  name: &name
    description: Name of the ExternalSecret.
    type: str
  namespace: &namespace
    description: Its namespace, and that of its Secret.
    type: str
  labels: &labels
    description: Labels of the object. Without a template the operator copies them to the Secret.
    type: dict
  annotations: &annotations
    description: Annotations of the object. Without a template the operator copies them to the Secret.
    type: dict
  spec: &spec
    description: The whole spec, as a manifest has it. Excludes all options below but O(adopt).
    type: dict
  adopt: &adopt
    description:
      - Whether the operator may take over an existing Secret that nobody owns. It drops the Secret's other keys.
      - Without this such an ExternalSecret with the creation policy V(Owner) is refused.
    type: bool
    default: false
  store: &store
    description: The store that it reads from.
    type: dict
    suboptions:
      name:
        description: Name of the store.
        type: str
        required: true
      kind:
        description: Kind of the store.
        type: str
        choices: [SecretStore, ClusterSecretStore]
        default: SecretStore
  refresh_interval: &refresh_interval
    description: How often the operator reads Vault, such as V(15m); V(0) for once. The operator's default is an hour.
    type: str
  refresh_policy: &refresh_policy
    description: When the operator reads Vault. Without it V(Periodic); not known before version 0.15 of the operator.
    type: str
    choices: [Periodic, OnChange, CreatedOnce]
  sync_windows: &sync_windows
    description:
      - Times in which periodic refreshes are allowed, or are not.
      - A forced sync and a change of the object are done at any time. Needs version 2.7 of the operator.
    type: dict
    suboptions:
      kind:
        description: Whether refreshes are done only in the windows, or only outside of them.
        type: str
        choices: [allow, deny]
        required: true
      windows:
        description: The windows.
        type: list
        elements: dict
        required: true
        suboptions:
          schedule:
            description: When a window opens, as cron has it, in UTC, such as V(0 22 * * 1-5) or V(@daily).
            type: str
            required: true
          duration:
            description: How long it stays open, such as V(8h).
            type: str
            required: true
  target: &target
    description: The Secret.
    type: dict
    suboptions:
      name:
        description: Name of the Secret; by default the ExternalSecret's.
        type: str
      creation_policy:
        description: How the Secret comes to be. The operator's default is V(Owner); V(CreateOrMerge) needs version 2.8.
        type: str
        choices: [Owner, Orphan, Merge, None, CreateOrMerge]
      deletion_policy:
        description: What becomes of the Secret when the secret is gone in Vault. The operator's default is V(Retain).
        type: str
        choices: [Retain, Delete, Merge]
      immutable:
        description: Whether the Secret can never be changed.
        type: bool
      template:
        description: How the Secret is made of what was read.
        type: dict
        suboptions:
          type:
            description: Type of the Secret, such as V(kubernetes.io/tls).
            type: str
          engine_version:
            description: Version of the template engine.
            type: str
            choices: [v2]
          merge_policy:
            description: Whether the template's keys replace what was read or join it.
            type: str
            choices: [Replace, Merge]
          data:
            description: Keys of the Secret and their templates. Use C(urlquery) in URLs and C(toJson) in JSON.
            type: dict
          metadata:
            description: Labels, annotations and finalizers of the Secret.
            type: dict
            suboptions:
              labels:
                description: Labels.
                type: dict
              annotations:
                description: Annotations.
                type: dict
              finalizers:
                description: Finalizers. Whatever adds them must remove them, or the Secret can never be deleted.
                type: list
                elements: str
          template_from:
            description: Further templates, as a manifest has them; C(values_decoding_strategy) among them needs version 2.7 of the operator.
            type: list
            elements: dict
  data: &data
    description: Single values. Each entry is a read of its own; C(data_from) with C(extract) is cheaper for many keys of one secret.
    type: list
    elements: dict
    suboptions:
      secret_key:
        description: Key in the Secret.
        type: str
        required: true
      remote_ref:
        description: Where the value stands in Vault.
        type: dict
        suboptions:
          key:
            description: Path of the secret.
            type: str
            required: true
          property:
            description: Key in the secret; dots lead into JSON.
            type: str
          version:
            description: Version of the secret; without it the newest.
            type: str
          metadata_policy:
            description: Whether the secret's metadata is read instead of its contents.
            type: str
            choices: [None, Fetch]
          conversion_strategy:
            description: How characters that a key must not have are replaced.
            type: str
            choices: [Default, Unicode]
          decoding_strategy:
            description: How the value is decoded.
            type: str
            choices: [None, Base64, Base64URL, Auto]
          null_byte_policy:
            description: Whether a value with null bytes is an error, such as where text is expected. Needs version 2.3 of the operator.
            type: str
            choices: [Ignore, Fail]
      source_ref:
        description: Another source than C(store) for this entry, as a manifest has it.
        type: dict
        suboptions:
          store_ref:
            description: Another store, by C(name) and C(kind).
            type: dict
          generator_ref:
            description: A generator, by C(kind) and C(name).
            type: dict
  data_from: &data_from
    description: Whole secrets. Exactly one of C(extract), C(find) and C(source_ref.generator_ref) in an entry.
    type: list
    elements: dict
    suboptions:
      extract:
        description: All keys of one secret.
        type: dict
        suboptions:
          key:
            description: Path of the secret.
            type: str
            required: true
          property:
            description: Key in the secret; dots lead into JSON.
            type: str
          version:
            description: Version of the secret; without it the newest.
            type: str
          metadata_policy:
            description: Whether the secret's metadata is read instead of its contents.
            type: str
            choices: [None, Fetch]
          conversion_strategy:
            description: How characters that a key must not have are replaced.
            type: str
            choices: [Default, Unicode]
          decoding_strategy:
            description: How the value is decoded.
            type: str
            choices: [None, Base64, Base64URL, Auto]
          null_byte_policy:
            description: Whether a value with null bytes is an error, such as where text is expected. Needs version 2.3 of the operator.
            type: str
            choices: [Ignore, Fail]
      find:
        description: All secrets that match.
        type: dict
        suboptions:
          path:
            description: Path below which to look.
            type: str
          name:
            description: By name.
            type: dict
            suboptions:
              regexp:
                description: Regular expression.
                type: str
                required: true
          tags:
            description: By custom metadata.
            type: dict
          conversion_strategy:
            description: How characters that a key must not have are replaced.
            type: str
            choices: [Default, Unicode]
          decoding_strategy:
            description: How the values are decoded.
            type: str
            choices: [None, Base64, Base64URL, Auto]
          null_byte_policy:
            description: Whether a value with null bytes is an error, such as where text is expected. Needs version 2.3 of the operator.
            type: str
            choices: [Ignore, Fail]
      source_ref:
        description: Another source than C(store) for this entry, as a manifest has it.
        type: dict
        suboptions:
          store_ref:
            description: Another store, by C(name) and C(kind).
            type: dict
          generator_ref:
            description: A generator, by C(kind) and C(name).
            type: dict
      rewrite:
        description: How keys are renamed, as a manifest has it.
        type: list
        elements: dict
  external_secrets:
    description: Many ExternalSecrets. Excludes O(name).
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
      adopt: *adopt
      store: *store
      refresh_interval: *refresh_interval
      refresh_policy: *refresh_policy
      sync_windows: *sync_windows
      target: *target
      data: *data
      data_from: *data_from
      state:
        description: Whether this ExternalSecret is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
"""

EXAMPLES = r"""
- name: Keep an application's credentials in a Secret
  secretops.vault_eso.eso_externalsecret:
    name: app-secrets
    namespace: applications
    store: {name: vault}
    refresh_interval: 15m
    target:
      template:
        data:
          DATABASE_URL: "postgresql://{{ '{{ .username | urlquery }}' }}:{{ '{{ .password | urlquery }}' }}@db:5432/app"
    data_from:
      - extract: {key: applications/app/database}
    wait: true

- name: Declare all of a namespace and remove what was declared before
  secretops.vault_eso.eso_externalsecret:
    external_secrets:
      - name: cache
        namespace: applications
        store: {name: vault}
        data:
          - secret_key: password
            remote_ref: {key: cache/redis, property: password}
    purge: true
"""

RETURN = r"""
results:
  description: One entry per ExternalSecret.
  returned: always
  type: list
  elements: dict
  sample: [{kind: ExternalSecret, name: applications/app-secrets, action: create, changed: true, fields: [spec.dataFrom]}]
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

from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.external_secret import ExternalSecrets
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.module import converge


def main() -> None:
    converge(ExternalSecrets())


if __name__ == "__main__":
    main()
