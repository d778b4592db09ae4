# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookups by real playbooks: one login, one read of each path, the token revoked however the run ends, masked values.

The server's own audit log says what it was asked for.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable

import hvac
import pytest

from support.local import connect_proxy
from support.openbao import VaultServer
from support.system import BIN, ROOT

PASSWORD = "p4ss-of-the-web-app-by-lookup"
POLICY = 'path "secret/*" { capabilities = ["read", "list"] }\npath "old/*" { capabilities = ["read", "list"] }'
KV = "secretops.vault_eso.vault_kv"
READ = "secretops.vault_eso.vault_read"
LIST = "secretops.vault_eso.vault_list"


class Scene:
    """A server with an audit log, an AppRole that may read, and a folder to run playbooks in."""

    def __init__(self, server: VaultServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.log = server.folder / "audit.log"
        client = server.client()
        client.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
        client.sys.enable_secrets_engine("kv", path="old", options={"version": "1"})
        client.sys.enable_auth_method("approle")
        client.sys.create_or_update_policy("reader", POLICY)
        client.auth.approle.create_or_update_approle("reader", token_policies=["reader"], token_ttl="1h")
        self.role_id = client.auth.approle.read_role_id("reader")["data"]["role_id"]
        self.secret_id = client.auth.approle.generate_secret_id("reader")["data"]["secret_id"]
        kv = client.secrets.kv.v2
        for attempt in range(50):
            try:
                kv.create_or_update_secret("applications/web-app", {"password": "of yesterday", "user": "web"})
                break
            except hvac.exceptions.VaultError:  # the engine is being upgraded
                if attempt == 49:
                    raise
                time.sleep(0.1)
        kv.create_or_update_secret("applications/web-app", {"password": PASSWORD, "user": "web"})
        kv.create_or_update_secret("applications/gone", {"password": "x"})
        kv.delete_latest_version_of_secret("applications/gone")
        kv.create_or_update_secret("forbidden", {"password": "x"})
        client.sys.create_or_update_policy(
            "reader", POLICY + '\npath "secret/data/forbidden" { capabilities = ["deny"] }'
        )
        client.secrets.kv.v1.create_or_update_secret("db", {"password": "old-engine"}, mount_point="old")

    @property
    def approle(self) -> dict[str, str]:
        """Connection and login by the variables of the other collection."""
        return {
            "ansible_hashi_vault_url": self.server.url,
            "ansible_hashi_vault_ca_cert": self.server.ca_cert,
            "ansible_hashi_vault_auth_method": "approle",
            "ansible_hashi_vault_role_id": self.role_id,
            "ansible_hashi_vault_secret_id": self.secret_id,
        }

    def write(self, tasks: list[dict[str, Any]], hosts: int = 1, **play: Any) -> list[str]:
        """Write playbook and inventory and return the command that runs them."""
        names = "\n".join(f"host{number}" for number in range(hosts))
        (self.folder / "hosts").write_text(
            f"{names}\n[all:vars]\nansible_connection=local\n"
            "ansible_python_interpreter={{ ansible_playbook_python }}\n"
        )
        book = [{"hosts": "all", "gather_facts": False, "tasks": tasks, **play}]
        (self.folder / "play.yml").write_text(json.dumps(book))
        return [str(BIN / "ansible-playbook"), "-i", str(self.folder / "hosts"), str(self.folder / "play.yml")]

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment without any Vault of the caller's."""
        drop = ("VAULT_", "BAO_", "ANSIBLE_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(drop)}
        return {
            **clean,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "HOME": str(self.folder),
            **more,
        }

    def play(
        self,
        tasks: list[dict[str, Any]],
        *arguments: str,
        hosts: int = 1,
        env: dict[str, str] | None = None,
        **play: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Run a playbook by the AppRole, or by what ``vars`` and ``env`` say."""
        play.setdefault("vars", self.approle)
        return subprocess.run(
            [*self.write(tasks, hosts, **play), *arguments],
            cwd=self.folder,
            env=self.environment(**(env or {})),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def asked(self, since: int = 0) -> list[tuple[str, str]]:
        """Return operation and path of the requests in the audit log after a position, without our own."""
        found = []
        for line in self.log.read_bytes()[since:].decode().splitlines():
            entry = json.loads(line)
            mine = "root" in (entry.get("auth") or {}).get("policies", [])
            if entry["type"] == "request" and not mine:
                found.append((entry["request"]["operation"], entry["request"]["path"]))
        return found

    def position(self) -> int:
        """Return where the audit log ends now."""
        return self.log.stat().st_size

    def living(self) -> list[str]:
        """Return the names of the tokens that are valid now, without our own."""
        client = self.server.client()
        names = []
        for accessor in client.list("auth/token/accessors")["data"]["keys"]:
            # it may end in between
            with suppress(hvac.exceptions.VaultError):
                names.append(client.auth.token.lookup_accessor(accessor)["data"]["display_name"])
        return [name for name in names if name != "root"]

    def wait_for_none(self) -> None:
        """Wait until no token lives any more."""
        until = time.monotonic() + 60
        while self.living() and time.monotonic() < until:
            time.sleep(0.05)
        assert self.living() == []


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("lookups")
    device = {"type": "file", "path": "file", "options": {"file_path": str(folder / "audit.log")}}
    server = VaultServer(folder, audit=[device])
    try:
        yield Scene(server, tmp_path_factory.mktemp("plays"))
    finally:
        server.discard()


def debug(expression: str, mask: bool = False, **task: Any) -> dict[str, Any]:
    """A task that prints what an expression gives."""
    return {"ansible.builtin.debug": {"msg": expression}, "vars": {"vault_lookup_mask": mask}, **task}


def kv(terms: str, **options: Any) -> str:
    """A template with a lookup of KV."""
    given = "".join(f", {name}={value!r}" for name, value in options.items())
    return f"{{{{ lookup('{KV}', '{terms}'{given}) }}}}"


def logins(asked: list[tuple[str, str]]) -> int:
    return sum(path.endswith("/login") for _operation, path in asked)


def test_one_login_and_one_read_over_hosts_forks_and_templates(scene: Scene) -> None:
    start = scene.position()
    password = kv("applications/web-app", field="password")
    tasks = [
        debug("{{ password }}", when="password is defined"),
        debug(kv("applications/web-app", version=1) + "{{ password }}", loop=[1, 2]),
        {"ansible.builtin.set_fact": {"user": kv("applications/web-app", field="user")}},
        {"ansible.builtin.assert": {"that": ["user == 'web'"]}},
    ]
    result = scene.play(tasks, "--forks", "5", hosts=10, vars={**scene.approle, "password": password})
    assert result.returncode == 0, result.stdout + result.stderr
    scene.wait_for_none()
    asked = scene.asked(start)
    assert logins(asked) == 1, asked
    reads = [path for operation, path in asked if path == "secret/data/applications/web-app"]
    assert len(reads) == 2, asked  # the current version, and version 1
    assert asked.count(("read", "sys/internal/ui/mounts/secret")) == 1
    assert ("update", "auth/token/revoke-self") in asked
    assert len(asked) == 6, asked
    assert "Traceback" not in result.stdout + result.stderr


def test_a_thousand_lookups_over_a_hundred_hosts(scene: Scene) -> None:
    client = scene.server.client()
    for number in range(10):
        client.secrets.kv.v2.create_or_update_secret(f"many/app{number}", {"password": f"value{number}"})
    start = scene.position()
    conditions = [f"lookup('{KV}', 'many/app{number}', field='password') == 'value{number}'" for number in range(10)]
    result = scene.play([{"ansible.builtin.assert": {"that": conditions, "quiet": True}}], "--forks", "10", hosts=100)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr
    assert result.stdout.count("ok=1 ") == 100
    scene.wait_for_none()
    asked = scene.asked(start)
    once = [
        *(("read", f"secret/data/many/app{number}") for number in range(10)),
        ("read", "sys/internal/ui/mounts/secret"),
        ("update", "auth/approle/login"),
        ("update", "auth/token/renew-self"),
        ("update", "auth/token/revoke-self"),
    ]
    assert sorted(asked) == once, asked


def test_values(scene: Scene) -> None:
    found = {
        "whole": f"lookup('{KV}', 'applications/web-app')",
        "field": f"lookup('{KV}', '/applications/web-app/', field='password')",
        "version": f"lookup('{KV}', 'applications/web-app', version=1, field='password')",
        "metadata": f"lookup('{KV}', 'applications/web-app', metadata=true)",
        "many": f"query('{KV}', 'applications/web-app', 'applications/web-app', field='user')",
        "old": f"lookup('{KV}', 'db', mount='old')",
        "old_by_the_other_name": f"lookup('{KV}', 'db', engine_mount_point='old', kv_version=1, field='password')",
        "missing": f"lookup('{KV}', 'applications/nothing', default='instead')",
        "nothing": f"lookup('{KV}', 'applications/nothing', default=none) is none",
        "deleted": f"lookup('{KV}', 'applications/gone', default={{}})",
        "no_version": f"lookup('{KV}', 'applications/web-app', version=99, default='instead')",
        "no_key": f"lookup('{KV}', 'applications/web-app', field='nothing', default='instead')",
        "read": f"lookup('{READ}', 'secret/data/applications/web-app').data.user",
        "read_field": f"lookup('{READ}', 'old/db', field='password')",
        "read_raw": f"lookup('{READ}', 'old/db', raw=true).data.password",
        "read_missing": f"lookup('{READ}', 'old/nothing', default='instead')",
        "list": f"lookup('{LIST}', 'applications', mount='secret')",
        "list_top": f"lookup('{LIST}', '/', mount='old')",
        "list_api": f"query('{LIST}', 'secret/metadata/applications', 'old')",
        "list_missing": f"lookup('{LIST}', 'old/nothing', default=[])",
    }
    whole = "{" + ", ".join(f"'{name}': {expression}" for name, expression in found.items()) + "}"
    target = scene.folder / "values.json"
    task = {"ansible.builtin.copy": {"content": "{{ (" + whole + ") | to_json }}", "dest": str(target), "mode": "0600"}}
    result = scene.play([task])
    assert result.returncode == 0, result.stdout + result.stderr
    values = json.loads(target.read_text())
    metadata = values.pop("metadata")
    assert metadata["metadata"]["version"] == 2
    assert {**metadata, "metadata": None} == {
        "secret": {"password": PASSWORD, "user": "web"},
        "metadata": None,
        "mount": "secret",
        "path": "applications/web-app",
        "kv_version": 2,
    }
    assert values == {
        "whole": {"password": PASSWORD, "user": "web"},
        "field": PASSWORD,
        "version": "of yesterday",
        "many": ["web", "web"],
        "old": {"password": "old-engine"},
        "old_by_the_other_name": "old-engine",
        "missing": "instead",
        "nothing": True,
        "deleted": {},
        "no_version": "instead",
        "no_key": "instead",
        "read": "web",
        "read_field": "old-engine",
        "read_raw": "old-engine",
        "read_missing": "instead",
        "list": ["gone", "web-app"],
        "list_top": ["db"],
        "list_api": [["gone", "web-app"], ["db"]],
        "list_missing": [],
    }


ERRORS = {
    "missing": ("applications/nothing", {}, "secret/applications/nothing: does not exist"),
    "deleted": ("applications/gone", {}, "version 1 was deleted"),
    "no key": ("applications/web-app", {"field": "nothing"}, 'has no key "nothing"'),
    "denied in spite of a default": ("forbidden", {"default": "x"}, "permission denied"),
    "no mount in spite of a default": ("x", {"mount": "nowhere", "default": "x"}, "no secrets engine is mounted there"),
    "unknown option": ("applications/web-app", {"feild": "password"}, 'did you mean "field"?'),
    "path that leads elsewhere": ("applications/../web-app", {}, "empty part"),
}


def test_errors_are_a_sentence_each(scene: Scene) -> None:
    tasks = [
        debug(kv(path, **options), ignore_errors=True, name=name) for name, (path, options, _said) in ERRORS.items()
    ]
    result = scene.play(tasks, "-vvv")
    output = result.stdout + result.stderr
    plain = " ".join(output.replace('\\"', '"').split())
    for name, (_path, _options, said) in ERRORS.items():
        assert said in plain, (name, output)
    assert PASSWORD not in output
    assert scene.secret_id not in output
    assert output.count("ignored=%d" % len(ERRORS)) == 1, output


def test_outage_and_a_sealed_server_are_no_absence(scene: Scene, new_server: Callable[..., VaultServer]) -> None:
    sealed = new_server(initialise=False)
    sealed.keys = sealed.client().sys.initialize(secret_shares=1, secret_threshold=1)["keys_base64"]
    here = {
        "ansible_hashi_vault_ca_cert": sealed.ca_cert,
        "ansible_hashi_vault_token": "x",
        "ansible_hashi_vault_retries": 0,
    }
    tasks = [
        debug(kv("a", default="x", url=sealed.url), ignore_errors=True),
        debug(kv("a", default="x", url="https://127.0.0.1:9", ca_cert=scene.server.ca_cert), ignore_errors=True),
    ]
    result = scene.play(tasks, vars=here)
    plain = " ".join((result.stdout + result.stderr).split())
    assert "the server is sealed" in plain
    assert "connection refused" in plain
    assert "ignored=2" in plain


def test_a_failed_run_revokes(scene: Scene) -> None:
    result = scene.play([debug(kv("applications/web-app")), {"ansible.builtin.fail": {"msg": "on purpose"}}])
    assert result.returncode == 2
    scene.wait_for_none()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_revokes(scene: Scene, number: int) -> None:
    marker = scene.folder / f"marker{number}"
    tasks = [
        debug(kv("applications/web-app")),
        {"ansible.builtin.copy": {"content": "x", "dest": str(marker), "mode": "0600"}},
        {"ansible.builtin.pause": {"seconds": 300}},
    ]
    command = scene.write(tasks, vars=scene.approle)
    process = subprocess.Popen(
        command,
        cwd=scene.folder,
        env=scene.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + 60
        while not marker.exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert scene.living() == ["approle"]
        # to all of its processes, as a terminal does it; Ansible may miss one between two tasks, and people press again
        for _time in range(6):
            os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
                break
        assert process.poll() is not None
        scene.wait_for_none()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_nothing_is_left_in_files(scene: Scene, tmp_path: Path) -> None:
    # the path of a socket must be short
    runtime = Path(tempfile.mkdtemp(prefix="lookups-"))
    seen = tmp_path / "seen"
    tasks = [
        debug(kv("applications/web-app")),
        {"ansible.builtin.shell": f"cd {runtime}; (ls -ln; cat */lock | wc -c; ls *) > {seen}"},
    ]
    result = scene.play(tasks, env={"XDG_RUNTIME_DIR": str(runtime)})
    assert result.returncode == 0, result.stdout
    assert "drwx------" in seen.read_text()
    assert seen.read_text().splitlines()[-3:] == ["0", "lock", "socket"]
    scene.wait_for_none()
    until = time.monotonic() + 5
    while list(runtime.iterdir()) and time.monotonic() < until:
        time.sleep(0.05)
    runtime.rmdir()


def test_fresh_reads_again(scene: Scene) -> None:
    other = {"data": {"text": "two"}}
    tasks = [
        {"ansible.builtin.set_fact": {"before": kv("changing", field="text"), "cacheable": False}},
        {
            "ansible.builtin.uri": {
                "url": f"{scene.server.url}/v1/secret/data/changing",
                "method": "POST",
                "headers": {"X-Vault-Token": scene.server.token},
                "body_format": "json",
                "body": other,
                "ca_path": scene.server.ca_cert,
            }
        },
        {"ansible.builtin.set_fact": {"kept": kv("changing", field="text")}},
        {"ansible.builtin.set_fact": {"now": kv("changing", field="text", fresh=True)}},
        {"ansible.builtin.set_fact": {"then": kv("changing", field="text")}},
        debug("{{ [before, kept, now, then] | join(' ') }}"),
    ]
    scene.server.client().secrets.kv.v2.create_or_update_secret("changing", {"text": "one"})
    result = scene.play(tasks)
    assert "one one two two" in result.stdout, result.stdout


def test_many_at_once_with_a_wrong_login_ask_once(scene: Scene) -> None:
    start = scene.position()
    wrong = {**scene.approle, "ansible_hashi_vault_secret_id": "wrong-secret-id-of-nobody"}
    result = scene.play([debug(kv("applications/web-app", default="x"))], "--forks", "4", hosts=8, vars=wrong)
    assert result.returncode == 2
    assert "login by approle refused" in " ".join(result.stdout.split())
    assert logins(scene.asked(start)) == 1
    assert "wrong-secret-id-of-nobody" not in result.stdout + result.stderr


def test_a_task_shows_nothing_of_what_it_looked_up(scene: Scene) -> None:
    password = kv("applications/web-app", field="password")
    template = scene.folder / "secret.j2"
    template.write_text("password = " + password)
    target = str(scene.folder / "secret.conf")
    tasks = [
        debug(password, mask=True),
        {"ansible.builtin.command": {"argv": ["echo", "{{ password }}"]}, "register": "echoed"},
        {"ansible.builtin.command": {"argv": ["echo", "{{ item }}"]}, "loop": ["{{ password }}"], "register": "looped"},
        {"ansible.builtin.template": {"src": str(template), "dest": target, "mode": "0600"}},
        {"ansible.builtin.set_fact": {"kept": password}},
        {"ansible.builtin.command": {"argv": ["sh", "-c", "echo {{ password }}; exit 3"]}, "ignore_errors": True},
        {"ansible.builtin.assert": {"that": [f"echoed.stdout == '{PASSWORD[:4]}' + '{PASSWORD[4:]}'"]}},
        {"ansible.builtin.assert": {"that": ["kept == looped.results[0].stdout"], "quiet": True}},
        debug(password + kv("applications/nothing"), mask=True, ignore_errors=True),
    ]
    result = scene.play(tasks, "-vvvv", "--diff", vars={**scene.approle, "password": password})
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert Path(target).read_text().strip() == "password = " + PASSWORD
    assert PASSWORD not in output
    # what went wrong is told nevertheless
    assert "secret/applications/nothing: does not exist" in " ".join(output.split())


SOURCES: dict[str, Callable[[Scene], tuple[dict[str, Any], dict[str, str], str]]] = {
    "environment of the other collection": lambda scene: (
        {},
        {name.upper(): value for name, value in scene.approle.items()},
        "",
    ),
    "environment of the platform's credential": lambda scene: (
        {},
        {
            "VAULT_ADDR": scene.server.url,
            "VAULT_CACERT": scene.server.ca_cert,
            "VAULT_APPROLE_ROLE_ID": scene.role_id,
            "VAULT_APPROLE_SECRET_ID": scene.secret_id,
        },
        "",
    ),
    "environment of the server's own tools": lambda scene: (
        {},
        {"BAO_ADDR": scene.server.url, "BAO_CACERT": scene.server.ca_cert, "BAO_TOKEN": scene.server.token},
        "",
    ),
    "ansible.cfg, and a template in a variable": lambda scene: (
        {"ansible_hashi_vault_secret_id": "{{ hidden }}", "hidden": scene.secret_id},
        {},
        f"[hashi_vault_collection]\nurl={scene.server.url}\nca_cert={scene.server.ca_cert}\n"
        f"auth_method=approle\nrole_id={scene.role_id}\n",
    ),
    "variables of the roles": lambda scene: (
        {
            "vault_connection": {"url": ["{{ address }}"], "ca_cert": scene.server.ca_cert},
            "address": scene.server.url,
            "vault_session_login": {"auth_method": "approle", "role_id": scene.role_id, "secret_id": scene.secret_id},
        },
        {},
        "",
    ),
}


@pytest.mark.parametrize("source", SOURCES)
def test_where_connection_and_login_come_from(scene: Scene, source: str, tmp_path: Path) -> None:
    variables, environment, settings = SOURCES[source](scene)
    if settings:
        (tmp_path / "ansible.cfg").write_text(
            f"[defaults]\ncollections_path = {ROOT / 'playbooks' / 'collections'}\n{settings}"
        )
        environment = {"ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg")}
    result = scene.play([debug(kv("applications/web-app", field="user"))], vars=variables, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "web" in result.stdout
    scene.wait_for_none()


def test_the_session_of_a_play_is_used_and_left_alone(scene: Scene) -> None:
    start = scene.position()
    session = {"name": "secretops.vault_eso.vault_session"}
    variables = {
        "vault_connection": {"url": [scene.server.url], "ca_cert": scene.server.ca_cert},
        "vault_session_login": {"auth_method": "approle", "role_id": scene.role_id, "secret_id": scene.secret_id},
    }
    options = {"url": scene.server.url, "ca_cert": scene.server.ca_cert}
    tasks = [
        {"ansible.builtin.include_role": session},
        debug(kv("applications/web-app", field="user")),
        # still the session's: what belongs to the play ends with the play
        debug(kv("db", mount="old", field="password")),
        {"ansible.builtin.include_role": {**session, "tasks_from": "close"}},
        # and a login of the lookups' own once it is over
        debug(kv("applications/web-app", version=1, field="user")),
    ]
    result = scene.play(tasks, vars=variables, module_defaults={"group/secretops.vault_eso.vault": options})
    assert result.returncode == 0, result.stdout + result.stderr
    assert '"web"' in result.stdout.replace("msg: web", '"web"') and "old-engine" in result.stdout
    scene.wait_for_none()
    paths = [path for _operation, path in scene.asked(start)]
    first, second = (number for number, path in enumerate(paths) if path == "auth/approle/login")
    ends = [number for number, path in enumerate(paths) if path == "auth/token/revoke-self"]
    reads = [number for number, path in enumerate(paths) if path.startswith(("secret/data/", "old/"))]
    assert len(reads) == 3 and len(ends) == 2, paths
    assert first < reads[0] < reads[1] < ends[0] < second < reads[2] < ends[1], paths


def test_without_a_private_directory_each_lookup_logs_in_and_out(scene: Scene, tmp_path: Path) -> None:
    """No broker can be there where its directory cannot be made: slower, told, and nothing left alive."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os\n"
        "make = os.mkdir\n"
        "def refuse(path, *args, **kwargs):\n"
        "    if 'vault-eso-' in str(path):\n"
        "        raise OSError(30, 'Read-only file system')\n"
        "    return make(path, *args, **kwargs)\n"
        "os.mkdir = refuse\n"
    )
    start = scene.position()
    tasks = [
        {"ansible.builtin.assert": {"that": [kv("applications/web-app", field="user")[3:-3] + " == 'web'"]}},
        debug(kv("applications/nothing"), ignore_errors=True),
    ]
    result = scene.play(tasks, hosts=2, env={"PYTHONPATH": str(tmp_path)})
    output = " ".join((result.stdout + result.stderr).split())
    assert result.returncode == 0, result.stdout + result.stderr
    assert "each lookup of Vault logs in by itself: no private directory can be created" in output
    assert "secret/applications/nothing: does not exist" in output
    scene.wait_for_none()
    paths = [path for _operation, path in scene.asked(start)]
    assert logins(scene.asked(start)) == 4 == paths.count("auth/token/revoke-self"), paths


def test_a_proxy(scene: Scene) -> None:
    """By its own name and by the other collection's, as text, mapping and JSON; the server is asked through it."""
    url = scene.server.url.removeprefix("https://")
    with connect_proxy() as (proxy, targets):
        ways = {
            "option": (kv("applications/web-app", version=1, field="user", proxy=proxy), {}),
            "mapping": (
                kv("applications/web-app", field="user"),
                {"ansible_hashi_vault_proxies": {"http": "http://127.0.0.1:9", "https": proxy}},
            ),
            "json": (kv("db", mount="old"), {"ansible_hashi_vault_proxies": json.dumps({"https": proxy})}),
            "roles": (
                kv("changed", default="x"),
                {"vault_connection": {"proxy": proxy}},
            ),
        }
        tasks = [{**debug(text), "vars": {"vault_lookup_mask": False, **given}} for text, given in ways.values()]
        result = scene.play(tasks)
        assert result.returncode == 0, result.stdout + result.stderr
        # one login and its connection for each way of reaching the server that is the same
        assert targets and set(targets) == {url}, targets
        seen = len(targets)
        wrong = [debug(kv("x", proxy=given), ignore_errors=True) for given in ("http://[::1", "{")]
        plain = " ".join(scene.play(wrong).stdout.split())
        assert "is not the URL of a proxy" in plain and "begins like a mapping and is not JSON" in plain, plain
        assert len(targets) == seen
    away = kv("applications/web-app", proxy="http://me:a-password@127.0.0.1:9")
    result = scene.play([debug(away)], vars={**scene.approle, "ansible_hashi_vault_retries": 0})
    plain = " ".join(result.stdout.split())
    assert "the proxy http://127.0.0.1:9 failed: connection refused" in plain, plain
    assert "a-password" not in result.stdout + result.stderr


def test_the_reading_module_registers_what_it_does_not_show(scene: Scene) -> None:
    options = {
        "url": scene.server.url,
        "ca_cert": scene.server.ca_cert,
        "auth_method": "approle",
        "role_id": scene.role_id,
        "secret_id": scene.secret_id,
    }
    module = "secretops.vault_eso.vault_kv_read"
    tasks = [
        {module: {**options, "path": "applications/web-app", "field": "password"}, "register": "read"},
        {module: {**options, "path": "{{ item }}"}, "loop": ["applications/web-app"], "register": "looped"},
        {module: {**options, "path": "applications/nothing", "missing": "empty"}, "register": "nothing"},
        {module: {**options, "path": "db", "mount": "old"}, "register": "old"},
        {module: {**options, "path": "applications/web-app", "version": 1, "field": "password"}, "register": "first"},
        {
            "ansible.builtin.assert": {
                "that": [
                    f"read.value == '{PASSWORD[:9]}' ~ '{PASSWORD[9:]}' and read.metadata.version == 2",
                    "looped.results[0].secret == read.secret and read.found and not read.changed",
                    "not nothing.found and nothing.secret == {}",
                    "old.secret.password == 'old-engine' and old.kv_version == 1",
                    "first.value == 'of yesterday'",
                ]
            }
        },
        {module: {**options, "path": "applications/nothing"}, "ignore_errors": True},
        {module: {**options, "path": "forbidden", "missing": "empty"}, "ignore_errors": True},
    ]
    result = scene.play(tasks, "-vvvv", "--diff", vars={})
    output = result.stdout + result.stderr
    plain = " ".join(output.split())
    assert result.returncode == 0, output
    assert PASSWORD not in output
    assert "of yesterday" not in output.replace("first.value == 'of yesterday'", "")
    assert "secret/applications/nothing: does not exist" in plain
    assert "permission denied" in plain
    assert "ignored=2" in plain
    assert scene.living() == []
