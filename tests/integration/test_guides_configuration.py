# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration in inventories/production, applied by the playbooks to real servers, and what drift.yml finds."""

from __future__ import annotations

import base64
import json
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable
from urllib.parse import unquote, urlsplit

import hvac
import hvac.exceptions
import pytest
import yaml
from cryptography.hazmat.primitives import serialization

from support import eso_operator, kubernetes_api, openbao, packages
from support.ldap import Directory
from support.local import write_private
from support.openbao import VaultServer
from support.playbooks import PRODUCTION, Inventory
from support.postgresql import PostgreSql
from support.scene import Run

VAULT, KUBERNETES = "vault-eu", "kubernetes-eu-1"
POSTGRESQL_PASSWORD = "Postgresql-Root-5f1c"
LDAP_PASSWORD = "Ldap-Bind-77aa"
PERSON_PASSWORD = "Person-9d2e"


@dataclass
class Platform:
    """Real servers, and an inventory that leads to them."""

    inventory: Inventory
    vault: VaultServer
    reports: Path

    def admin(self) -> hvac.Client:
        return self.vault.client()

    def report(self) -> dict[str, Any]:
        return json.loads((self.reports / "drift.json").read_text())

    def changes(self) -> list[tuple[str, str, str]]:
        """What the last report names: host, kind and name of all that differs."""
        return [
            (host["host"], change["kind"], change["name"])
            for host in self.report()["hosts"]
            for part in host["parts"]
            for change in part["changes"]
        ]

    def secrets(self) -> list[str]:
        """All that nobody may see, from where it is kept."""
        client = self.admin()
        found = [self.vault.token, POSTGRESQL_PASSWORD, LDAP_PASSWORD]
        for secret in yaml.safe_load((PRODUCTION / "group_vars/vault_clusters/kv.yml").read_text())[
            "vault_config_secrets"
        ]:
            data = client.secrets.kv.v2.read_secret(secret["path"], raise_on_deleted_version=True)["data"]["data"]
            found += [data[key] for key in secret.get("generate", {})]
        found += [path.read_text().strip() for path in sorted(self.inventory.folder.glob("credentials/*/*-id"))]
        found.append((self.inventory.folder / "credentials" / VAULT / "web-app.key").read_text().splitlines()[1])
        assert len(found) > 12
        return found


def overrides(folder: Path, server: VaultServer, admin_token: str, postgresql: str, more: str = "") -> str:
    token = folder.parent / f"{folder.name}-token"
    write_private(token, admin_token.encode())
    return f"""
credentials_directory: {folder}/credentials
drift_report_directory: {folder}/reports
vault_connection: {{url: ["{server.url}"], ca_cert: "{server.ca_cert}"}}
vault_session_login: {{auth_method: token, token_file: "{token}", child: true}}
platform_product_name: {server.product}
platform_product_version: "{server.version}"
platform_postgresql_url: "{postgresql}"
platform_postgresql_password: {POSTGRESQL_PASSWORD}
platform_ldap_bind_password: {LDAP_PASSWORD}
{more}"""


def cluster_overrides(folder: Path, api: str, ca_cert: str, public_key: str, kubeconfig: str = "/nonexistent") -> str:
    return f"""
credentials_directory: {folder}/credentials
drift_report_directory: {folder}/reports
kubernetes_connection: {{kubeconfig: "{kubeconfig}"}}
kubernetes_server: {api}
kubernetes_ca_cert: "{{{{ lookup('ansible.builtin.file', '{ca_cert}') }}}}"
kubernetes_issuer: {kubernetes_api.AUDIENCE}
kubernetes_jwt_keys: {{jwt_validation_pubkeys: [{json.dumps(public_key)}]}}
eso_resources_wait: false
"""


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSql]:
    try:
        server = PostgreSql("Superuser-31b8")
    except packages.Unavailable as reason:
        pytest.skip(str(reason))
    try:
        server.query(f"CREATE ROLE vault SUPERUSER LOGIN PASSWORD '{POSTGRESQL_PASSWORD}'")
        server.query("CREATE TABLE orders (id int); INSERT INTO orders VALUES (4711)")
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kubernetes_api.LocalKubeApi]:
    """An API server of its own: the inventory's namespaces have plain names, and are not for a cluster in use."""
    folder = tmp_path_factory.mktemp("cluster")
    try:
        api = kubernetes_api.LocalKubeApi(folder)
    except kubernetes_api.Unavailable as reason:
        pytest.skip(str(reason))
    try:
        api.install_crds()
        yield api
    finally:
        api.stop()


@pytest.fixture(scope="module")
def platform(
    tmp_path_factory: pytest.TempPathFactory, postgresql: PostgreSql, cluster: kubernetes_api.LocalKubeApi
) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("guides") / "inventory"
    signing = Path(cluster.kubeconfig).parent / "tls" / "service-account.key"
    key = serialization.load_pem_private_key(signing.read_bytes(), None).public_key()
    public = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    server = VaultServer(tmp_path_factory.mktemp("vault"))
    try:
        url = postgresql.url.replace("{{", "{").replace("}}", "}")
        hosts = {
            VAULT: overrides(folder, server, server.token, url),
            KUBERNETES: cluster_overrides(folder, cluster.url, cluster.ca_cert, public, cluster.kubeconfig),
        }
        yield Platform(Inventory(folder, VAULT, KUBERNETES, hosts), server, folder / "reports")
    finally:
        server.discard()


@pytest.fixture(scope="module")
def applied(platform: Platform) -> Platform:
    """The platform after the first run from zero, as loud as it can be."""
    first = platform.inventory.play("configure", "--diff", "-vvvv").succeeded()
    hides(first.output, platform.secrets())
    return platform


def hides(text: str, secrets: list[str]) -> None:
    for number, secret in enumerate(secrets):
        assert len(secret) >= 8, f"secret {number} is too short to be looked for"
        assert secret not in text, f"secret {number} of {len(secrets)} was printed"


def test_the_platform_works(applied: Platform, postgresql: PostgreSql, cluster: kubernetes_api.LocalKubeApi) -> None:
    admin = applied.admin()
    assert {"external-secrets", "cicd", "application", "admin"} <= set(admin.sys.list_policies()["data"]["policies"])
    methods = set(admin.sys.list_auth_methods()["data"])
    assert {"approle/", f"{KUBERNETES}/", f"{KUBERNETES}-jwt/"} <= methods
    assert "ldap/" not in methods, "this product has no such method, and nobody asked for it"
    assert {"secret/", "database/", "pki-root/", "pki/"} <= set(admin.sys.list_mounted_secrets_engines()["data"])

    # the operator's service account, by both ways, as the real API server signs its tokens
    audiences = ("vault", kubernetes_api.AUDIENCE)
    tokens = [
        admin.write(f"auth/{KUBERNETES}/login", role="external-secrets",
                    jwt=cluster.token("external-secrets", "external-secrets", *audiences)),
        admin.write(f"auth/{KUBERNETES}-jwt/login", role="external-secrets",
                    jwt=cluster.token("external-secrets", "external-secrets", "vault")),
    ]  # fmt: skip
    for login in tokens:
        assert login["auth"]["token_policies"] == ["default", "external-secrets"]
        assert login["auth"]["lease_duration"] == 900
    operator = applied.vault.client(tokens[0]["auth"]["client_token"])

    # database users that really come and go
    for role, statement in (("readonly", "SELECT id FROM orders"), ("readwrite", "INSERT INTO orders VALUES (1)")):
        lease = operator.read(f"database/creds/{role}")
        user = lease["data"]
        postgresql.query(statement, user["username"], user["password"])
        admin.sys.revoke_lease(lease["lease_id"])
        assert not postgresql.login(user["username"], user["password"])
    assert not postgresql.login("vault", POSTGRESQL_PASSWORD), "from the first run on only Vault knows the password"

    # certificates, within the role's limits
    issued = operator.write("pki/issue/web-app-cert", common_name="web-app.example.com")["data"]
    assert len(issued["ca_chain"]) == 2
    with pytest.raises(hvac.exceptions.InvalidRequest):
        operator.write("pki/issue/web-app-cert", common_name="web-app.example.org")
    # the operator revokes its token after each refresh, and the certificate must outlive that
    operator.auth.token.revoke_self()
    assert admin.read(f"pki/cert/{issued['serial_number']}")["data"]["revocation_time"] == 0

    folder = applied.inventory.folder / "credentials" / VAULT
    assert stat.S_IMODE((folder / "web-app.key").stat().st_mode) == 0o600
    assert (folder / "web-app.fullchain.crt").read_text().count("BEGIN CERTIFICATE") >= 2

    # a service account reads what is named like itself, and nothing else
    login = admin.write(f"auth/{KUBERNETES}/login", role="application",
                        jwt=cluster.token("sample", "sample-app", *audiences))  # fmt: skip
    application = applied.vault.client(login["auth"]["client_token"])
    read = application.secrets.kv.v2.read_secret
    assert read("applications/sample-app", raise_on_deleted_version=True)["data"]["data"]["username"] == "sample"
    with pytest.raises(hvac.exceptions.Forbidden):
        read("applications/web-app", raise_on_deleted_version=True)

    # the pipeline, by the credentials that were kept for it
    role_id, secret_id = ((folder / f"cicd-pipeline-{name}").read_text().strip() for name in ("role-id", "secret-id"))
    login = admin.auth.approle.login(role_id, secret_id, use_token=False)
    assert login["auth"]["token_policies"] == ["cicd", "default"]


def test_every_secret_of_a_store_may_be_read_by_its_role(applied: Platform, cluster: kubernetes_api.KubeApi) -> None:
    """The guides' own policy covered half of what their ExternalSecret reads."""
    admin = applied.admin()
    roles = {"vault-backend": "external-secrets", "vault-jwt": "external-secrets", "vault-approle": "external-secrets"}
    items = cluster.call("get", "/apis/external-secrets.io/v1/externalsecrets")["items"]
    paths: set[str] = set()
    for item in items:
        spec = item["spec"]
        references = [one["remoteRef"] for one in spec.get("data", [])]
        references += [one["extract"] for one in spec.get("dataFrom", []) if "extract" in one]
        if item["metadata"]["namespace"] != "sample" and references:
            assert roles[spec["secretStoreRef"]["name"]] == "external-secrets"
            paths |= {f"secret/data/{reference['key']}" for reference in references}
    assert len(paths) >= 6
    token = admin.auth.token.create(policies=["external-secrets"], ttl="5m")["auth"]["client_token"]
    answer = admin.write("sys/capabilities", token=token, paths=sorted(paths))["data"]
    assert {path: answer[path] for path in paths} == {path: ["read"] for path in paths}
    for path in paths:
        assert admin.read(path), f"{path} is read by an ExternalSecret, and not there"


def test_a_second_run_changes_nothing(applied: Platform) -> None:
    again = applied.inventory.play("configure").succeeded()
    assert again.changed_tasks() == []
    assert again.changed == 0


def test_check_and_diff_have_nothing_to_show(applied: Platform) -> None:
    shown = applied.inventory.play("configure", "--check", "--diff").succeeded()
    assert shown.changed == 0
    assert not re.search(r"^(---|\+\+\+|@@) ", shown.output, re.MULTILINE)


def test_drift_reports_exactly_what_was_changed_by_hand(applied: Platform) -> None:
    run = applied.inventory.play("drift").succeeded()
    assert applied.report()["status"] == "clean"
    assert run.changed == 0
    assert applied.report()["compared"] > 50
    assert [part["warnings"] for host in applied.report()["hosts"] for part in host["parts"] if part["warnings"]] == []

    admin = applied.admin()
    admin.sys.create_or_update_policy("cicd", 'path "secret/*" { capabilities = ["read"] }')
    admin.write("auth/approle/role/cicd-pipeline", token_ttl="12h", token_max_ttl="24h")
    admin.secrets.kv.v2.patch("cache/redis", {"port": "Port-By-Hand-6380"})
    run = applied.inventory.play("drift", "-e", "drift_fail=true", "-vvvv")
    assert run.rc != 0
    assert "Drift: 3 objects are not as declared, on vault-eu." in run.output
    assert applied.changes() == [
        (VAULT, "policy", "cicd"),
        (VAULT, "auth role", "approle/cicd-pipeline"),
        (VAULT, "secret", "secret/cache/redis"),
    ]
    report = applied.report()
    assert report["status"] == "drift"
    assert {host["host"]: host["status"] for host in report["hosts"]} == {VAULT: "drift", KUBERNETES: "clean"}
    fields = {
        change["name"]: set(change["fields"]) for part in report["hosts"][0]["parts"] for change in part["changes"]
    }
    assert fields["approle/cicd-pipeline"] == {"token_ttl", "token_max_ttl"}
    assert json.loads((applied.reports / "hosts" / f"{VAULT}.json").read_text())["status"] == "drift"

    page = (applied.reports / "drift.html").read_text()
    assert "cicd-pipeline" in page and "secret/cache/redis" in page
    assert not re.search(r"""(src|href)=["'](?!#)""", page), "the page needs nothing else"
    files = [path for path in applied.reports.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    everything = run.output + "".join(path.read_text() for path in files)
    hides(everything, [*applied.secrets(), "Port-By-Hand-6380"])

    # nothing was changed by looking; applying puts it right
    assert admin.read("auth/approle/role/cicd-pipeline")["data"]["token_ttl"] == 43200
    assert applied.inventory.play("configure", "--limit", VAULT).succeeded().changed_objects() == [
        'update policy "cicd"',
        'update auth role "approle/cicd-pipeline": token_max_ttl, token_ttl',
        'update secret "secret/cache/redis": port',
    ]


def test_drift_in_kubernetes(applied: Platform, cluster: kubernetes_api.KubeApi) -> None:
    path = "/apis/external-secrets.io/v1/namespaces/sample/externalsecrets/sample-app-secrets"

    def refresh_every(interval: str) -> None:
        cluster.call("patch", path, {"spec": {"refreshInterval": interval}}, "application/merge-patch+json")

    refresh_every("99h")
    run = applied.inventory.play("drift", "-e", "drift_fail=true")
    assert run.rc != 0
    assert applied.changes() == [(KUBERNETES, "ExternalSecret", "sample/sample-app-secrets")]
    refresh_every("15m")


def test_an_operator_brings_every_example_and_its_chain_holds(
    applied: Platform, cluster: kubernetes_api.LocalKubeApi, run_module: Run, tmp_path: Path
) -> None:
    """The guides' manifests, corrected, in action: each login, the templates, the certificate, the pushed values."""
    folder = applied.inventory.folder / "credentials" / VAULT
    ids = {name: (folder / f"external-secrets-{name}").read_text().strip() for name in ("role-id", "secret-id")}
    cluster.call(
        "POST",
        "/api/v1/namespaces/external-secrets/secrets",
        {"metadata": {"name": "vault-approle"}, "stringData": ids},
    )
    items = cluster.call("GET", "/apis/external-secrets.io/v1/externalsecrets")["items"]
    names = [{"name": one["metadata"]["name"], "namespace": one["metadata"]["namespace"]} for one in items]
    push = {"kind": "PushSecret", "name": "backup-secrets", "namespace": "production"}
    vault = {"url": [applied.vault.url], "ca_cert": applied.vault.ca_cert, "token": applied.vault.token}
    options = {"kubeconfig": cluster.kubeconfig, "vault": vault, "wait_timeout": 60}
    with eso_operator.running(cluster, tmp_path):
        # forced, so that nobody waits for what an operator tries again after a while
        forced = run_module("eso_sync", {**options, "external_secrets": names}, must_succeed=True)
        assert forced["summary"]["update"] == len(names) == 6
        pushed = run_module("eso_sync", {**options, "external_secrets": [push]}, must_succeed=True)
        assert pushed["versions"] == {"backups/api-credentials": 1, "backups/database-credentials": 1}
        applied.inventory.play("verify").succeeded()
    secrets = {one["metadata"]["name"]: one for one in cluster.call("GET", "/api/v1/secrets")["items"]}
    held = {
        name: {key: base64.b64decode(value).decode() for key, value in (one.get("data") or {}).items()}
        for name, one in secrets.items()
    }
    kv = applied.admin().secrets.kv.v2
    wanted = kv.read_secret("applications/web-app", raise_on_deleted_version=True)["data"]["data"]
    url = urlsplit(held["application-secrets"]["DATABASE_URL"])
    assert (url.username, unquote(str(url.password)), url.port) == ("web_app", wanted["database_password"], 5432)
    document = json.loads(held["application-secrets"]["CONFIG_JSON"])
    assert document["database"]["password"] == wanted["database_password"]
    assert document["external_apis"]["payment_gateway"]["endpoint"] == "https://payments.example.com/v1"
    assert secrets["web-app-tls"]["type"] == "kubernetes.io/tls"
    assert all(held["web-app-tls"][key].startswith("-----BEGIN") for key in ("tls.crt", "tls.key", "ca.crt"))
    assert held["redis-by-jwt"] == held["redis-by-approle"] != {}
    assert {"log_level", "username", "reporting"} <= set(held["app-secrets-batch"])
    assert held["sample-app-secrets"]["username"] == "sample"
    hides(forced.stdout + pushed.stdout, [wanted["database_password"], ids["secret-id"]])


def test_what_cannot_be_compared_hides_nothing_else(applied: Platform, tmp_path: Path) -> None:
    admin = applied.admin()
    admin.sys.create_or_update_policy(
        "half-blind",
        'path "*" { capabilities = ["read", "list", "update"] }'
        'path "sys/policies/acl/cicd" { capabilities = ["deny"] }',
    )
    admin.write("auth/approle/role/cicd-pipeline", token_ttl="2h")
    token = admin.auth.token.create(policies=["half-blind"], ttl="10m")["auth"]["client_token"]
    write_private(tmp_path / "token", token.encode())
    login = json.dumps({"vault_session_login": {"auth_method": "token", "token_file": str(tmp_path / "token")}})
    try:
        run = applied.inventory.play("drift", "-e", login)
        assert run.rc != 0
        assert "Not everything could be compared: vault-eu" in run.output
        report = applied.report()
        vault = next(host for host in report["hosts"] if host["host"] == VAULT)
        assert report["status"] == vault["status"] == "failed"
        broken = [part for part in vault["parts"] if part["status"] == "failed"]
        assert [part["part"] for part in broken] == ["policies"]
        assert "sys/policies/acl/cicd" in broken[0]["errors"][0]["message"]
        assert applied.changes() == [(VAULT, "auth role", "approle/cicd-pipeline")]
    finally:
        admin.sys.delete_policy("half-blind")
        admin.write("auth/approle/role/cicd-pipeline", token_ttl="1h")


def test_drift_says_that_nobody_could_log_in(applied: Platform, tmp_path: Path) -> None:
    write_private(tmp_path / "token", b"s.nobody-knows-this-token")
    login = json.dumps({"vault_session_login": {"auth_method": "token", "token_file": str(tmp_path / "token")}})
    run = applied.inventory.play("drift", "-e", login)
    assert run.rc != 0
    hosts = {host["host"]: host for host in applied.report()["hosts"]}
    assert hosts[VAULT]["status"] == "failed"
    assert hosts[KUBERNETES]["status"] == "clean"
    assert hosts[VAULT]["errors"] >= 1


class Exported:
    """An inventory of nothing but one cluster, whose variables are an export."""

    def __init__(self, folder: Path, server: VaultServer) -> None:
        self.server = server
        self.inventory = Inventory(folder, VAULT, KUBERNETES, {})
        shutil.rmtree(folder / "group_vars")
        (folder / "hosts.yml").write_text(f"vault_clusters: {{hosts: {{{VAULT}: }}}}\n")
        self.variables = folder / "host_vars" / VAULT
        self.variables.mkdir()
        write_private(folder / "token", server.token.encode())
        (self.variables / "connection.yml").write_text(
            f"""
vault_connection: {{url: ["{server.url}"], ca_cert: "{server.ca_cert}"}}
vault_session_login: {{auth_method: token, token_file: "{folder}/token", child: true}}
drift_report_directory: {folder}/reports
"""
        )

    def export(self) -> dict[str, str]:
        """Export the cluster; return the texts of the files of declarations."""
        folder = self.inventory.folder / "exports" / VAULT
        run = self.inventory.play("export", "-vvvv", "--diff").succeeded()
        assert "held against the server, nothing would change" in " ".join(run.output.split())
        files = {path.name: path.read_text() for path in sorted(folder.glob("vault_*.yml"))}
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
        self.said = run.output + "".join(path.read_text() for path in folder.iterdir())
        return files

    def declare(self, files: Mapping[str, str]) -> None:
        """Take an export for the declaration of the cluster."""
        for name, text in files.items():
            (self.variables / name).write_text(text)


def test_an_export_is_the_whole_declaration(
    applied: Platform, postgresql: PostgreSql, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Exported, the platform is declared by that alone: nothing differs, and an empty server becomes the same."""
    folder = tmp_path_factory.mktemp("exported")
    first = Exported(folder / "first", applied.vault)
    files = first.export()
    hides(first.said, applied.secrets())
    assert {"vault_config_policies.yml", "vault_config_auth_roles.yml", "vault_config_pki_cas.yml"} <= set(files)
    keys = re.findall(r'^#   (.*): ""$', files["vault_secrets_to_fill.yml"], re.MULTILINE)
    assert keys, files["vault_secrets_to_fill.yml"]

    # a value that is not filled in yet is named, and nothing happens
    first.declare(files)
    missing = first.inventory.play("drift", "-e", "drift_fail=true")
    assert missing.rc != 0 and "vault_secrets_to_fill" in missing.output
    filled = json.dumps({"vault_secrets_to_fill": dict.fromkeys(keys, POSTGRESQL_PASSWORD)})
    first.declare({"vault_secrets_to_fill.yml": filled})
    clean = first.inventory.play("drift", "-e", "drift_fail=true").succeeded()
    assert clean.changed == 0
    report = json.loads((first.inventory.folder / "reports" / "drift.json").read_text())
    assert report["status"] == "clean" and report["compared"] > 20

    # the other server rotates the password too
    postgresql.query(f"ALTER ROLE vault PASSWORD '{POSTGRESQL_PASSWORD}'")
    server = VaultServer(tmp_path_factory.mktemp("vault"))
    try:
        second = Exported(folder / "second", server)
        second.declare({**files, "vault_secrets_to_fill.yml": filled})
        made = second.inventory.play("configure").succeeded()
        assert made.changed > 0
        assert second.export() == files
        hides(second.said, [server.token, POSTGRESQL_PASSWORD])
    finally:
        server.discard()


def test_what_the_server_lacks_is_refused_before_anything_changes(
    new_server: Callable[..., VaultServer], tmp_path: Path
) -> None:
    """The data has the aws engine where the product has it; who is wrong about the product is told so.

    On a server that holds nothing yet, of which everything would be new.
    """
    server = new_server()
    if "aws" in server.client().list("sys/plugins/catalog/secret")["data"]["keys"]:
        pytest.skip("this product has the aws engine")
    folder = tmp_path / "inventory"
    hosts = {
        VAULT: overrides(folder, server, server.token, "postgresql://{username}:{password}@127.0.0.1:1/postgres"),
        KUBERNETES: cluster_overrides(folder, server.url, server.ca_cert, public_key_of(server)),
    }
    inventory = Inventory(folder, VAULT, KUBERNETES, hosts)
    wrong = {
        "platform_product_name": "vault",
        "platform_product_version": "1.20.4",
        "platform_aws_access_key": "unused",
        "platform_aws_secret_key": "unused",
    }

    def contents() -> list[set[str]]:
        client = server.client()
        return [
            set(client.sys.list_mounted_secrets_engines()["data"]),
            set(client.sys.list_auth_methods()["data"]),
            set(client.sys.list_policies()["data"]["policies"]),
        ]

    before = contents()
    chosen = ("--limit", VAULT, "--tags", "vault", "--skip-tags", "audit,auth")
    run = inventory.play("configure", *chosen, "-e", json.dumps(wrong))
    assert run.rc != 0
    assert 'this server has no secrets engine of type "aws"' in run.output.replace("\\", "")
    assert run.changed == 0
    assert contents() == before


def test_people_log_in_by_the_directory_where_the_product_has_that(tmp_path_factory: pytest.TempPathFactory) -> None:
    """OpenBao 2.7 lost LDAP; with 2.6 the same data declares it."""
    try:
        binary = openbao.release("2.6.2")
        directory = Directory(LDAP_PASSWORD, {"alice": PERSON_PASSWORD}, {"platform-admins": ["alice"]})
    except (openbao.Unavailable, packages.Unavailable) as reason:
        pytest.skip(str(reason))
    server = None
    try:
        server = VaultServer(tmp_path_factory.mktemp("vault-2.6"), binary=binary)
        folder = tmp_path_factory.mktemp("guides-2.6") / "inventory"
        more = f"""
platform_ldap:
  url: {directory.url}
  userattr: uid
  userdn: {directory.userdn}
  groupdn: {directory.groupdn}
  groupfilter: !unsafe "(member={{{{.UserDN}}}})"
  groupattr: cn
  binddn: {directory.binddn}
  insecure_tls: false
  starttls: false
"""
        hosts = {
            VAULT: overrides(
                folder, server, server.token, "postgresql://{username}:{password}@127.0.0.1:1/postgres", more
            ),
            KUBERNETES: cluster_overrides(folder, server.url, server.ca_cert, public_key_of(server)),
        }
        inventory = Inventory(folder, VAULT, KUBERNETES, hosts)
        parts = ("--limit", VAULT, "--tags", "vault,auth,engines,policies", "--skip-tags", "database,pki")
        first = inventory.play("configure", *parts, "-vvvv", "--diff").succeeded()
        hides(first.output, [LDAP_PASSWORD, server.token])
        login = server.client().auth.ldap.login("alice", PERSON_PASSWORD, use_token=False)
        assert set(login["auth"]["policies"]) == {"admin", "default"}
        again = inventory.play("configure", *parts).succeeded()
        assert again.changed == 0
    finally:
        directory.stop()
        if server is not None:
            server.discard()


def public_key_of(server: VaultServer) -> str:
    """Some public key for the jwt method."""
    key = serialization.load_pem_private_key((server.folder / "tls" / "server.key").read_bytes(), None).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
