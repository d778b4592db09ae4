# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server's configuration, environment and impossible declarations look like: pure logic, no server needed."""

from __future__ import annotations

import copy

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.secretops.vault_eso.plugins.filter import vault_server as filters
from ansible_collections.secretops.vault_eso.plugins.module_utils._host.state import fingerprints
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault import products
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server_config.pending import pending
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server_config.problems import problems
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.server_config.render import (
    build,
    environment,
    static_keys,
    written_directories,
)

SUM = "sha256:" + "0" * 64


def declaration(**changes):
    """Return a good declaration for one OpenBao node of three, with the changes."""
    good = {
        "product": "openbao",
        "version": "2.7.2",
        "install_method": "file",
        "file": "/files/bao",
        "file_checksum": SUM,
        "config_dir": "/etc/openbao",
        "api_addr": "https://192.0.2.1:8200",
        "cluster_addr": "https://192.0.2.1:8201",
        "cluster_name": "trial",
        "peers": [{"name": "b", "address": "192.0.2.2"}, {"name": "a", "address": "192.0.2.1"}],
        "storage_type": "raft",
        "raft": {
            "path": "/opt/openbao/data",
            "node_id": "a",
            "performance_multiplier": 1,
            "retry_join": [
                {
                    "leader_api_addr": "https://192.0.2.2:8200",
                    "leader_ca_cert_file": "/etc/openbao/tls/ca.crt",
                    "leader_tls_servername": "b.example.com",
                    "leader_client_cert_file": "",
                }
            ],
        },
        "listener": {
            "address": "0.0.0.0:8200",
            "tls_cert_file": "/etc/openbao/tls/server.crt",
            "tls_key_file": "/etc/openbao/tls/server.key",
        },
        "telemetry": {"prometheus_retention_time": "24h"},
        "tls_mode": "generated",
        "tls_ca_dir": "/ca",
        "default_lease_ttl": "24h",
        "max_lease_ttl": "720h",
    }
    good.update(changes)
    return good


def vault(**changes):
    """Return a good declaration for HashiCorp Vault."""
    return declaration(product="vault", version="1.21.0", config_dir="/etc/vault.d", **changes)


def test_a_good_wish_has_no_problem():
    assert problems(declaration()) == []
    assert problems(vault()) == []


def test_retry_join_carries_ca_and_server_name_for_each_peer():
    raft = build(declaration())["storage"]["raft"]
    assert raft["retry_join"] == [
        {
            "leader_api_addr": "https://192.0.2.2:8200",
            "leader_ca_cert_file": "/etc/openbao/tls/ca.crt",
            "leader_tls_servername": "b.example.com",
        }
    ]
    assert raft["performance_multiplier"] == "1"


@pytest.mark.parametrize(
    ("asked", "variable", "remedy"),
    [
        (declaration(storage_type="consul"), "vault_server_storage_type", "use one of inmem, postgresql, raft"),
        (declaration(storage_type="file"), "vault_server_storage_type", "use raft"),
        (declaration(disable_mlock=True), "vault_server_disable_mlock", "leave vault_server_disable_mlock unset"),
        (
            declaration(license_path="/etc/openbao/x"),
            "vault_server_license_file",
            "leave vault_server_license_file unset",
        ),
        (declaration(api_addr=""), "vault_server_api_addr", "give the full URL"),
        (declaration(api_addr="192.0.2.1:8200"), "vault_server_api_addr", "write it as https://host:port"),
        (declaration(api_addr="https://0.0.0.0:8200"), "vault_server_api_addr", "use this node's own"),
        (declaration(cluster_addr=""), "vault_server_cluster_addr", "give the full URL"),
        (declaration(restart="when_changed"), "vault_server_restart", "rolling playbook"),
        (declaration(version=""), "vault_server_version", "pin one"),
        (declaration(version="latest"), "vault_server_version", "not a version"),
        (declaration(file_checksum=""), "vault_server_file_checksum", "set it"),
        (declaration(file_checksum="md5:1"), "vault_server_file_checksum", "SHA256SUMS"),
        (declaration(install_method="archive"), "vault_server_archive_url", "set it"),
        (declaration(install_method="repository"), "vault_server_repository.key_checksum", "set it"),
        (declaration(tls_mode="provided"), "vault_server_tls_cert_src", "vault_server_tls_on_node"),
        (declaration(default_lease_ttl="900h"), "vault_server_default_lease_ttl", "lower it"),
        (declaration(max_lease_ttl="a while"), "vault_server_max_lease_ttl", "not a duration"),
        (declaration(cluster_name="${NAME}"), "vault_server_cluster_name", "template of Ansible"),
        (declaration(log={"rotate_bytes": 1}), "vault_server_log.rotate_bytes", "set log.file"),
        (declaration(telemetry={"dogstatsd_tags": ["a:b"]}), "vault_server_telemetry.dogstatsd_tags", "set it"),
        (declaration(telemetry={"statsd_addr": "x:1"}), "vault_server_telemetry.statsd_addr", "remove it"),
        (declaration(extra_config={"wibble": 1}), "vault_server_extra_config.wibble", "remove it"),
        (declaration(extra_config={"storage": {}, "ui": True}), "vault_server_extra_config.ui", "set vault_server_ui"),
        (declaration(disable_clustering=True), "vault_server_disable_clustering", "leave it unset"),
        (declaration(peers=[{"name": "a", "address": "x"}] * 2), "vault_server_peers", "give each its own"),
        (declaration(product="consul"), "vault_server_product", "openbao, vault"),
        (vault(audit=[{"path": "f"}]), "vault_server_audit", "vault_audit"),
        (
            declaration(version="2.3.1", audit=[{"path": "f", "options": {"file_path": "/f"}}]),
            "vault_server_audit",
            "by API",
        ),
        (declaration(audit=[{"path": "f"}]), "vault_server_audit", "an absolute path"),
        (
            declaration(audit=[{"path": "f", "options": {"file_path": "/f", "mode": 600}}]),
            "vault_server_audit: device f: options.mode",
            "in quotes",
        ),
        (
            declaration(audit=[{"path": p, "options": {"file_path": "/f"}} for p in "ab"]),
            "vault_server_audit",
            "own file",
        ),
        (declaration(environment={"A": "x\ny"}), "vault_server_environment", "name the file"),
    ],
)
def test_an_impossible_wish_names_variable_and_remedy(asked, variable, remedy):
    found = problems(asked)
    assert any(text.startswith(variable) and remedy in text for text in found), found


@pytest.mark.parametrize(
    ("product", "version", "seals", "words"),
    [
        ("vault", "1.21.0", [{"type": "static", "static": {}}], "has no static seal"),
        ("openbao", "2.3.0", [{"type": "static", "static": {}}], "built into OpenBao only from 2.4 on"),
        ("openbao", "2.7.2", [{"type": "awskms", "awskms": {"kms_key_id": "k"}}], "KMS plugin"),
        ("openbao", "2.7.2", [{"type": "static"}], "needs static.current_key_id"),
        ("openbao", "2.7.2", [{"type": "transit", "transit": {"address": "a"}}], "needs transit.key_name"),
        ("openbao", "2.7.2", [{"type": "shamir", "transit": {"address": "a"}}], "options of another type"),
        (
            "vault",
            "1.21.0",
            [
                {"type": "awskms", "awskms": {"kms_key_id": "k"}},
                {"type": "transit", "transit": {"address": "a", "key_name": "k", "mount_path": "m"}},
            ],
            "one enabled seal",
        ),
    ],
)
def test_impossible_seals(product, version, seals, words):
    found = problems(declaration(product=product, version=version, seals=seals))
    assert any(text.startswith("vault_server_seals: ") and words in text for text in found), found


def test_cloud_seals_are_allowed_where_they_are_built_in_or_come_as_a_plugin():
    seals = [{"type": "awskms", "awskms": {"kms_key_id": "k"}}]
    assert problems(declaration(version="2.6.2", seals=seals)) == []
    assert problems(vault(seals=seals)) == []
    plugin = {"plugin": [{"kms": {"awskms": {"image": "x"}}}]}
    assert problems(declaration(seals=seals, extra_config=plugin)) == []


def test_a_seal_may_be_migrated_from_a_disabled_one():
    seals = [
        {"type": "static", "static": {"current_key_id": "k1", "current_key_file": "/k1"}},
        {"type": "transit", "disabled": True, "transit": {"address": "a", "key_name": "k", "mount_path": "m"}},
    ]
    assert problems(declaration(seals=seals)) == []
    assert build(declaration(seals=seals))["seal"] == [
        {"static": {"current_key_id": "k1", "current_key": "file:///etc/openbao/seal/k1.key"}},
        {"transit": {"address": "a", "key_name": "k", "mount_path": "m", "disabled": "true"}},
    ]
    assert static_keys(declaration(seals=seals)) == [{"src": "/k1", "dest": "/etc/openbao/seal/k1.key"}]


def test_the_key_itself_never_enters_the_configuration():
    seals = [{"type": "static", "static": {"current_key_id": "k", "current_key": "c2VjcmV0"}}]
    found = problems(declaration(seals=seals))
    assert any("current_key_file" in text for text in found)
    assert not any("c2VjcmV0" in text for text in found)


@pytest.mark.parametrize(
    ("product", "changes", "variables"),
    [
        (
            "openbao",
            {
                "seals": [
                    {
                        "type": "transit",
                        "transit": {"address": "a", "key_name": "k", "mount_path": "m", "token": "hush"},
                    }
                ]
            },
            {"BAO_TOKEN": "hush"},
        ),
        (
            "vault",
            {
                "seals": [
                    {
                        "type": "transit",
                        "transit": {"address": "a", "key_name": "k", "mount_path": "m", "token": "hush"},
                    }
                ]
            },
            {"VAULT_TOKEN": "hush"},
        ),
        (
            "vault",
            {"seals": [{"type": "pkcs11", "pkcs11": {"lib": "/l", "key_label": "k", "pin": "hush"}}]},
            {"VAULT_HSM_PIN": "hush"},
        ),
        (
            "vault",
            {
                "seals": [
                    {
                        "type": "azurekeyvault",
                        "azurekeyvault": {
                            "tenant_id": "t",
                            "vault_name": "v",
                            "key_name": "k",
                            "client_secret": "hush",
                        },
                    }
                ]
            },
            {"AZURE_CLIENT_SECRET": "hush"},
        ),
        (
            "vault",
            {"storage_type": "consul", "consul": {"address": "127.0.0.1:8500", "token": "hush"}},
            {"CONSUL_HTTP_TOKEN": "hush"},
        ),
    ],
)
def test_secrets_go_to_the_environment_and_not_to_the_configuration(product, changes, variables):
    asked = declaration(product=product, version={"vault": "1.21.0", "openbao": "2.7.2"}[product], **changes)
    assert problems(asked) == []
    assert environment(asked) == variables
    assert "hush" not in str(build(asked))


def test_the_whole_surface_of_hashicorp_vault_renders():
    asked = vault(
        storage_type="consul",
        consul={
            "address": "consul.example.com:8500",
            "path": "vault/",
            "scheme": "https",
            "max_parallel": 128,
            "tls_ca_file": "/etc/vault.d/consul-ca.pem",
            "consistency_mode": "strong",
            "disable_registration": False,
        },
        seals=[{"type": "awskms", "awskms": {"region": "us-west-2", "kms_key_id": "arn:aws:kms:x"}}],
        telemetry={
            "prometheus_retention_time": "24h",
            "disable_hostname": True,
            "statsd_address": "s:8125",
            "dogstatsd_addr": "d:8125",
            "dogstatsd_tags": ["service:vault"],
        },
        license_path="/etc/vault.d/license.hclic",
        disable_sentinel_trace=False,
        cache_size="32768",
        ui=True,
        log={"level": "info", "format": "json", "file": "/var/log/vault/vault.log", "rotate_max_files": 10},
        plugin_dir="/opt/vault/plugins",
    )
    asked["listener"] = {
        **asked["listener"],
        "max_request_size": 33554432,
        "x_forwarded_for_authorized_addrs": ["10.0.0.0/8"],
        "tls_cipher_suites": ["A", "B"],
        "telemetry": {"unauthenticated_metrics_access": True},
    }
    assert problems(asked) == []
    config = build(asked)
    assert config["storage"] == {
        "consul": {
            "address": "consul.example.com:8500",
            "path": "vault/",
            "scheme": "https",
            "max_parallel": "128",
            "tls_ca_file": "/etc/vault.d/consul-ca.pem",
            "consistency_mode": "strong",
            "disable_registration": "false",
        }
    }
    assert config["seal"] == [{"awskms": {"region": "us-west-2", "kms_key_id": "arn:aws:kms:x"}}]
    assert config["listener"][0]["tcp"]["tls_cipher_suites"] == "A,B"
    assert config["cache_size"] == 32768
    assert config["license_path"] == "/etc/vault.d/license.hclic"
    assert config["log_rotate_max_files"] == 10
    assert "disable_mlock" not in config
    assert build(vault())["disable_mlock"] is True


def test_a_second_listener_on_the_cluster_port_is_refused():
    extra = [{"type": "tcp", "address": "0.0.0.0:8201", "tls_cert_file": "/c", "tls_key_file": "/k"}]
    assert any("cluster port" in text for text in problems(declaration(extra_listeners=extra)))


def test_audit_devices_keep_the_form_that_the_server_reads():
    config = build(declaration(audit=[{"path": "one/", "options": {"file_path": "/var/log/x/a.log"}}]))
    assert config["audit"] == [
        {"file": {"one": {"description": "declared by the inventory", "options": {"file_path": "/var/log/x/a.log"}}}}
    ]
    # 384 is what YAML makes of 0600
    config = build(declaration(audit=[{"path": "one", "options": {"file_path": "/a", "mode": 384}}]))
    assert config["audit"][0]["file"]["one"]["options"]["mode"] == "0600"
    asked = declaration(
        audit=[
            {"path": "a", "options": {"file_path": "/var/log/x/a.log"}},
            {"path": "b", "options": {"file_path": "stdout"}},
        ],
        log={"file": "/srv/log/server.log"},
    )
    assert written_directories(asked) == ["/var/log/x", "/srv/log"]


def waiting(product, desired, started, loaded, *because):
    """Return what waits, from configurations and not from their fingerprints."""
    known = [one and fingerprints(one) for one in (desired, started, loaded)]
    return pending(product, *known, *because)


def test_pending_tells_reload_from_restart():
    started = build(declaration())
    assert waiting("openbao", started, started, started) == {
        "restart": False,
        "reload": False,
        "restart_reasons": [],
        "reload_reasons": [],
    }
    level = build(declaration(log={"level": "debug"}))
    found = waiting("openbao", level, started, started)
    assert (found["reload"], found["restart"]) == (True, False)
    assert waiting("openbao", level, started, level)["reload"] is False
    metrics = build(declaration(telemetry={"prometheus_retention_time": "1h"}))
    found = waiting("openbao", metrics, started, metrics)
    assert (found["reload"], found["restart_reasons"]) == (False, ["configuration: telemetry"])
    headers = copy.deepcopy(started)
    headers["listener"][0]["tcp"]["custom_response_headers"] = {"default": {"A": ["b"]}}
    found = waiting("openbao", headers, started, started)
    assert (found["reload"], found["restart"]) == (True, False)
    assert waiting("openbao", started, None, None)["restart"] is True
    assert waiting("vault", started, started, started, ["binary"], ["certificate"]) == {
        "restart": True,
        "reload": True,
        "restart_reasons": ["binary"],
        "reload_reasons": ["certificate"],
    }


def test_the_filters_fail_with_the_sentence():
    with pytest.raises(AnsibleFilterError, match="vault_server_api_addr: not set"):
        filters.vault_server_config(declaration(api_addr=""))
    with pytest.raises(AnsibleFilterError, match="use one of openbao, vault"):
        filters.vault_product("nomad")
    with pytest.raises(AnsibleFilterError, match="bao version"):
        filters.vault_detect("hello")


def test_product_data():
    bao = filters.vault_product("openbao", "2.7.2")
    assert bao["storage"] == ["inmem", "postgresql", "raft"]
    assert "ldap" not in bao["auth_methods"]
    assert "ldap" in filters.vault_product("openbao", "2.6.2")["auth_methods"]
    assert bao["audit_by_config"] and not bao["audit_by_api"]
    assert filters.vault_product("vault", "1.21.0+ent")["unit_type"] == "simple"
    assert filters.vault_detect("Vault v1.21.0+ent (abc), built x") == {"product": "vault", "version": "1.21.0+ent"}
    assert filters.vault_detect("OpenBao v2.7.2 (9e0a), committed x") == {"product": "openbao", "version": "2.7.2"}
    with pytest.raises(ValueError, match="not a version"):
        products.parse_version("newest")


def test_versions_compare_as_numbers():
    span = products.Span(since="2.4", until="2.10")
    assert span.covers("2.9.1") and span.covers("2.4.0") and not span.covers("2.10.0") and not span.covers("2.3.9")
    assert span.covers("")


HOSTS = {
    "a": {"vault_cluster_name": "one", "ansible_host": "192.0.2.1"},
    "b": {"vault_cluster_name": "one", "vault_server_address": "b.example.com", "vault_server_api_port": 8300},
    "c": {"vault_cluster_name": "two"},
    "d": {},
    "e": {"vault_cluster_name": "one", "vault_server_address": "2001:db8::5", "vault_server_tls_server_name": "e"},
}


def test_the_servers_of_a_cluster_are_each_others_peers():
    names = filters.vault_server_cluster_hosts(HOSTS, "abcde", "one")
    assert names == ["a", "b", "e"]
    peers = filters.vault_server_peers(HOSTS, names, "b", 8200)
    assert peers == [
        {"name": "a", "address": "192.0.2.1", "port": 8200, "tls_server_name": "192.0.2.1"},
        {"name": "e", "address": "2001:db8::5", "port": 8200, "tls_server_name": "e"},
    ]
    first, second = filters.vault_server_retry_join(peers, 8200, "/ca.crt")
    assert first == {
        "leader_api_addr": "https://192.0.2.1:8200",
        "leader_ca_cert_file": "/ca.crt",
        "leader_tls_servername": "192.0.2.1",
        "leader_client_cert_file": "",
        "leader_client_key_file": "",
    }
    assert second["leader_api_addr"] == "https://[2001:db8::5]:8200"
    assert filters.vault_server_peers(HOSTS, ["c"], "c", 8200) == []


def test_a_peer_is_looked_for_where_it_serves_now():
    peers = [
        {"name": "a", "address": "192.0.2.1", "port": 8300},
        {"name": "b", "address": "2001:db8::1", "port": 8300},
        {"address": "192.0.2.3"},
        {"name": "d", "address": "192.0.2.4", "api_addr": "https://d.example.com"},
    ]
    waits = {"vault_server_state": {"port": 8200, "new_port": 8300}}
    urls = [one["url"] for one in filters.vault_server_peers_now(peers, {"a": waits, "b": {}, "d": waits}, 8400)]
    assert urls == [
        "https://192.0.2.1:8200",
        "https://[2001:db8::1]:8300",
        "https://192.0.2.3:8400",
        "https://d.example.com",
    ]


def test_a_peer_may_be_declared_by_hand():
    peer = {
        "address": "x",
        "api_addr": "https://y:1",
        "ca_cert_file": "",
        "client_key_file": "/k",
        "tls_server_name": "z",
    }
    (found,) = filters.vault_server_retry_join([peer], 8200, "/ca.crt")
    assert found["leader_api_addr"] == "https://y:1"
    assert found["leader_ca_cert_file"] == ""
    assert (found["leader_client_key_file"], found["leader_tls_servername"]) == ("/k", "z")
    (found,) = filters.vault_server_retry_join([{"address": "x", "port": 1}], 8200)
    assert (found["leader_api_addr"], found["leader_ca_cert_file"]) == ("https://x:1", "")


def test_what_the_controller_lacks_is_a_problem():
    missing = [{"variable": "vault_server_file", "path": "/x"}]
    first, second = filters.vault_server_problems(declaration(), missing, ["/ca/ca.key"])
    assert "/ca/ca.key, would be lost" in first
    assert second == "vault_server_file: there is no file /x on the controller; give an existing one"


def test_a_listener_takes_the_kind_of_address_that_others_are_given():
    six = {"api_addr": "https://[2001:db8::1]:8200", "cluster_addr": "https://[2001:db8::1]:8201"}
    tls = {"tls_cert_file": "/c", "tls_key_file": "/k"}

    def found(address, cluster, **addresses):
        return problems(declaration(listener={"address": address, "cluster_address": cluster, **tls}, **addresses))

    refused = found("0.0.0.0:8200", "0.0.0.0:8201", **six)
    assert [one.split(": ")[0] for one in refused] == [
        "vault_server_listener.address",
        "vault_server_listener.cluster_address",
    ]
    assert "[::]" in refused[0]
    assert found("[::]:8200", "[::]:8201", **six) == found("[::]:8200", "[::]:8201") == []
    assert found("[::1]:8200", "0.0.0.0:8201")[0].startswith("vault_server_listener.address")
    assert found("0.0.0.0:8200", "0.0.0.0:8201", api_addr="https://vault.example.com:8200") == []
