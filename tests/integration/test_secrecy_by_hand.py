# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody wrote by hand, no declaration calls a secret, and the server returns in clear: no diff prints it.

Each object is written by the plain API, and the server is asked first whether it does return the secret: else nothing
would be tested. Then it is updated, removed and purged in check mode with a diff, by its module and by
``vault_configuration``.
"""

from __future__ import annotations

import datetime
import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.canaries import Canaries
from support.modules import Result, run_module
from support.openbao import VaultServer

MYSQL = "mysql-database-plugin"
POSTGRESQL = "postgresql-database-plugin"
#: addresses with a password in every form: ``%`` is the password, then what a diff is to show nevertheless
ADDRESSES: dict[str, tuple[str, str, list[str]]] = {
    "mysql": (MYSQL, "root:%@tcp(127.0.0.1:1)/shop", ["root:", "@tcp(127.0.0.1:1)/shop"]),
    "mysql-odd": (
        MYSQL,
        "root:p@s/s:%@tcp(127.0.0.1:1)/shop?parseTime=true",
        ["root:", "@tcp(127.0.0.1:1)/shop?parse"],
    ),
    "libpq": (POSTGRESQL, "host=127.0.0.1 password=% user=me dbname=shop", ["host=127.0.0.1", "user=me dbname=shop"]),
    "libpq-quoted": (POSTGRESQL, r"host=127.0.0.1 password='a b\'%' user=me", ["host=127.0.0.1", "user=me"]),
    "query": (POSTGRESQL, "postgresql://127.0.0.1:1/shop?password=%&sslmode=disable", [":1/shop?", "&sslmode=disable"]),
    "broken": (POSTGRESQL, "postgresql://me:a/%@127.0.0.1:1/shop", ["postgresql://me:", "@127.0.0.1:1/shop"]),
    # the driver takes the password for a port, and says so
    "broken-port": (POSTGRESQL, "postgresql://me:%/a@127.0.0.1:1/shop", ["postgresql://me:", "@127.0.0.1:1/shop"]),
    "ado": (POSTGRESQL, "server=127.0.0.1;user id=sa;password=a b %;database=shop", ["server=", "database=shop"]),
    "odbc": (POSTGRESQL, "odbc:server=127.0.0.1;password={a;b}}%};user id=sa", ["odbc:server=", "user id=sa"]),
}


def authority() -> tuple[str, str]:
    """Return the certificate of an authority and its private key, both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "by hand")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


@dataclass
class Scene:
    """A server, and the secrets that were written to it by hand."""

    server: VaultServer
    canaries: Canaries = field(default_factory=Canaries)

    def __post_init__(self) -> None:
        self.client = self.server.client()
        self.certificate, self.key = authority()
        for number, line in enumerate(self.key.splitlines()[1:-1]):
            self.canaries.add(f"line {number} of the private key", line)

    def secret(self, label: str) -> str:
        return self.canaries.new(label, odd=False)

    def by_hand(self, path: str, read: str = "", returns: int = 1, /, **data: Any) -> None:
        """Write by the plain API and make sure that the server returns that many of the secrets in clear, or more."""
        self.client.write_data(path, data=data)
        answer = json.dumps(self.client.read(read or path)["data"])
        kept = [label for label, core in self.canaries.cores.items() if core in json.dumps(data) and core in answer]
        assert len(kept) >= returns, f"{path} does not return what was written: nothing is tested"

    def rehearse(self, module: str, /, **options: Any) -> Result:
        """Run a module in check mode with a diff; nothing of what it says is a secret."""
        connection = {"url": [self.server.url], "ca_cert": self.server.ca_cert, "token": self.server.token}
        result = run_module(module, {**connection, **options}, check=True, diff=True)
        self.canaries.absent({f"{module} {sorted(options)}": result.stdout + result.stderr})
        assert not result.failed, result.msg
        return result

    def diffs(self, module: str, plural: str, part: str, items: list[dict[str, Any]], **purge: Any) -> Iterator[str]:
        """Yield what the module of a kind and then the whole tree would change, as text."""
        tree = {part: items, **({"purge": {part: {k: v for k, v in purge.items() if k != "purge"}}} if purge else {})}
        for result in (
            self.rehearse(module, **{plural: items}, **purge),
            self.rehearse("vault_configuration", configuration=tree),
        ):
            assert result.changed and result["diff"], result.data
            yield "\n".join(f"{one['before_header']}\n{one['before']}{one['after']}" for one in result["diff"])


@pytest.fixture
def scene(new_server: Callable[..., VaultServer]) -> Scene:
    server = new_server(unsafe_allow_api_audit_creation=True)
    scene = Scene(server)
    for name in ("database", "kv"):
        scene.client.sys.enable_secrets_engine(name, path=name)
    for name in ("jwt", "kubernetes", "cert"):
        scene.client.sys.enable_auth_method(name, path=name)
    return scene


def connections(scene: Scene) -> list[str]:
    """Write a connection with each form of address, and one with every kind of key; return their names."""
    for name, (plugin, address, _shown) in ADDRESSES.items():
        url = address.replace("%", scene.secret(f"password of {name}"))
        scene.by_hand(
            f"database/config/{name}",
            plugin_name=plugin,
            connection_url=url,
            verify_connection=False,
            allowed_roles=["old"],
        )
    details = {name: scene.secret(name) for name in ("pem_json", "service_account_json", "own_password", "api_token")}
    both = scene.certificate + scene.key
    scene.by_hand(
        "database/config/keys",
        "",
        # each of its secrets, and all lines of the key; HashiCorp Vault hides one of them itself
        len(details) + len(scene.key.splitlines()) - (2 if scene.server.product == "openbao" else 3),
        plugin_name=MYSQL,
        connection_url="{{username}}:{{password}}@tcp(127.0.0.1:1)/shop",
        username="root",
        password="x",
        tls_certificate_key=both,
        pem_bundle=both,
        some_other_file=both,
        verify_connection=False,
        allowed_roles=["old"],
        **details,
    )
    return [*ADDRESSES, "keys"]


def test_connections_of_databases(scene: Scene) -> None:
    names = connections(scene)
    placed = {"root_username": "vault", "root_password": scene.secret("root_password"), "verify_connection": False}

    def item(name: str, **options: Any) -> dict[str, Any]:
        return {"mount": "database", "name": name, **options}

    kind = ("vault_database_connection", "connections", "database_connections")
    url = "{username}:{password}@tcp(127.0.0.1:2)/other"
    update = [item(name, connection_url=url, allowed_roles=["new"], **placed) for name in names]
    for text in scene.diffs(*kind, update):
        # what is no secret is there to be compared
        for name, (_plugin, _address, shown) in ADDRESSES.items():
            assert f'database connection "database/{name}" (update)' in text
            assert all(part in text for part in shown), (shown, text)
        assert "connection_url: {{username}}:{{password}}@tcp(127.0.0.1:2)/other" in text
        assert 'allowed_roles: ["old"]' in text and 'allowed_roles: ["new"]' in text
    for text in scene.diffs(*kind, [item(name, state="absent") for name in names]):
        assert all(part in text for _plugin, _address, shown in ADDRESSES.values() for part in shown), text
        assert "tls_certificate_key: (hidden)" in text and "own_password: (hidden)" in text
    keep = [item("keys", allowed_roles=["old"])]
    for text in scene.diffs(*kind, keep, purge=True, purge_data=list(ADDRESSES)):
        assert text.count("(delete)") == len(ADDRESSES)
        assert all(part in text for _plugin, _address, shown in ADDRESSES.values() for part in shown), text


def test_messages_about_connections_of_databases(scene: Scene) -> None:
    """The server's own word about a connection that does not work, and ours about an address that is refused."""
    names = connections(scene)
    connection = {"url": [scene.server.url], "ca_cert": scene.server.ca_cert, "token": scene.server.token}
    items = [{"mount": "database", "name": name, "max_open_connections": 7} for name in names]
    tree = {"database_connections": items}
    for result in (
        run_module("vault_database_connection", {**connection, "connections": items}, diff=True),
        run_module("vault_configuration", {**connection, "configuration": tree}, diff=True),
    ):
        assert result.failed and result["summary"]["failed"], "no server said why it could not connect"
        scene.canaries.absent({"an update that fails": result.stdout + result.stderr})
    for name, (plugin, address, _shown) in ADDRESSES.items():
        url = address.replace("%", scene.secret(f"declared password of {name}"))
        item = {"mount": "database", "name": f"new-{name}", "plugin_name": plugin, "connection_url": url}
        for result in (
            run_module("vault_database_connection", {**connection, **item}, diff=True),
            run_module("vault_configuration", {**connection, "configuration": {"database_connections": [item]}}),
        ):
            assert result.failed and "the connection_url holds a password" in result.msg, (name, result.msg)
            scene.canaries.absent({f"the refusal of {name}": result.stdout + result.stderr})


def test_keys_of_authorities_in_roles_of_databases(scene: Scene) -> None:
    """The server returns the key by which such a role signs, and has no other place for it."""
    scene.client.write_data(
        "database/config/one",
        data={
            "plugin_name": MYSQL,
            "connection_url": "{{username}}:{{password}}@tcp(127.0.0.1:1)/",
            "username": "root",
            "password": "x",
            "verify_connection": False,
            "allowed_roles": "*",
        },
    )
    config = {"ca_cert": scene.certificate, "ca_private_key": scene.key, "common_name_template": "{{.DisplayName}}"}
    role = {"db_name": "one", "credential_type": "client_certificate"}
    scene.by_hand("database/roles/signs", credential_config={**config, "key_type": "ec", "key_bits": 256}, **role)
    kind = ("vault_database_role", "roles", "database_roles")
    item = {"mount": "database", "name": "signs", **role, "creation_statements": ["x"]}
    declared = {**config, "key_type": "ec", "key_bits": 384}
    for update in ({"key_bits": 384}, declared):
        for text in scene.diffs(*kind, [{**item, "credential_config": update}]):
            assert '"ca_private_key": "(hidden' in text and "384" in text and "BEGIN CERTIFICATE" in text, text
    for text in scene.diffs(*kind, [{"mount": "database", "name": "signs", "state": "absent"}]):
        assert '"ca_private_key": "(hidden)"' in text and "db_name: one" in text, text
    another = [{**item, "name": "another", "credential_config": declared}]
    for text in scene.diffs(*kind, another, purge=True):
        assert 'database role "database/signs" (delete)' in text, text


def test_configurations_of_auth_methods(scene: Scene) -> None:
    discovery = {
        "oidc_discovery_url": f"{scene.server.url}/v1/identity/oidc",
        "oidc_discovery_ca_pem": scene.server.authority.ca.read_text(),
        "oidc_client_id": "vault",
    }
    scene.by_hand(
        "auth/jwt/config",
        **discovery,
        oidc_client_secret=scene.secret("oidc_client_secret"),
        provider_config={"provider": "azure", "client_secret": scene.secret("client_secret of a provider")},
    )
    scene.by_hand(
        "auth/kubernetes/config",
        kubernetes_host=f"https://me:{scene.secret('password in kubernetes_host')}@10.0.0.1:6443",
        kubernetes_ca_cert=scene.server.authority.ca.read_text(),
        token_reviewer_jwt=scene.secret("token_reviewer_jwt"),
    )
    methods = [
        {
            "path": "jwt",
            "type": "jwt",
            "config": {**discovery, "provider_config": {"provider": "azure", "tenant": "new"}},
            "secret_config": {"oidc_client_secret": scene.secret("declared oidc_client_secret")},
        },
        {
            "path": "kubernetes",
            "type": "kubernetes",
            "config": {"kubernetes_host": "https://10.0.0.2:6443"},
            "secret_config": {"token_reviewer_jwt": scene.secret("declared token_reviewer_jwt")},
        },
    ]
    kind = ("vault_auth", "methods", "auth_methods")
    for text in scene.diffs(*kind, methods):
        assert '"client_secret": "(hidden)"' in text and '"provider": "azure"' in text, text
        assert "config.kubernetes_host: https://me:(hidden)@10.0.0.1:6443" in text, text
    absent = [{"path": name, "state": "absent"} for name in ("jwt", "kubernetes")]
    for text in scene.diffs(*kind, absent):
        assert 'auth method "kubernetes" (delete)' in text
    names = ["jwt", "kubernetes", "cert"]
    for text in scene.diffs(*kind, [{"path": "userpass", "type": "userpass"}], purge=True, purge_data=names):
        assert text.count("(delete)") == len(names)


def test_roles_of_auth_methods(scene: Scene) -> None:
    """Somebody gave the file with the certificate, in which the key is too."""
    scene.by_hand("auth/cert/certs/web", certificate=scene.certificate + scene.key, display_name="web")
    kind = ("vault_auth_role", "roles", "auth_roles")
    item = {"mount": "cert", "type": "cert", "name": "web"}
    other = [{**item, "options": {"certificate": scene.server.authority.ca.read_text(), "display_name": "new"}}]
    for text in scene.diffs(*kind, other):
        assert "display_name: web" in text and "BEGIN CERTIFICATE" in text, text
    for text in scene.diffs(*kind, [{**item, "state": "absent"}]):
        assert "display_name: web" in text, text


METADATA: dict[str, tuple[str, str, str, str, dict[str, Any], dict[str, Any]]] = {
    "entity": (
        *("identity/entity", "identity/entity/name/ada", "metadata"),
        "vault_identity_entity:entities:identity_entities",
        {"name": "ada"},
        {"name": "ada"},
    ),
    "group": (
        *("identity/group", "identity/group/name/ops", "metadata"),
        "vault_identity_group:groups:identity_groups",
        {"name": "ops", "type": "internal"},
        {"name": "ops", "type": "internal"},
    ),
    "namespace": (
        *("sys/namespaces/team", "", "custom_metadata"),
        "vault_namespace:namespaces:namespaces",
        {},
        {"name": "team"},
    ),
}


@pytest.mark.parametrize("name", METADATA)
def test_metadata(scene: Scene, name: str) -> None:
    path, read, option, names, body, item = METADATA[name]
    module, plural, part = names.split(":")
    if name == "namespace" and scene.server.product != "openbao":
        pytest.skip("namespaces need OpenBao or HashiCorp Vault Enterprise")
    noted = {"password": scene.secret("password"), "api_key": scene.secret("api_key"), "note": scene.key, "team": "old"}
    scene.by_hand(path, read, len(scene.key.splitlines()), **body, **{option: noted})
    for text in scene.diffs(module, plural, part, [{**item, option: {"team": "new"}}]):
        assert '"team": "old"' in text and '"team": "new"' in text and '"password": "(hidden)"' in text, text
    if name != "namespace":
        for text in scene.diffs(module, plural, part, [{"name": item["name"], "state": "absent"}]):
            assert "(delete)" in text


def test_metadata_of_secrets(scene: Scene) -> None:
    scene.client.sys.enable_secrets_engine("kv", path="noted", options={"version": "2"})
    noted = {"password": scene.secret("password in custom_metadata"), "team": "old"}
    scene.by_hand("noted/metadata/app", custom_metadata=noted)
    kind = ("vault_kv", "secrets", "secrets")
    item = {"mount": "noted", "path": "app", "metadata": {"custom_metadata": {"team": "new"}}}
    for text in scene.diffs(*kind, [item]):
        assert "old" in text and "new" in text, text


def test_options_of_mounts(scene: Scene) -> None:
    scene.by_hand("sys/mounts/kv/tune", options={"password": scene.secret("option of a mount"), "team": "old"})
    kind = ("vault_secrets_engine", "engines", "secrets_engines")
    for text in scene.diffs(*kind, [{"path": "kv", "state": "absent"}]):
        assert "options.password: (hidden)" in text and "options.team: old" in text, text
    found = scene.rehearse("vault_info", gather_subset=["mounts"])
    assert found["mounts"]["kv/"]["options"] == {"password": "(hidden)", "team": "old"}, found["mounts"]
    path = {"path": "sys/mounts/kv/tune", "data": {"options": {"team": "new"}}}
    for text in scene.diffs("vault_endpoint", "endpoints", "endpoints", [path]):
        assert '"team": "old"' in text and '"password": "(hidden)"' in text, text


class _Collector(http.server.BaseHTTPRequestHandler):
    """Takes what an audit device sends."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


def test_options_of_audit_devices(scene: Scene) -> None:
    """A device that sends to a collector: the credential for that stands in its options."""
    if scene.server.product != "openbao":
        pytest.skip("only OpenBao has audit devices of type http")
    collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    try:
        headers = {"Authorization": ["Bearer " + scene.secret("token of a collector")], "X-Team": ["shop"]}
        uri = f"http://me:{scene.secret('password in a collector')}@127.0.0.1:{collector.server_port}/x"
        options: Mapping[str, str] = {"uri": uri, "headers": json.dumps(headers)}
        scene.by_hand("sys/audit/away", "sys/audit", 2, type="http", options=options)
        kind = ("vault_audit", "devices", "audit_devices")
        for text in scene.diffs(*kind, [{"path": "away", "state": "absent"}], remove_last=True):
            assert "X-Team" in text and "http://me:(hidden)@127.0.0.1" in text, text
    finally:
        scene.client.sys.disable_audit_device("away")
        collector.shutdown()
