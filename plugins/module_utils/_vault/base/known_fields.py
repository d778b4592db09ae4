# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What the endpoints inside mounts take, for mounts that are not there yet: nobody can ask those for their help.

By type of the mount and folder below it, as ``<path>?help=1`` of the servers up to the versions in `UP_TO` tells it. A
test holds this against the server that the tests run with.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..products import OPENBAO, VAULT

#: the versions up to which nothing is missing here. HashiCorp Vault (1.21, from its source) has editions that know more
UP_TO: Mapping[str, tuple[int, ...]] = {OPENBAO: (2, 7)}


def _words(names: str) -> frozenset[str]:
    return frozenset(names.split())


#: of most roles
TOKENS = _words(
    """
    policies token_bound_cidrs token_explicit_max_ttl token_max_ttl token_no_default_policy token_num_uses
    token_period token_policies token_ttl token_type
    """
)
#: of both products
COMMON: Mapping[str, frozenset[str]] = {
    "auth/approle role": TOKENS
    | _words(
        """
        bind_secret_id bound_cidr_list local_secret_ids period role_id role_name secret_id_bound_cidrs
        secret_id_num_uses secret_id_ttl
        """
    ),
    "auth/cert certs": TOKENS
    | _words(
        """
        allowed_common_names allowed_dns_sans allowed_email_sans allowed_metadata_extensions allowed_names
        allowed_organizational_units allowed_uri_sans bound_cidrs certificate display_name lease max_ttl name
        ocsp_ca_certificates ocsp_enabled ocsp_fail_open ocsp_query_all_servers ocsp_servers_override period
        required_extensions ttl
        """
    ),
    "auth/cert config": _words("disable_binding enable_identity_alias_metadata ocsp_cache_size"),
    "auth/jwt config": _words(
        """
        bound_issuer default_role jwks_ca_pem jwks_url jwt_supported_algs jwt_validation_pubkeys namespace_in_state
        oidc_client_id oidc_client_secret oidc_discovery_ca_pem oidc_discovery_url oidc_response_mode
        oidc_response_types provider_config
        """
    ),
    "auth/jwt role": TOKENS
    | _words(
        """
        allowed_redirect_uris bound_audiences bound_cidrs bound_claims bound_claims_type bound_subject
        claim_mappings clock_skew_leeway expiration_leeway groups_claim max_age max_ttl name not_before_leeway
        num_uses oidc_scopes period role_type ttl user_claim user_claim_json_pointer verbose_oidc_logging
        """
    ),
    "auth/kubernetes config": _words(
        """
        disable_iss_validation disable_local_ca_jwt issuer kubernetes_ca_cert kubernetes_host pem_keys
        token_reviewer_jwt
        """
    ),
    "auth/kubernetes role": TOKENS
    | _words(
        """
        alias_name_source audience bound_cidrs bound_service_account_names bound_service_account_namespace_selector
        bound_service_account_namespaces max_ttl name num_uses period ttl
        """
    ),
    "auth/ldap config": _words(
        """
        anonymous_group_search binddn bindpass case_sensitive_names certificate client_tls_cert client_tls_key
        connection_timeout deny_null_bind dereference_aliases discoverdn groupattr groupdn groupfilter insecure_tls
        max_page_size request_timeout starttls tls_max_version tls_min_version token_bound_cidrs
        token_explicit_max_ttl token_max_ttl token_no_default_policy token_num_uses token_period token_policies
        token_ttl token_type upndomain url use_pre111_group_cn_behavior use_token_groups userattr userdn userfilter
        username_as_alias
        """
    ),
    "auth/ldap groups": _words("name policies"),
    "auth/ldap users": _words("groups name policies"),
    "auth/token roles": _words(
        """
        allowed_entity_aliases allowed_policies allowed_policies_glob bound_cidrs disallowed_policies
        disallowed_policies_glob explicit_max_ttl orphan path_suffix period renewable role_name token_bound_cidrs
        token_explicit_max_ttl token_no_default_policy token_num_uses token_period token_type
        """
    ),
    "auth/userpass users": TOKENS | _words("bound_cidrs max_ttl password password_hash ttl username"),
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
    "auth/approle role": _words("token_strictly_bind_ip"),
    "auth/cert certs": _words("token_strictly_bind_ip"),
    "auth/jwt config": _words("override_allowed_server_names skip_jwks_validation"),
    "auth/jwt role": _words(
        """
        callback_mode oauth2_metadata oidc_disable_confirmation poll_interval token_policies_template_claims
        token_strictly_bind_ip
        """
    ),
    "auth/kubernetes role": _words("token_strictly_bind_ip"),
    "auth/ldap config": _words("token_strictly_bind_ip"),
    "auth/userpass users": _words("token_strictly_bind_ip"),
    "pki roles": _words(
        """
        allow_globs_in_identity_templates allowed_ip_sans_cidr not_after_bound not_before not_before_bound
        """
    ),
}
#: of one product alone
_VAULT: Mapping[str, frozenset[str]] = {
    "auth/aws config/client": _words(
        """
        access_key allowed_sts_header_values disable_automated_rotation endpoint iam_endpoint
        iam_server_id_header_value identity_token_audience identity_token_ttl max_retries role_arn rotation_period
        rotation_schedule rotation_window secret_key sts_endpoint sts_region use_sts_region_from_client
        """
    ),
    "auth/aws config/identity": _words("ec2_alias ec2_metadata iam_alias iam_metadata"),
    "auth/aws config/sts": _words("account_id external_id sts_role"),
    "auth/aws role": TOKENS
    | _words(
        """
        allow_instance_migration auth_type bound_account_id bound_ami_id bound_ec2_instance_id
        bound_iam_instance_profile_arn bound_iam_principal_arn bound_iam_role_arn bound_region bound_subnet_id
        bound_vpc_id disallow_reauthentication inferred_aws_region inferred_entity_type max_ttl period
        resolve_aws_unique_ids role role_tag ttl
        """
    ),
    "auth/cert certs": _words("allowed_organizations ocsp_max_retries ocsp_this_update_max_age"),
    "auth/cert config": _words("enable_metadata_on_failures role_cache_size"),
    "auth/jwt config": _words("jwks_pairs unsupported_critical_cert_extensions"),
    "auth/kubernetes config": _words("use_annotations_as_alias_metadata"),
    "auth/ldap config": _words(
        """
        disable_automated_rotation enable_samaccountname_login password_policy rotation_period rotation_schedule
        rotation_window
        """
    ),
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
    """Return what a product takes; none when that is not known. ``form``: such as ``auth/kubernetes role``."""
    # one plugin serves both types
    form = form.replace("auth/oidc ", "auth/jwt ")
    return COMMON.get(form, frozenset()) | ONLY[product].get(form, frozenset())
