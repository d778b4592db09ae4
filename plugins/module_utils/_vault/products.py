# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The differences between HashiCorp Vault and OpenBao, as data, in one place.

Modules use it directly; roles reach it through the filter C(secretops.vault_eso.vault_product). Nothing else in the
collection may compare a product's name: it asks here what the product supports.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

VAULT = "vault"
OPENBAO = "openbao"
NAMES = (OPENBAO, VAULT)

Version = tuple[int, ...]


def parse_version(text: str) -> Version:
    """Return the numbers of a version such as C(2.7.2), C(v1.21.0+ent) or C(1.18.0-rc1) as a tuple.

    Raises ValueError when the text does not start with a version.
    """
    match = re.match(r"v?(\d+(?:\.\d+)*)", text.strip())
    if not match:
        raise ValueError("%r is not a version such as 2.7.2" % text)
    numbers = tuple(int(part) for part in match.group(1).split("."))
    return numbers + (0,) * (3 - len(numbers))


@dataclass(frozen=True)
class Span:
    """A range of versions from C(since) to before C(until). An empty bound is open."""

    since: str = ""
    until: str = ""
    remedy: str = ""

    def covers(self, version: str) -> bool:
        """Tell whether the version is in the range. An unknown (empty) version is."""
        if not version:
            return True
        number = parse_version(version)
        if self.since and number < parse_version(self.since):
            return False
        return not (self.until and number >= parse_version(self.until))

    def __str__(self) -> str:
        if self.since and self.until:
            return "from %s to before %s" % (self.since, self.until)
        if self.since:
            return "from %s on" % self.since
        return "before %s" % self.until if self.until else "in every version"


ALWAYS = Span()


def _words(names: str) -> frozenset[str]:
    return frozenset(names.replace("\n", " ").split())


def _always(names: str) -> dict[str, Span]:
    return dict.fromkeys(names.split(), ALWAYS)


@dataclass(frozen=True)
class Product:
    """The facts about one product. Paths are those of the vendor's packages."""

    name: str
    title: str
    binary: str
    package: str
    user: str
    group: str
    config_dir: str
    data_dir: str
    log_dir: str
    plugin_dir: str
    unit: str
    unit_type: str
    package_bin_dir: str
    package_unit_config: str
    env_prefixes: tuple[str, ...]
    token_prefixes: tuple[str, ...]
    audit_by_config: Span | None
    audit_by_api: Span | None
    protected_policies: tuple[str, ...]
    protected_mounts: tuple[str, ...]
    storage: dict[str, Span]
    seals: dict[str, Span]
    auth_methods: dict[str, Span]
    secrets_engines: dict[str, Span]
    config_keys: frozenset[str]
    listener_keys: frozenset[str]
    telemetry_keys: frozenset[str]
    reloadable_keys: frozenset[str]
    seal_environment: dict[str, dict[str, str]]
    storage_environment: dict[str, dict[str, str]]
    features: frozenset[str] = field(default_factory=frozenset)
    config_remedies: dict[str, str] = field(default_factory=dict)
    #: tuning of secrets engines that only the other product has; this one drops it silently
    unknown_tune: frozenset[str] = frozenset()

    def describe(self, version: str = "") -> dict[str, Any]:
        """Return the facts about the product in this version, in plain types for templates."""

        def names(spans: dict[str, Span]) -> list[str]:
            return sorted(name for name, span in spans.items() if span.covers(version))

        return {
            "name": self.name,
            "title": self.title,
            "version": version,
            "binary": self.binary,
            "package": self.package,
            "user": self.user,
            "group": self.group,
            "config_dir": self.config_dir,
            "data_dir": self.data_dir,
            "log_dir": self.log_dir,
            "plugin_dir": self.plugin_dir,
            "unit": self.unit,
            "unit_type": self.unit_type,
            "package_bin_dir": self.package_bin_dir,
            "package_unit_config": self.package_unit_config,
            "env_prefixes": list(self.env_prefixes),
            "env_prefix": self.env_prefixes[0],
            "token_prefixes": list(self.token_prefixes),
            "audit_by_config": self.audit_by_config is not None and self.audit_by_config.covers(version),
            "audit_by_api": self.audit_by_api is not None and self.audit_by_api.covers(version),
            "protected_policies": list(self.protected_policies),
            "protected_mounts": list(self.protected_mounts),
            "storage": names(self.storage),
            "seals": names(self.seals),
            "auth_methods": names(self.auth_methods),
            "secrets_engines": names(self.secrets_engines),
            "features": sorted(self.features),
        }


_COMMON_CONFIG = _words(
    """
        api_addr cache_size cluster_addr cluster_cipher_suites cluster_name default_lease_ttl
        default_max_request_duration detect_deadlocks disable_cache disable_clustering disable_indexing
        disable_printable_check disable_sealwrap enable_response_header_hostname
        enable_response_header_raft_node_id ha_storage imprecise_lease_role_tracking introspection_endpoint
        listener log_file log_format log_level log_requests_level log_rotate_bytes log_rotate_duration
        log_rotate_max_files max_lease_ttl pid_file plugin_directory plugin_file_permissions plugin_file_uid
        raw_storage_endpoint seal service_registration storage telemetry ui user_lockout
        """
)

_COMMON_LISTENER = _words(
    """
        address cluster_address custom_response_headers http_idle_timeout http_read_header_timeout
        http_read_timeout http_write_timeout inflight_requests_logging max_request_duration max_request_size
        profiling proxy_protocol_authorized_addrs proxy_protocol_behavior require_request_header socket_group
        socket_mode socket_user telemetry tls_cert_file tls_cipher_suites tls_client_ca_file tls_disable
        tls_disable_client_certs tls_key_file tls_max_version tls_min_version tls_require_and_verify_client_cert
        x_forwarded_for_authorized_addrs x_forwarded_for_client_cert_header x_forwarded_for_hop_skips
        x_forwarded_for_reject_not_authorized x_forwarded_for_reject_not_present cors_allowed_headers
        cors_allowed_origins cors_enabled
        """
)

_COMMON_TELEMETRY = _words(
    """
        add_lease_metrics_namespace_labels circonus_api_app circonus_api_url circonus_broker_id
        circonus_broker_select_tag circonus_check_display_name circonus_check_force_metric_activation
        circonus_check_id circonus_check_instance_id circonus_check_search_tag circonus_check_tags
        circonus_submission_interval circonus_submission_url disable_hostname dogstatsd_addr dogstatsd_tags
        enable_hostname_label filter_default lease_metrics_epsilon maximum_gauge_cardinality metrics_prefix
        num_lease_metrics_buckets prefix_filter prometheus_retention_time stackdriver_debug_logs
        stackdriver_location stackdriver_namespace stackdriver_project_id statsd_address statsite_address
        usage_gauge_period
        """
)

_KMS_PLUGIN = (
    "install the KMS plugin and declare it in vault_server_extra_config.plugin, stay below 2.7, or use another seal"
)
_BUILTIN_DATABASES = "database"

_OPENBAO = Product(
    name=OPENBAO,
    title="OpenBao",
    binary="bao",
    package="openbao",
    user="openbao",
    group="openbao",
    config_dir="/etc/openbao",
    data_dir="/opt/openbao/data",
    log_dir="/var/log/openbao",
    plugin_dir="/opt/openbao/plugins",
    unit="openbao",
    unit_type="notify",
    package_bin_dir="/usr/bin",
    package_unit_config="/etc/openbao/openbao.hcl",
    env_prefixes=("BAO_", "VAULT_"),
    token_prefixes=("s.", "b.", "r."),
    audit_by_config=Span(since="2.4"),
    audit_by_api=Span(until="2.3.2"),
    protected_policies=("default", "root"),
    protected_mounts=("token/", "sys/", "identity/", "cubbyhole/"),
    storage={
        **_always("raft postgresql inmem"),
        "file": Span(until="2.7", remedy="use raft"),
    },
    seals={
        **_always("shamir transit"),
        "static": Span(since="2.4", remedy="upgrade to 2.4 or later, or use transit"),
        "kmip": Span(remedy=""),
        **{
            name: Span(until="2.7", remedy=_KMS_PLUGIN)
            for name in ("awskms", "azurekeyvault", "gcpckms", "ocikms", "alicloudkms", "pkcs11")
        },
    },
    auth_methods={
        **_always("approle cert jwt kubernetes oidc token userpass"),
        **{
            name: Span(until="2.7", remedy="register it as an external plugin")
            for name in ("ldap", "kerberos", "radius")
        },
    },
    secrets_engines={
        **_always("cubbyhole identity kubernetes kv pki rabbitmq ssh totp transit " + _BUILTIN_DATABASES),
        **{name: Span(until="2.7", remedy="register it as an external plugin") for name in ("ldap", "openldap")},
    },
    config_keys=_COMMON_CONFIG
    | _words(
        """
        allow_audit_log_prefixing audit allow_unauthenticated_workflows disable_standby_reads initialize plugin
        plugin_auto_download plugin_auto_register plugin_download_behavior plugin_download_max_size
        unsafe_allow_api_audit_creation unsafe_cross_namespace_identity unsafe_relative_paths
        """
    ),
    listener_keys=_COMMON_LISTENER
    | _words(
        """
        cors_allow_credentials disable_unauthed_generate_root_endpoints disable_unauthed_rekey_endpoints
        max_request_json_memory max_request_json_strings tls_acme_ca_directory tls_acme_ca_root tls_acme_cache_path
        tls_acme_disable_alpn_challenge tls_acme_disable_http_challenge tls_acme_domains tls_acme_eab_key_id
        tls_acme_email tls_acme_key_type tls_auto_reload tls_auto_reload_interval tls_key_exchange_preferences
        x_forwarded_for_client_cert_decoders x_forwarded_for_client_cert_keep_not_forwarded
        x_forwarded_for_client_cert_keep_unauthorized
        """
    ),
    telemetry_keys=_COMMON_TELEMETRY,
    # internal/command/server.go, case SighupCh: everything else is read only at the start.
    reloadable_keys=frozenset(
        {
            "audit",
            "introspection_endpoint",
            "log_level",
            "log_requests_level",
            "plugin",
            "unsafe_allow_api_audit_creation",
        }
    ),
    seal_environment={
        "transit": {"token": "BAO_TOKEN"},
        "awskms": {
            "access_key": "AWS_ACCESS_KEY_ID",
            "secret_key": "AWS_SECRET_ACCESS_KEY",
            "session_token": "AWS_SESSION_TOKEN",
        },
        "azurekeyvault": {"client_secret": "AZURE_CLIENT_SECRET"},
        "pkcs11": {"pin": "BAO_HSM_PIN"},
    },
    storage_environment={"postgresql": {"connection_url": "BAO_PG_CONNECTION_URL"}},
    features=frozenset({"namespaces", "self_initialize", "standby_reads"}),
    config_remedies={
        "disable_mlock": "OpenBao dropped mlock: leave vault_server_disable_mlock unset and keep swap off",
        "license_path": "OpenBao has no licence: leave vault_server_license_file unset",
        "disable_sentinel_trace": "OpenBao has no Sentinel: leave vault_server_disable_sentinel_trace unset",
        "disable_performance_standby": "use disable_standby_reads",
    },
    unknown_tune=_words("allowed_managed_keys delegated_auth_accessors identity_token_key"),
)

_VAULT = Product(
    name=VAULT,
    title="HashiCorp Vault",
    binary="vault",
    package="vault",
    user="vault",
    group="vault",
    config_dir="/etc/vault.d",
    data_dir="/opt/vault/data",
    log_dir="/var/log/vault",
    plugin_dir="/opt/vault/plugins",
    unit="vault",
    unit_type="simple",
    package_bin_dir="/usr/bin",
    package_unit_config="/etc/vault.d/vault.hcl",
    env_prefixes=("VAULT_",),
    token_prefixes=("hvs.", "hvb.", "hvr.", "s.", "b.", "r."),
    audit_by_config=None,
    audit_by_api=ALWAYS,
    protected_policies=("default", "root", "default-ceiling"),
    protected_mounts=("token/", "sys/", "identity/", "cubbyhole/"),
    storage=_always(
        "raft consul file inmem azure cassandra cockroachdb couchdb dynamodb etcd gcs mysql oci postgresql s3 zookeeper"
    ),
    seals=_always("shamir transit awskms azurekeyvault gcpckms ocikms alicloudkms pkcs11"),
    auth_methods=_always(
        "alicloud approle aws azure cert cf gcp github jwt kerberos kubernetes ldap oci oidc okta radius saml token "
        "userpass"
    ),
    secrets_engines=_always(
        "alicloud aws azure consul cubbyhole gcp gcpkms identity keymgmt kmip kubernetes kv ldap mongodbatlas nomad "
        "openldap pki rabbitmq ssh terraform totp transform transit " + _BUILTIN_DATABASES
    ),
    config_keys=_COMMON_CONFIG
    | _words(
        """
        administrative_namespace_path adaptive_overload_protection allow_audit_log_prefixing disable_mlock
        disable_performance_standby disable_sentinel_trace enable_multiseal enable_post_unseal_trace entropy
        experiments kms_library license_entitlement license_path post_unseal_trace_directory
        remove_irrevocable_lease_after replication reporting request_limiter sentinel
        """
    ),
    listener_keys=_COMMON_LISTENER
    | _words(
        """
        chroot_namespace custom_max_json_array_element_count disable_replication_status_endpoints
        disable_request_limiter disable_unauthed_rekey_endpoints enable_unauthenticated_access
        max_json_array_element_count max_json_depth max_json_object_entry_count max_json_string_value_length
        max_token_length redact_addresses redact_cluster_name redact_version
        """
    ),
    telemetry_keys=_COMMON_TELEMETRY | {"add_mount_point_rollback_metrics"},
    reloadable_keys=frozenset({"introspection_endpoint", "log_level", "log_requests_level"}),
    seal_environment={
        "transit": {"token": "VAULT_TOKEN"},
        "awskms": {
            "access_key": "AWS_ACCESS_KEY_ID",
            "secret_key": "AWS_SECRET_ACCESS_KEY",
            "session_token": "AWS_SESSION_TOKEN",
        },
        "azurekeyvault": {"client_secret": "AZURE_CLIENT_SECRET"},
        "pkcs11": {"pin": "VAULT_HSM_PIN"},
    },
    storage_environment={
        "consul": {"token": "CONSUL_HTTP_TOKEN"},
        "postgresql": {"connection_url": "VAULT_PG_CONNECTION_URL"},
    },
    features=frozenset({"license", "sentinel", "mlock"}),
    config_remedies={
        "audit": "HashiCorp Vault takes audit devices by API: declare them for vault_config (module vault_audit)",
        "initialize": "self-initialisation is OpenBao's: use the vault_cluster role",
        "plugin": "register plugins by API",
    },
)

# Options of a stanza that never worked, or no longer work, with the alternative.
REMOVED_LISTENER_KEYS = {
    "tls_prefer_server_cipher_suites": "the server ignores it since Go 1.18: leave it out",
}

PRODUCTS: dict[str, Product] = {OPENBAO: _OPENBAO, VAULT: _VAULT}


def product(name: str) -> Product:
    """Return the product of this name.

    Raises ValueError for a name that is not C(openbao) or C(vault).
    """
    try:
        return PRODUCTS[name]
    except KeyError:
        raise ValueError("product: %r is unknown; use one of %s" % (name, ", ".join(NAMES))) from None


def leaving(name: str, category: str, kind: str, version: str) -> Span | None:
    """Return which versions have a type of mount built in, when this one does not; None when it does or is unknown.

    ``category`` is C(auth) or C(secret), ``kind`` the type of the mount.
    """
    known = product(name)
    span = (known.auth_methods if category == "auth" else known.secrets_engines).get(kind)
    return None if span is None or span.covers(version) else span


def product_of_plugin(version: Any) -> tuple[Product | None, str]:
    """Return product and version from the version of a built-in plugin, such as C(v2.7.2+builtin.bao)."""
    number, _plus, build = str(version or "").partition("+")
    name = {"builtin.bao": OPENBAO, "builtin.vault": VAULT}.get(build)
    return (PRODUCTS[name], number.lstrip("v")) if name else (None, "")


def detect(version_output: str) -> tuple[str, str]:
    """Return product and version from the output of C(bao version) or C(vault version).

    Raises ValueError when the text is neither product's.
    """
    match = re.search(r"\b(OpenBao|Vault) v?(\d+\.\d+\.\d+[\w.+-]*)", version_output)
    if not match:
        raise ValueError("the output is not that of 'bao version' or 'vault version'")
    return (OPENBAO if match.group(1) == "OpenBao" else VAULT), match.group(2).rstrip(",")
