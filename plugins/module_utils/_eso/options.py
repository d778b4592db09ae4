# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Options that several kinds of External Secrets Operator share, as argument specs.

Their names become the manifest's by `external_secret.manifest_names`: ``remote_ref`` is ``remoteRef``.
"""

from __future__ import annotations

from typing import Any

DECODING: dict[str, Any] = {"type": "str", "choices": ["None", "Base64", "Base64URL", "Auto"]}
NULL_BYTES: dict[str, Any] = {"type": "str", "choices": ["Ignore", "Fail"]}
CONVERSION: dict[str, Any] = {"type": "str", "choices": ["Default", "Unicode"]}
REMOTE: dict[str, Any] = {
    "key": {"type": "str", "required": True, "no_log": False},
    "property": {"type": "str"},
    "version": {"type": "str"},
    "metadata_policy": {"type": "str", "choices": ["None", "Fetch"]},
    "conversion_strategy": CONVERSION,
    "decoding_strategy": DECODING,
    "null_byte_policy": NULL_BYTES,
}
SOURCE: dict[str, Any] = {"type": "dict", "options": {"store_ref": {"type": "dict"}, "generator_ref": {"type": "dict"}}}
TEMPLATE: dict[str, Any] = {
    "type": {"type": "str"},
    "engine_version": {"type": "str", "choices": ["v2"]},
    "merge_policy": {"type": "str", "choices": ["Replace", "Merge"]},
    "data": {"type": "dict"},
    "metadata": {
        "type": "dict",
        "options": {
            "labels": {"type": "dict"},
            "annotations": {"type": "dict"},
            "finalizers": {"type": "list", "elements": "str"},
        },
    },
    "template_from": {"type": "list", "elements": "dict"},
}
SECRET_REF: dict[str, Any] = {
    "type": "dict",
    "no_log": False,
    "options": {
        "name": {"type": "str", "required": True},
        "key": {"type": "str", "no_log": False},
        "namespace": {"type": "str"},
    },
}
SERVICE_ACCOUNT: dict[str, Any] = {
    "type": "dict",
    "options": {
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str"},
        "audiences": {"type": "list", "elements": "str"},
    },
}
USER_PASS: dict[str, Any] = {
    "type": "dict",
    "no_log": False,
    "options": {"path": {"type": "str"}, "username": {"type": "str", "required": True}, "secret_ref": SECRET_REF},
}
AUTH: dict[str, Any] = {
    "namespace": {"type": "str"},
    "kubernetes": {
        "type": "dict",
        "options": {
            "mount_path": {"type": "str", "default": "kubernetes"},
            "role": {"type": "str", "required": True},
            "service_account": SERVICE_ACCOUNT,
            "secret_ref": SECRET_REF,
        },
    },
    "app_role": {
        "type": "dict",
        "options": {
            "path": {"type": "str"},
            "role_id": {"type": "str"},
            "role_ref": SECRET_REF,
            "secret_ref": SECRET_REF,
        },
    },
    "jwt": {
        "type": "dict",
        "options": {
            "path": {"type": "str"},
            "role": {"type": "str"},
            "secret_ref": SECRET_REF,
            "kubernetes_service_account_token": {
                "type": "dict",
                "no_log": False,
                "options": {
                    "service_account": {**SERVICE_ACCOUNT, "required": True},
                    "audiences": {"type": "list", "elements": "str"},
                    "expiration_seconds": {"type": "int"},
                },
            },
        },
    },
    "token_secret_ref": SECRET_REF,
    "user_pass": USER_PASS,
    "ldap": USER_PASS,
    "cert": {
        "type": "dict",
        "options": {
            "path": {"type": "str"},
            "vault_role": {"type": "str"},
            "client_cert": SECRET_REF,
            "secret_ref": SECRET_REF,
        },
    },
    "iam": {"type": "dict"},
    "gcp": {"type": "dict"},
}
EXTERNAL_SECRET_SPEC: dict[str, Any] = {
    "store": {
        "type": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "kind": {"type": "str", "choices": ["SecretStore", "ClusterSecretStore"], "default": "SecretStore"},
        },
    },
    "refresh_interval": {"type": "str"},
    "refresh_policy": {"type": "str", "choices": ["Periodic", "OnChange", "CreatedOnce"]},
    "sync_windows": {
        "type": "dict",
        "options": {
            "kind": {"type": "str", "choices": ["allow", "deny"], "required": True},
            "windows": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "schedule": {"type": "str", "required": True},
                    "duration": {"type": "str", "required": True},
                },
            },
        },
    },
    "target": {
        "type": "dict",
        "options": {
            "name": {"type": "str"},
            "creation_policy": {"type": "str", "choices": ["Owner", "Orphan", "Merge", "None", "CreateOrMerge"]},
            "deletion_policy": {"type": "str", "choices": ["Retain", "Delete", "Merge"]},
            "immutable": {"type": "bool"},
            "template": {"type": "dict", "options": TEMPLATE},
        },
    },
    "data": {
        "type": "list",
        "elements": "dict",
        "options": {
            "secret_key": {"type": "str", "required": True, "no_log": False},
            "remote_ref": {"type": "dict", "options": REMOTE},
            "source_ref": SOURCE,
        },
    },
    "data_from": {
        "type": "list",
        "elements": "dict",
        "options": {
            "extract": {"type": "dict", "options": REMOTE},
            "find": {
                "type": "dict",
                "options": {
                    "path": {"type": "str"},
                    "name": {"type": "dict", "options": {"regexp": {"type": "str", "required": True}}},
                    "tags": {"type": "dict"},
                    "conversion_strategy": CONVERSION,
                    "decoding_strategy": DECODING,
                    "null_byte_policy": NULL_BYTES,
                },
            },
            "source_ref": SOURCE,
            "rewrite": {"type": "list", "elements": "dict"},
        },
    },
}
RETRY_SETTINGS: dict[str, Any] = {
    "type": "dict",
    "options": {"max_retries": {"type": "int"}, "retry_interval": {"type": "str"}},
}
#: how to reach a Vault: of a store and of a generator
VAULT_SPEC: dict[str, Any] = {
    "server": {"type": "str"},
    "vault_namespace": {"type": "str"},
    "ca_bundle": {"type": "str"},
    "ca_provider": {
        "type": "dict",
        "options": {
            "type": {"type": "str", "choices": ["Secret", "ConfigMap"], "required": True},
            "name": {"type": "str", "required": True},
            "key": {"type": "str", "no_log": False},
            "namespace": {"type": "str"},
        },
    },
    "auth": {"type": "dict", "options": AUTH},
    "tls": {"type": "dict", "options": {"cert_secret_ref": SECRET_REF, "key_secret_ref": SECRET_REF}},
    "read_your_writes": {"type": "bool"},
    "forward_inconsistent": {"type": "bool"},
    "headers": {"type": "dict"},
}
