# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What one object of each kind takes, as argument specs: for the module of the kind, and for who renders manifests."""

from __future__ import annotations

from typing import Any

from .._kubernetes.module import METADATA_SPEC
from .generator import KINDS
from .options import EXTERNAL_SECRET_SPEC, RETRY_SETTINGS, TEMPLATE, VAULT_SPEC


STORE_ENTRY: dict[str, Any] = {
    "kind": {"type": "str", "choices": ["SecretStore", "ClusterSecretStore"], "default": "SecretStore"},
    **METADATA_SPEC,
    **VAULT_SPEC,
    "path": {"type": "str"},
    "version": {"type": "str", "choices": ["v1", "v2"]},
    "check_and_set": {"type": "bool"},
    "conditions": {
        "type": "list",
        "elements": "dict",
        "options": {
            "namespaces": {"type": "list", "elements": "str"},
            "namespace_regexes": {"type": "list", "elements": "str"},
            "namespace_selector": {"type": "dict"},
        },
    },
    "controller": {"type": "str"},
    "refresh_interval": {"type": "str"},
    "retry_settings": RETRY_SETTINGS,
}
GENERATOR_ENTRY: dict[str, Any] = {
    "kind": {
        "type": "str",
        "choices": list(KINDS),
        "default": "VaultDynamicSecret",
    },
    **METADATA_SPEC,
    "generator_kind": {"type": "str", "choices": ["VaultDynamicSecret", "Password", "UUID"]},
    "path": {"type": "str"},
    "method": {"type": "str", "choices": ["GET", "LIST", "POST", "PUT", "DELETE"]},
    "parameters": {"type": "dict"},
    "get_parameters": {"type": "dict"},
    "result_type": {"type": "str", "choices": ["Data", "Auth", "Raw"]},
    "allow_empty_response": {"type": "bool"},
    "controller": {"type": "str"},
    "retry_settings": RETRY_SETTINGS,
    "provider": {"type": "dict", "options": VAULT_SPEC},
    "length": {"type": "int"},
    "digits": {"type": "int"},
    "symbols": {"type": "int"},
    "symbol_characters": {"type": "str"},
    "no_upper": {"type": "bool"},
    "allow_repeat": {"type": "bool"},
    "encoding": {"type": "str", "choices": ["base64", "base64url", "base32", "hex", "raw"]},
    "secret_keys": {"type": "list", "elements": "str", "no_log": False},
}
EXTERNAL_SECRET_ENTRY: dict[str, Any] = {
    **METADATA_SPEC,
    "adopt": {"type": "bool", "default": False},
    **EXTERNAL_SECRET_SPEC,
}
CLUSTER_EXTERNAL_SECRET_ENTRY: dict[str, Any] = {
    **{name: option for name, option in METADATA_SPEC.items() if name != "namespace"},
    "external_secret_name": {"type": "str", "no_log": False},
    "external_secret_metadata": {
        "type": "dict",
        "no_log": False,
        "options": {"labels": {"type": "dict"}, "annotations": {"type": "dict"}},
    },
    "namespace_selectors": {"type": "list", "elements": "dict"},
    "namespaces": {"type": "list", "elements": "str"},
    "refresh_time": {"type": "str"},
    "external_secret": {"type": "dict", "no_log": False, "options": EXTERNAL_SECRET_SPEC},
}
PUSH_REMOTE: dict[str, Any] = {
    "type": "dict",
    "required": True,
    "options": {"remote_key": {"type": "str", "required": True, "no_log": False}, "property": {"type": "str"}},
}
PUSH_SECRET_ENTRY: dict[str, Any] = {
    **METADATA_SPEC,
    "store_refs": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str"},
            "kind": {"type": "str", "choices": ["SecretStore", "ClusterSecretStore"], "default": "SecretStore"},
            "label_selector": {"type": "dict"},
        },
    },
    "selector": {
        "type": "dict",
        "options": {
            "secret": {
                "type": "dict",
                "no_log": False,
                "options": {"name": {"type": "str"}, "selector": {"type": "dict"}},
            },
            "generator_ref": {"type": "dict"},
        },
    },
    "refresh_interval": {"type": "str"},
    "update_policy": {"type": "str", "choices": ["Replace", "IfNotExists"]},
    "deletion_policy": {"type": "str", "choices": ["None", "Delete"]},
    "template": {"type": "dict", "options": TEMPLATE},
    "data": {
        "type": "list",
        "elements": "dict",
        "options": {
            "match": {
                "type": "dict",
                "required": True,
                "options": {"secret_key": {"type": "str", "no_log": False}, "remote_ref": PUSH_REMOTE},
            },
            "conversion_strategy": {"type": "str", "choices": ["None", "ReverseUnicode"]},
            "metadata": {"type": "dict"},
        },
    },
    "data_to": {"type": "list", "elements": "dict"},
}
