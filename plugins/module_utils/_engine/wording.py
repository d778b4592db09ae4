# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Meaning of messages of servers and programs that have no other sign. Pure: no I/O.

Each function recognises one message. Nothing else in the collection looks into a message, and nobody looks into the
collection's own: errors have types, `code` and attributes. ``said`` is the server's message, without secrets.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# -- Vault and OpenBao, any path. Source: the servers' own texts, vault/ and http/ of both ----------------------------


def speaks_tls(said: str) -> bool:
    """Tell whether a server of Go wants TLS on this port. Source: Go, net/http."""
    return "HTTP request to an HTTPS server" in said


def is_sealed(said: str) -> bool:
    return "sealed" in said.lower()


def is_uninitialised(said: str) -> bool:
    return "not initialized" in said.lower()


def no_namespace(said: str) -> bool:
    return said == "namespace not found"


def no_route(said: str) -> bool:
    """Tell whether nothing is mounted at a path."""
    return "no handler for route" in said


def no_api(said: str) -> bool:
    """Tell whether an engine does not know a path."""
    return "unsupported path" in said


def no_object(said: str) -> bool:
    """Tell whether an object does not exist; most 404 say nothing at all."""
    return not said or re.search(r"does not exist|not found|no such|no value", said, re.IGNORECASE) is not None


def not_a_token(said: str) -> bool:
    """Tell whether a 403 is about the token, not its policies."""
    return "invalid token" in said.lower() or "bad token" in said.lower()


def write_conflict(said: str) -> bool:
    """Tell whether OpenBao's storage refused one of two writes to the same place at the same moment."""
    return "transaction commit failed" in said


def name_from_path(said: str) -> bool:
    """Tell whether a warning is about a name in both body and path, which is harmless."""
    return "captured from the endpoint's path" in said


def root_namespace_only(said: str) -> bool:
    return "root namespace" in said


# -- Vault and OpenBao, by engine and method --------------------------------------------------------------------------


def audit_by_configuration(said: str) -> bool:
    """Tell whether the server takes audit devices from its configuration only."""
    return "via API" in said


def internal_error(said: str) -> bool:
    """Tell whether a server only says that something went wrong inside, as where no audit device can be written."""
    return said.strip() == "internal error"


def audit_target_not_ready(said: str) -> bool:
    return "sanity check failed" in said or "test message" in said


def audit_of_configuration(said: str) -> bool:
    """Tell whether an audit device is declared in the server's configuration."""
    return "configuration-managed" in said


def certificate_unknown(said: str) -> bool:
    """Tell whether a PKI engine did not store a certificate."""
    return "not found" in said


def key_missing(said: str) -> bool:
    """Tell whether an SSH engine has no key yet: OpenBao, HashiCorp Vault."""
    return re.search(r"no default issuer|keys haven't been configured", said, re.IGNORECASE) is not None


def metadata_version_differs(said: str) -> bool:
    """Tell whether somebody else wrote the metadata of a KV secret, or the engine wants the version."""
    return "metadata check-and-set" in said


def method_in_use(said: str) -> bool:
    """Tell whether a login enforcement asks for an MFA method."""
    return "still used by an enforcement" in said


def mount_address_missing(said: str) -> bool:
    """Tell whether ACME wants the cluster's path first."""
    return "path" in said


def mount_upgrading(said: str) -> bool:
    """Tell whether a KV mount is still being upgraded to version 2."""
    return re.search(r"upgrad(e|ing) from non-versioned", said.lower()) is not None


def other_key_shares(said: str) -> bool:
    """Tell whether a snapshot was made with another set of key shares."""
    return "unseal keys" in said


def pki_role_unknown(said: str) -> bool:
    return "unknown role" in said


def approle_unknown(said: str) -> bool:
    return "does not exist" in said


def plugin_unknown(said: str) -> bool:
    return "plugin not found" in said


def rotation_period_required(said: str) -> bool:
    """Tell whether a static role needs a period, as the server does not support schedules."""
    return "rotation_period is required" in said


def unrecognized(said: str, name: str) -> bool:
    """Tell whether a warning says that an engine ignores a field."""
    return "unrecognized" in said and re.search(r"\b%s\b" % re.escape(name), said) is not None


def version_differs(said: str) -> bool:
    """Tell whether somebody else wrote a KV secret."""
    return "check-and-set parameter did not match" in said


# -- Kubernetes and the operator --------------------------------------------------------------------------------------


class Denied(NamedTuple):
    """An action that RBAC denies. ``namespace``: "" for the whole cluster."""

    user: str
    verb: str
    resource: str
    group: str
    namespace: str


def denied(said: str) -> Denied | None:
    """Return the action that RBAC denies, None for any other refusal. Source: k8s.io/apiserver, responsewriters."""
    found = re.search(
        r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)"'
        r' in API group "(?P<group>[^"]*)"(?: in the namespace "(?P<namespace>[^"]*)")?',
        said,
    )
    return Denied(**{name: text or "" for name, text in found.groupdict().items()}) if found else None


def unknown_fields(said: str) -> list[str]:
    """Return the fields that a schema lacks: messages of servers before 1.25, and of strict validation later."""
    found = re.finditer(r"(?P<field>\.\S+): field not declared in schema|unknown field \"(?P<name>[^\"]+)\"", said)
    return sorted({(one.group("field") or one.group("name")).lstrip(".") for one in found})


def webhook_failed(said: str) -> bool:
    return "admission webhook" in said or "failed calling webhook" in said


def field_managers(said: str) -> set[str]:
    """Return who owns the fields of a conflict."""
    return set(re.findall(r'conflict with "([^"]+)"', said))


def no_path(said: str) -> bool:
    """Tell whether an API server does not serve a path at all."""
    return said.strip() == "404 page not found"


def retained(said: str) -> bool:
    """Tell from a Ready condition whether the operator kept a Secret. Source: External Secrets Operator."""
    return said.endswith("retained due to DeletionPolicy=Retain")


def in_missing_namespace(said: str) -> bool:
    """Tell whether kubernetes.core could not write an object because its namespace does not exist."""
    return re.search(r"namespaces .*not found", said) is not None


def kind_not_served(said: str) -> bool:
    """Tell whether kubernetes.core found no API for a kind."""
    return "Failed to find exact match" in said


# -- Git --------------------------------------------------------------------------------------------------------------


def no_branch(said: str) -> bool:
    """Tell whether a repository has no such branch."""
    return re.search(r"pathspec|Failed to checkout|Remote branch|couldn't find remote ref", said) is not None


def overtaken(said: str) -> bool:
    """Tell whether somebody else pushed in the meantime."""
    return (
        re.search(r"fetch first|non-fast-forward|cannot lock ref|failed to update ref|incorrect old value", said)
        is not None
    )


def quotes_a_value(message: str) -> bool:
    """Tell whether Ansible's message about an option may quote its value: a failed conversion to its type.

    Source: ansible-core, module_utils/common/parameters.py.
    """
    return re.search("convert|requested", message) is not None
