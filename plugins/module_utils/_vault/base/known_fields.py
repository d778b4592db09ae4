# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The fields of endpoints inside mounts, for mounts that do not exist yet and so cannot be asked.

By type of the mount and folder below it, as ``<path>?help=1`` returns them up to the versions in `UP_TO`. A
test compares this with the tests' server. The fields of auth methods are in `auth.methods`.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..products import OPENBAO, VAULT

#: the versions up to which nothing is missing here. HashiCorp Vault (1.21, from its source) has editions that know more
UP_TO: Mapping[str, tuple[int, ...]] = {OPENBAO: (2, 7)}


def _words(names: str) -> frozenset[str]:
    return frozenset(names.split())


#: fields of both products
COMMON: Mapping[str, frozenset[str]] = {
    "database roles": _words(
        """
        creation_statements credential_config credential_type db_name default_ttl max_ttl name renew_statements
        revocation_statements rollback_statements
        """
    ),
    "database static-roles": _words(
        """
        credential_config credential_type db_name name rotation_period rotation_statements username
        """
    ),
    "pki config/acme": _words(
        """
        allow_role_ext_key_usage allowed_issuers allowed_roles default_directory_policy dns_resolver eab_policy
        enabled
        """
    ),
    "pki roles": _words(
        """
        allow_any_name allow_bare_domains allow_glob_domains allow_ip_sans allow_localhost allow_subdomains
        allow_wildcard_certificates allowed_domains allowed_domains_template allowed_other_sans
        allowed_serial_numbers allowed_uri_sans allowed_uri_sans_template allowed_user_ids backend
        basic_constraints_valid_for_non_ca client_flag cn_validations code_signing_flag country
        email_protection_flag enforce_hostnames ext_key_usage ext_key_usage_oids generate_lease issuer_ref key_bits
        key_type key_usage locality max_ttl name no_store not_after not_before_duration organization ou
        policy_identifiers postal_code province require_cn server_flag signature_bits street_address ttl
        use_csr_common_name use_csr_sans use_pss
        """
    ),
}
#: of one product alone
_OPENBAO: Mapping[str, frozenset[str]] = {
    "pki roles": _words(
        """
        allow_globs_in_identity_templates allowed_ip_sans_cidr not_after_bound not_before not_before_bound
        """
    ),
}
#: of one product alone
_VAULT: Mapping[str, frozenset[str]] = {
    "database static-roles": _words(
        """
        password rotation_schedule rotation_window self_managed_password skip_import_rotation
        """
    ),
    "pki config/acme": _words("max_ttl"),
    "pki roles": _words("serial_number_source"),
}
ONLY: Mapping[str, Mapping[str, frozenset[str]]] = {OPENBAO: _OPENBAO, VAULT: _VAULT}


def known(product: str, form: str) -> frozenset[str]:
    """Return the fields of a product; empty when unknown. ``form``: such as ``pki roles``."""
    return COMMON.get(form, frozenset()) | ONLY[product].get(form, frozenset())
