# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How requests travel: certificates, proxies, redirects, connections that end, servers that say nothing.

Vault itself does none of this on demand, so most of the servers here are small ones that answer as its API does.
"""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes import errors as kubernetes_errors
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes import options as kubernetes_options
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.client import Client as KubernetesClient
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.client import Client
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.errors import (
    Unreachable,
    VaultError,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.options import connect
from support.local import Authority, Pair, connect_proxy, write_private
from support.modules import run_module
from support.openbao import VaultServer


@dataclass
class Told:
    """What a small server was asked, and by how many connections."""

    url: str = ""
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    connections: int = 0


@contextmanager
def small_server(host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, rude: bool = False) -> Iterator[Told]:
    """Answer every request with data; ``rude`` closes each connection without having said so.

    Of the answer to a path that ends in ``cut``, the connection breaks after the first bytes.
    """
    told = Told()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def setup(self) -> None:
            told.connections += 1
            super().setup()

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told.requests.append((self.command, self.path, dict(self.headers), body))
            if self.path == "/v1/slow":
                threading.Event().wait(3)
            status = 307 if self.path == "/v1/moved" else 200
            content = json.dumps({"request_id": "1", "data": {"path": self.path}}).encode()
            self.send_response(status)
            if status == 307:
                self.send_header("Location", told.url + "/v1/there")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            cut = self.path.endswith("/cut")
            self.wfile.write(content[:5] if cut else content)
            if rude or cut:
                self.close_connection = True

        do_GET = do_LIST = do_POST = do_DELETE = answer  # noqa: N815  (the server's way to name them)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that refuses the certificate is what some tests want."""

    server = Server((host, 0), Handler)
    told.url = "%s://%s:%d" % ("https" if tls else "http", host, server.server_address[1])
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority", "an authority")


def serving(pair: Pair, clients: Path | None = None) -> ssl.SSLContext:
    """Return the TLS settings of a server, with ``clients`` of one that wants a certificate of that CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    if clients:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def kubernetes_client(url: str, authority: Authority) -> KubernetesClient:
    """Return a client of a Kubernetes API server at an address."""
    return kubernetes_options.connect({"host": url, "api_key": "a-key", "ca_cert": str(authority.ca), "retries": 0})


@pytest.fixture(autouse=True)
def no_proxy_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_one_connection_serves_many_requests(openbao: VaultServer) -> None:
    client = Client([openbao.url], token=openbao.token, ca_cert=openbao.ca_cert)
    assert client.read("sys/auth")
    kept = [server for server in client.session._servers.values() if server is not None]
    assert [len(server.idle) for server in kept] == [1]
    connection = kept[0].idle[0]
    for _again in range(5):
        assert client.read("sys/auth")
    assert list(kept[0].idle) == [connection]
    client.close()
    assert connection.sock is None


@pytest.mark.parametrize("rude", [False, True])
def test_a_connection_that_ended_meanwhile_is_made_anew(rude: bool) -> None:
    with small_server(rude=rude) as told:
        client = Client([told.url], token="s.any", retries=0)
        for number in range(4):
            # a write that must not be repeated, so that nothing is hidden by a second attempt
            assert (
                client.write("a/%d" % number, {"key": "value"}, idempotent=False)["data"]["path"] == "/v1/a/%d" % number
            )
            if rude:
                for server in client.session._servers.values():
                    assert server is not None
                    # the end of the connection is on its way
                    server.idle[0].sock.settimeout(5)
                    assert server.idle[0].sock.recv(1, socket.MSG_PEEK) == b""
        client.close()
    assert told.connections == (4 if rude else 1)
    assert [json.loads(body) for _method, _path, _headers, body in told.requests] == [{"key": "value"}] * 4


def test_what_is_sent(authority: Authority) -> None:
    with small_server(tls=serving(authority.issue("server"))) as told:
        client = Client([told.url], token="s.any", namespace="team/a", ca_cert=str(authority.ca))
        client.read("kv/data/a b/ü%2Fx", {"version": 2, "of": "a&b"})
        client.list("kv/metadata")
        client.delete("kv/data/x")
    (get, listed, deleted) = told.requests
    assert get[:2] == ("GET", "/v1/kv/data/a%20b/%C3%BC%2Fx?version=2&of=a%26b")
    assert get[2]["X-Vault-Token"] == "s.any"
    assert get[2]["X-Vault-Namespace"] == "team/a"
    assert get[2]["X-Vault-Request"] == "true"
    assert listed[:2] == ("LIST", "/v1/kv/metadata")
    assert deleted[0] == "DELETE"


def test_a_redirect_is_followed_or_named() -> None:
    with small_server() as told:
        assert Client([told.url], token="s.any").read("moved") == {"path": "/v1/there"}
        with pytest.raises(VaultError, match="the node answers with a redirect instead of forwarding the request"):
            Client([told.url], token="s.any", follow_redirects=False).read("moved")


def test_a_percent_sign_is_quoted_where_it_quotes_nothing(openbao: VaultServer, unique: str) -> None:
    openbao.client().sys.enable_secrets_engine("kv", unique, options={"version": "1"})
    client = Client([openbao.url], token=openbao.token, ca_cert=openbao.ca_cert)
    for path, name in (("100%", "100%"), ("5%zz", "5%zz"), ("%", "%"), ("a%20b%2", "a b%2"), ("50%25", "50%")):
        client.write(f"{unique}/{path}", {"key": name})
        assert client.list(unique) == [name]
        assert client.read(f"{unique}/{path}") == {"key": name}
        client.delete(f"{unique}/{path}")
        assert client.list(unique) == []
    openbao.client().sys.disable_secrets_engine(unique)


def test_no_answer_in_time() -> None:
    with small_server() as told, pytest.raises(Unreachable, match="no answer within 1 seconds"):
        Client([told.url], token="s.any", timeout=1, retries=0).read("slow")


def test_another_name_than_the_address(authority: Authority) -> None:
    with small_server("127.0.0.2", serving(authority.issue("server"))) as told:
        with pytest.raises(Unreachable, match="the server's certificate is for another name"):
            Client([told.url], token="s.any", ca_cert=str(authority.ca), retries=0).read("x")
        client = Client([told.url], token="s.any", ca_cert=str(authority.ca), tls_server_name="localhost")
        assert client.read("x") == {"path": "/v1/x"}
        # a redirect goes the same way
        assert client.read("moved") == {"path": "/v1/there"}


def test_no_validation_and_a_folder_of_authorities(authority: Authority, tmp_path: Path) -> None:
    with small_server(tls=serving(authority.issue("server"))) as told:
        assert Client([told.url], token="s.any", validate_certs=False).read("x") == {"path": "/v1/x"}
        folder = tmp_path / "authorities"
        folder.mkdir()
        hashed = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(authority.ca)]
        name = subprocess.run(hashed, capture_output=True, text=True, check=True).stdout.strip()
        (folder / f"{name}.0").write_bytes(authority.ca.read_bytes())
        assert Client([told.url], token="s.any", ca_cert=str(folder)).read("x") == {"path": "/v1/x"}


def test_a_client_certificate(authority: Authority, tmp_path: Path) -> None:
    mine = authority.issue("me")
    with small_server(tls=serving(authority.issue("server"), clients=authority.ca)) as told:
        common: dict[str, Any] = {"token": "s.any", "ca_cert": str(authority.ca), "retries": 0}
        with pytest.raises(Unreachable):
            Client([told.url], **common).read("x")
        client = Client([told.url], client_cert=str(mine.cert), client_key=str(mine.key), **common)
        assert client.read("x") == {"path": "/v1/x"}
        both = tmp_path / "both.pem"
        write_private(both, mine.cert.read_bytes() + mine.key.read_bytes())
        assert Client([told.url], client_cert=str(both), **common).read("x") == {"path": "/v1/x"}

        key = serialization.load_pem_private_key(mine.key.read_bytes(), None)
        locked = tmp_path / "locked.key"
        encryption = serialization.BestAvailableEncryption(b"a password")
        pkcs8 = serialization.PrivateFormat.PKCS8
        write_private(locked, key.private_bytes(serialization.Encoding.PEM, pkcs8, encryption))
        with pytest.raises(Unreachable, match="TLS failed"):
            Client([told.url], client_cert=str(mine.cert), client_key=str(locked), **common).read("x")


def test_through_a_proxy(openbao: VaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect_proxy() as (proxy, targets):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        client = Client([openbao.url], token=openbao.token, ca_cert=openbao.ca_cert)
        assert client.read("sys/auth")
        assert targets == [openbao.url.removeprefix("https://")]
        client.close()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        client = Client([openbao.url], token=openbao.token, ca_cert=openbao.ca_cert)
        assert client.read("sys/auth")
        assert len(targets) == 1
        client.close()


def test_through_a_proxy_that_an_option_names(openbao: VaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # the environment has another one, and says that none is to be taken
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    target = openbao.url.removeprefix("https://")
    with connect_proxy() as (proxy, targets):
        options = {"url": [openbao.url], "token": openbao.token, "ca_cert": openbao.ca_cert, "retries": 0}
        run_module("vault_info", {**options, "proxy": proxy}, must_succeed=True)
        assert set(targets) == {target}
        for number, name in enumerate(("VAULT_HTTP_PROXY", "VAULT_PROXY_ADDR", "BAO_PROXY_ADDR")):
            monkeypatch.setenv(name, proxy if number else proxy + "/")
            targets.clear()
            client = connect({**options, "timeout": 10, "follow_redirects": True}, openbao.token)
            assert client.read("sys/auth")
            assert targets == [target]
            client.close()
        broken = run_module("vault_info", {**options, "proxy": "http://[::1"})
        assert broken.failed and 'is not the URL of a proxy; correct HTTPS_PROXY or the option "proxy"' in broken["msg"]


def test_a_ca_bundle_of_the_environment(
    openbao: VaultServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    # for what names no CA; one that is named goes before
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", openbao.ca_cert)
    assert Client([openbao.url], token=openbao.token).read("sys/auth")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca))
    assert Client([openbao.url], token=openbao.token, ca_cert=openbao.ca_cert).read("sys/auth")
    with pytest.raises(Unreachable, match="not signed by a CA that this machine trusts"):
        Client([openbao.url], token=openbao.token, retries=0).read("sys/auth")


def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(Unreachable, match="the name does not resolve"):
        Client(["https://nowhere.invalid:8200"], token="s.any", retries=0).read("x")


@pytest.mark.parametrize(
    ("days", "said"),
    [((-9, -1), "or one of its issuers, has expired"), ((1, 9), "or one of its issuers, is not yet valid")],
)
def test_a_certificate_out_of_its_time(authority: Authority, days: tuple[float, float], said: str) -> None:
    with small_server(tls=serving(authority.issue("server", days=days))) as told:
        with pytest.raises(Unreachable, match=said) as failure:
            Client([told.url], token="s.any", ca_cert=str(authority.ca)).read("x")
        assert failure.value.tls and not failure.value.retryable
        with pytest.raises(kubernetes_errors.Unreachable, match=said):
            kubernetes_client(told.url, authority).get("/version")


def test_one_server_that_is_not_trusted_is_left_to_the_others(
    openbao: VaultServer, authority: Authority, tmp_path: Path
) -> None:
    both = tmp_path / "bundle.crt"
    both.write_text(authority.ca.read_text() + Path(openbao.ca_cert).read_text())
    with small_server(tls=serving(authority.issue("server", days=(-9, -1)))) as told:
        for urls in ([told.url, openbao.url], [openbao.url, told.url]):
            client = Client(urls, token=openbao.token, ca_cert=str(both))
            assert client.read("sys/auth") and client.url == openbao.url
            client.close()
            found = run_module(
                "vault_policy",
                {"url": urls, "token": openbao.token, "ca_cert": str(both), "name": "trust", "state": "absent"},
                must_succeed=True,
            )
            said = " ".join(map(str, found["warnings"]))
            assert told.url in said and "has expired" in said and "The other addresses are used" in said
        # nothing else serves: the reason is told
        with pytest.raises(Unreachable, match="has expired"):
            Client([told.url, "https://127.0.0.1:1"], token="s.any", ca_cert=str(both), retries=0).read("x")


def test_a_missing_client_certificate_is_told_as_such(authority: Authority) -> None:
    said = "the server refuses the client certificate, or misses one"
    tls = serving(authority.issue("server"), clients=authority.ca)
    with small_server(tls=tls) as told, pytest.raises(Unreachable, match=said):
        Client([told.url], token="s.any", ca_cert=str(authority.ca)).read("x")


def test_a_dead_proxy_is_not_the_server(
    openbao: VaultServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = socket.create_server(("127.0.0.1", 0))
    proxy = "http://user:a-password@127.0.0.1:%d" % dead.getsockname()[1]
    dead.close()
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    said = "the proxy http://127.0.0.1:[0-9]+ failed: connection refused; correct HTTPS_PROXY"
    with pytest.raises(Unreachable, match=said) as failure:
        Client([openbao.url], token=openbao.token, ca_cert=openbao.ca_cert).read("sys/auth")
    assert "a-password" not in str(failure.value)
    with pytest.raises(kubernetes_errors.Unreachable, match=said):
        kubernetes_client("https://127.0.0.1:1", authority).get("/version")


def test_a_connection_that_breaks_behind_a_proxy_names_it(
    openbao: VaultServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "closed, through the proxy http://127.0.0.1:[0-9]+; .*, or name the server in NO_PROXY"
    with connect_proxy(cuts=True) as (proxy, _targets):
        monkeypatch.setenv("HTTPS_PROXY", proxy.replace("//", "//user:a-password@"))
        with pytest.raises(Unreachable, match=said) as failure:
            Client([openbao.url], token=openbao.token, ca_cert=openbao.ca_cert, retries=0).read("sys/auth")
        assert "a-password" not in str(failure.value)
        with pytest.raises(kubernetes_errors.Unreachable, match=said):
            kubernetes_client("https://127.0.0.1:1", authority).get("/version")


def test_an_answer_that_breaks_off_behind_a_proxy_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with small_server() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        client = Client(["http://vault.invalid:8200"], token="s.any", retries=0)
        said = "closed in the middle of the answer, through the proxy %s;" % proxy.url
        with pytest.raises(Unreachable, match=said):
            client.read("secret/cut")
        # a snapshot is fetched piece by piece
        with (
            pytest.raises(Unreachable, match=said),
            client.reaching(client.url),
            client.session.transfer("GET", client.url + "/v1/snapshot/cut", {}, None, 10) as (_answer, pieces),
        ):
            list(pieces)


def test_a_redirect_to_a_named_address_keeps_method_and_body() -> None:
    with small_server() as active, small_server() as standby:
        standby_url, standby.url = standby.url, active.url
        client = Client([standby_url, active.url], token="s.any", retries=0)
        client.url, client._chosen = standby_url, True
        assert client.write("moved", {"key": "value"})["data"]["path"] == "/v1/there"
        method, path, headers, body = active.requests[-1]
        assert (method, path, headers["X-Vault-Token"]) == ("POST", "/v1/there", "s.any")
        assert json.loads(body) == {"key": "value"}
        before = len(active.requests)
        with pytest.raises(VaultError, match="which is not followed: that is not an address that was named"):
            Client([standby_url], token="s.any", retries=0).write("moved", {"key": "value"})
        assert len(active.requests) == before
