# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret comes out: neither in ``ansible-playbook -vvvv --diff`` nor in results, logs, temporary files or reports.

Each secret is a value of its own that is looked for in all of that, in plain, in base64 and in hexadecimal digits;
escapes of JSON, URLs and shells do not touch its core. Which options are secret is asked of the modules themselves:
a new ``no_log`` option without a case in `vault_cases` or `kubernetes_cases` fails by name. A module without its least
options in `LEAST` has those of its first example. A tree of declarations is one option of its module, so its kinds are
asked for theirs: one without an entry in `tree_of` fails by name too.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.configuration import KINDS
from support import eso_operator, openbao, ssh
from support.canaries import Canaries, filled, misshapen
from support.kubernetes_api import KubeApi
from support.local import free_ports, write_private
from support.modules import run_module
from support.openbao import VaultServer
from support.specs import argument_specs, examples, secret_options, walk
from support.storage import S3Server
from support.system import BIN, ROOT

#: options of a login: every Vault module has them, at the top or in its option "vault"
LOGIN = {"token", "role_id", "secret_id", "jwt", "password"}
#: and every Kubernetes module has this one
KUBERNETES_LOGIN = "api_key"
NAMED = {"name": "x"}
IN_NAMESPACE = {"name": "x", "namespace": "default"}
#: what a module needs so that it comes as far as a login, where its first example asks for more
LEAST: dict[str, dict[str, Any]] = {
    "eso_backup": {"path": "{tmp}/backup.yaml"},
    "eso_clusterexternalsecret": {**NAMED, "state": "absent"},
    "eso_externalsecret": {**IN_NAMESPACE, "state": "absent"},
    "eso_generator": {**IN_NAMESPACE, "state": "absent"},
    "eso_handover": {"state": "released", "objects": [{"api_version": "v1", "kind": "ConfigMap", **IN_NAMESPACE}]},
    "eso_info": {},
    "eso_manifests": {"path": "{tmp}/manifests"},
    "eso_pushsecret": {**IN_NAMESPACE, "state": "absent"},
    "eso_restore": {"path": "{tmp}/empty.yaml"},
    "eso_secretstore": {**IN_NAMESPACE, "state": "absent"},
    "eso_state": {"operators": True},
    "eso_sync": IN_NAMESPACE,
    "eso_verify": {"namespaces": ["default"]},
    "flux_reconcile": IN_NAMESPACE,
    "k8s_rollout": IN_NAMESPACE,
    "k8s_token": {**IN_NAMESPACE, "dest": "{tmp}/k8s-token"},
    "vault_approle_secret_id": {"role": "x", "dest": "{tmp}/secret-id"},
    "vault_audit": {"path": "x", "state": "absent"},
    "vault_audited_header": {**NAMED, "state": "absent"},
    "vault_auth": {"path": "x", "type": "userpass"},
    "vault_auth_role": {"mount": "userpass", "name": "x", "state": "absent"},
    "vault_aws_config": {"mount": "aws"},
    "vault_aws_role": {"mount": "aws", "name": "x", "state": "absent"},
    "vault_barrier_key": {},
    "vault_configuration": {"configuration": {"namespaces": [{"name": "x"}]}},
    "vault_cors": {"state": "absent"},
    "vault_database_connection": {**NAMED, "state": "absent"},
    "vault_database_action": {**NAMED, "action": "reset_connection"},
    "vault_database_credentials": {"role": "x"},
    "vault_database_role": {**NAMED, "state": "absent"},
    "vault_endpoint": {"path": "auth/token/roles/x", "state": "absent"},
    "vault_identity_entity": NAMED,
    "vault_identity_group": NAMED,
    "vault_export": {"secrets": "keys"},
    "vault_info": {"gather_subset": ["mounts"]},
    "vault_init": {"key_store": "{tmp}/none/keys.json"},
    "vault_key_shares": {"key_store": "{tmp}/keys.json"},
    "vault_kv": {"path": "x", "state": "absent"},
    "vault_kv_read": {"path": "x"},
    "vault_login": {"dest": "{tmp}/none/token"},
    "vault_login_mfa": {**NAMED, "state": "absent"},
    "vault_login_mfa_enforcement": {**NAMED, "state": "absent"},
    "vault_namespace": NAMED,
    "vault_oidc": {**NAMED, "type": "key", "state": "absent"},
    "vault_password_policy": {**NAMED, "state": "absent"},
    "vault_pki_acme": {"mount": "pki", "enabled": False},
    "vault_pki_ca": {"mount": "pki", "common_name": "x"},
    "vault_pki_certificate": {
        "mount": "pki",
        "role": "x",
        "common_name": "x.example.com",
        "cert_dest": "{tmp}/none.crt",
        "key_dest": "{tmp}/none.key",
    },
    "vault_pki_role": {"mount": "pki", "name": "x", "state": "absent"},
    "vault_policy": {**NAMED, "state": "absent"},
    "vault_quota": {**NAMED, "state": "absent"},
    "vault_raft": {},
    "vault_rekey": {"key_store": "{tmp}/keys.json", "generation": 2},
    "vault_root_token": {"key_store": "{tmp}/keys.json"},
    "vault_secrets_engine": {"path": "x", "type": "kv"},
    "vault_snapshot": {"dest": "{tmp}/raft.snap"},
    "vault_ssh_ca": {"mount": "ssh", "state": "absent"},
    "vault_ssh_role": {"mount": "ssh", "name": "x", "state": "absent"},
    "vault_token": {"action": "lookup"},
    "vault_transit_key": {**NAMED, "state": "absent"},
    "vault_ui_header": {**NAMED, "state": "absent"},
    "vault_unseal": {},
}
#: modules whose least options end before a login is tried: they have none, or look elsewhere first
NO_LOGIN = {"eso_manifests", "eso_restore", "vault_init", "vault_rekey", "vault_root_token", "vault_unseal"}
#: modules for what no server here has: their secrets are refused by it, and cannot be written
NOT_HERE = {"vault_aws_config"}
#: the same for kinds of a tree
KINDS_NOT_HERE = {"aws_configs"}
#: keeps what modules hand to the system log, whether or not there is one where the test runs
RECORDER = """
import os, syslog
def record(*args, _write=syslog.syslog):
    with open(os.environ["SECRECY_SYSLOG"], "a") as file:
        file.write(str(args[-1]) + chr(10))
    _write(*args)
syslog.syslog = record
try:
    from systemd import journal
    def send(message, *args, _send=journal.send, **fields):
        with open(os.environ["SECRECY_SYSLOG"], "a") as file:
            file.write(message + str(fields) + chr(10))
        return _send(message, *args, **fields)
    journal.send = send
except ImportError:
    pass
"""


@dataclass
class Case:
    """One task. ``fails``: words of the failure it ends in, "" when it has to succeed. ``late``: not in check mode."""

    name: str
    module: str
    options: dict[str, Any]
    fails: str = ""
    late: bool = False


@dataclass
class Stage:
    """Where tasks with secrets run, and all that they leave behind."""

    folder: Path
    canaries: Canaries = field(default_factory=Canaries)
    logs: str = ""
    said: str = ""
    results: dict[str, Any] = field(default_factory=dict)

    def play(self, playbook: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a playbook as talkatively as can be, and keep what it wrote into logs."""
        recorder = self.folder / "recorder"
        recorder.mkdir(exist_ok=True)
        (recorder / "sitecustomize.py").write_text(RECORDER)
        for name in ("ansible.log", "syslog"):
            (self.folder / name).write_text("")
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        foreign = ("VAULT_", "BAO_", "ANSIBLE_", "K8S_AUTH_", "KUBECONFIG")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        done = subprocess.run(
            [str(BIN / "ansible-playbook"), "-vvvv", "--diff", str(playbook), *arguments],
            cwd=self.folder,
            env={
                **clean,
                "HOME": str(home),
                "TMPDIR": str(home),
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "playbooks" / "collections"),
                "ANSIBLE_LOG_PATH": str(self.folder / "ansible.log"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_REMOTE_TEMP": str(home / "remote"),
                "ANSIBLE_LOCAL_TEMP": str(home / "local"),
                "PYTHONPATH": str(recorder),
                "SECRECY_SYSLOG": str(self.folder / "syslog"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        self.logs = (self.folder / "syslog").read_text()
        return done

    def run(self, cases: list[Case], check: bool = False, by_process: bool = False) -> dict[str, str]:
        """Run the cases as tasks of one play and return all that came out, by where it came out.

        The modules run in Ansible's worker; with ``by_process`` each in a process of its own.
        """
        play = self.folder / "play.yml"
        outcome = self.folder / "results.json"
        # A file for each task: as variables of the play, all of them would be gone through for every task.
        folder = self.folder / "secrets"
        folder.mkdir(mode=0o700, exist_ok=True)
        for number, case in enumerate(cases):
            write_private(folder / f"{number}.json", json.dumps(case.options).encode())
        tasks: list[dict[str, Any]] = [
            {
                "name": case.name,
                f"secretops.vault_eso.{case.module}": {
                    option: f"{{{{ (lookup('file', '{folder}/{number}.json') | from_json)['{option}'] }}}}"
                    for option in case.options
                },
                "register": f"result_{number}",
                "ignore_errors": True,
            }
            for number, case in enumerate(cases)
        ]
        results = ", ".join(f"result_{number}" for number in range(len(cases)))
        tasks.append(
            {
                "name": "Keep the registered results",
                "ansible.builtin.copy": {
                    "content": f"{{{{ [{results}] | to_json }}}}",
                    "dest": str(outcome),
                    "mode": "0600",
                },
                "check_mode": False,
                "diff": False,
            }
        )
        header = {"hosts": "localhost", "connection": "local", "gather_facts": False}
        variables = {
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "vault_eso_in_worker": not by_process,
        }
        play.write_text(yaml.safe_dump([{**header, "vars": variables, "tasks": tasks}]))
        done = self.play(play, *(["--check"] if check else []))
        assert done.returncode == 0 and outcome.exists(), (done.stdout + done.stderr)[-4000:]
        assert ("runs as a process" in done.stdout + done.stderr) is by_process
        self.results = dict(zip((case.name for case in cases), json.loads(outcome.read_text())))
        left = {
            f"the file {path.relative_to(self.folder)}": path.read_text(errors="replace")
            for path in (self.folder / "home").rglob("*")
            if path.is_file()
        }
        return {
            "the output": done.stdout + done.stderr,
            "registered results": outcome.read_text(),
            "Ansible's log": (self.folder / "ansible.log").read_text(),
            "the system log": self.logs,
            **left,
        }

    def as_expected(self, cases: list[Case]) -> None:
        """Assert that each task ended as it was to end: what never came so far proves nothing."""
        wrong = []
        for case in cases:
            result = self.results[case.name]
            message = str(result.get("msg", ""))
            if bool(result.get("failed")) != bool(case.fails) or case.fails not in message:
                wrong.append(f"{case.name}: wanted {case.fails or 'success'!r}, got {message or 'success'!r}")
        assert not wrong, "\n".join(wrong)


@dataclass
class Servers:
    """One to write to, one that is initialised and sealed, and one that nobody has initialised."""

    open: VaultServer
    sealed: VaultServer
    fresh: VaultServer
    storage: S3Server


def reached(server: VaultServer) -> dict[str, Any]:
    """Return the connection options for a server."""
    return {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token}


def given(options: Any, path: str = "") -> Iterator[str]:
    """Yield the dotted paths of options that have a value, those in lists of mappings included."""
    if isinstance(options, Mapping):
        for name, value in options.items():
            yield f"{path}{name}"
            yield from given(value, f"{path}{name}.")
    elif isinstance(options, list):
        for value in options:
            yield from given(value, path)


def family(kubernetes: bool) -> list[str]:
    """Return the names of the modules for Kubernetes, or of those for Vault; some talk to neither."""
    neither = ("known_variables", "vault_host_state", "vault_raft_data")
    names = [name for name in argument_specs() if name not in neither]
    return [name for name in names if name.startswith("vault_") is not kubernetes]


def least(module: str, folder: Path) -> dict[str, Any]:
    options = LEAST[module] if module in LEAST else examples(module)[0]
    return json.loads(json.dumps(options).replace("{tmp}", str(folder)))


def refused(module: str, folder: Path, canaries: Canaries) -> list[Case]:
    """Return tasks that Ansible itself refuses: unknown options, misspelt keys at every level, wrong types."""
    spec = argument_specs()[module]
    unknown = {**least(module, folder), "pasword": canaries.new(f"{module}: an unknown option")}
    unknown["scret_data"] = filled({"type": "dict"}, canaries.new(f"{module}: an unknown mapping"))
    wrong = least(module, folder)
    for name, option in spec.items():
        label = f"{module}.{name}"
        if option.get("no_log"):
            unknown[name] = filled(option, canaries.new(f"{label} beside an unknown option"))
            wrong[name] = misshapen(option, canaries.new(f"{label} of a wrong type"))
        elif option.get("options"):
            entry = {"pasword": canaries.new(f"{label}: a misspelt key")}
            for inside, suboption in option["options"].items():
                if suboption.get("no_log"):
                    entry[inside] = filled(suboption, canaries.new(f"{label}.{inside} beside a misspelt key"))
            unknown[name] = [entry] if option.get("type") == "list" else entry
            # a list too much, as templates make them, and a text where there should be a mapping
            wrong[name] = [[{"password": canaries.new(f"{label} as a list in a list")}]]
    wrong["timeout" if "timeout" in spec else "path"] = ["soon"]
    return [
        Case(f"{module}: unknown options", module, unknown, " "),
        Case(f"{module}: wrong types", module, wrong, " "),
    ]


def cases_of(
    kubernetes: bool, cases: list[Case], folder: Path, canaries: Canaries, connection: Mapping[str, Any]
) -> list[Case]:
    """Return the cases and what is the same for every module: bad options, a dead server, a login that is refused."""
    made = list(cases)
    dead = f"https://127.0.0.1:{free_ports(1)[0]}"
    for module in family(kubernetes):
        login = {KUBERNETES_LOGIN} if kubernetes else LOGIN
        # a module whose only secrets are those of the login that all share needs not go through everything
        bare = secret_options(module) <= login
        made += refused(module, folder, canaries)[: 1 if bare else 2]
        own = secret_options(module) & login
        if not own or module in NO_LOGIN:
            continue
        ways = (("refused", connection, "token is invalid"), ("nobody there", {"retries": 0}, "refused"))
        for name, host, words in ways[: 1 if bare else 2]:
            options = {**least(module, folder), **host}
            if name == "nobody there":
                options["host" if kubernetes else "url"] = dead if kubernetes else [dead]
            options.update({one: canaries.new(f"{module}.{one}: {name}", odd=False) for one in own})
            made.append(Case(f"{module}: {name}", module, options, " " if kubernetes else words))
    return made


def uncovered(kubernetes: bool, cases: list[Case]) -> list[str]:
    """Return the secret options, besides those of logins, with which no task is done and succeeds."""
    done: dict[str, set[str]] = {}
    for case in cases:
        if not case.fails or case.module in NOT_HERE:
            done.setdefault(case.module, set()).update(given(case.options))
    return [
        f"{module}.{option}"
        for module in family(kubernetes)
        for option in sorted(secret_options(module))
        if option.split(".")[-1] not in LOGIN | {KUBERNETES_LOGIN} and option not in done.get(module, set())
    ]


def tree_secrets() -> dict[str, Mapping[str, Any]]:
    """Return the ``no_log`` options of all kinds of a tree by their dotted paths, the kind first."""
    return {
        ".".join((title, *path)): option
        for title, kind in KINDS.items()
        for path, option in walk(kind.item)
        if option.get("no_log")
    }


def tree_uncovered(trees: list[Mapping[str, Any]]) -> list[str]:
    """Return the secret options of kinds that none of the trees gives."""
    covered = {path for tree in trees for path in given(tree)}
    return sorted(set(tree_secrets()) - covered)


@dataclass
class Grove:
    """Makes trees with every secret option of every kind; ``name`` is in the names of all their objects."""

    server: VaultServer
    canaries: Canaries
    name: str

    def __post_init__(self) -> None:
        # a mount's own key stays what it is
        self.public, self.private = ssh.key_pair()
        for line in ssh.body(self.private):
            self.canaries.add(f"private key of SSH in {self.name}: {line[:5]}", line.lower())

    def tree(self, part: str) -> dict[str, list[dict[str, Any]]]:
        """Return a tree with secrets of its own that the server takes."""
        name, ca = self.name, self.server.authority.ca.read_text()

        def new(option: str, odd: bool = True) -> str:
            return self.canaries.new(f"{option} of {name} {part}", odd=odd)

        oidc = {
            "oidc_discovery_url": f"{self.server.url}/v1/identity/oidc",
            "oidc_discovery_ca_pem": ca,
            "oidc_client_id": "vault",
        }
        api = {"kubernetes_host": "https://10.0.0.1", "kubernetes_ca_cert": ca}
        duo = {"secret_key": new("secret_key"), "integration_key": new("integration_key")}
        postgresql = "postgresql://{username}:{password}@127.0.0.1:1/x?sslmode=disable"
        return {
            "auth_methods": [
                {
                    "path": name,
                    "type": "oidc",
                    "config": oidc,
                    "secret_config": {"oidc_client_secret": new("oidc_client_secret")},
                },
                {
                    "path": f"{name}-kubernetes",
                    "type": "kubernetes",
                    "config": api,
                    "secret_config": {"token_reviewer_jwt": new("token_reviewer_jwt")},
                },
            ],
            "auth_roles": [
                {
                    "mount": "userpass",
                    "type": "userpass",
                    "name": name,
                    "token_ttl": "1h",
                    "secret_options": {"password": new("password")},
                }
            ],
            "login_mfa_methods": [
                {"name": f"{name}-duo", "type": "duo", "api_hostname": "api.example.com", **duo},
                {"name": f"{name}-okta", "type": "okta", "org_name": "x", "api_token": new("api_token")},
                {
                    "name": f"{name}-pingid",
                    "type": "pingid",
                    "settings_file_base64": pingid(new("settings_file_base64", odd=False)),
                },
            ],
            "ssh_cas": [{"mount": f"ssh-{name}", "public_key": self.public, "private_key": self.private}],
            "database_connections": [
                {
                    "mount": "database",
                    "plugin_name": "postgresql-database-plugin",
                    "root_username": "vault",
                    "connection_url": postgresql,
                    "name": name,
                    "verify_connection": False,
                    "root_password": new("root_password"),
                    "secret_options": {"private_key": new("private_key of a database")},
                }
            ],
            "secrets": [
                {
                    "mount": "secret",
                    "path": f"{name}/app",
                    "mode": "exact",
                    "data": {"password": new("kv"), "user": new("kv, too")},
                }
            ],
            "endpoints": [
                {
                    "path": f"auth/userpass/users/{name}2",
                    "data": {"token_ttl": "1h"},
                    "secret_data": {"password": new("secret_data")},
                }
            ],
        }

    def refused(self, part: str) -> dict[str, list[dict[str, Any]]]:
        """Return entries that look right and that a server refuses, or that are refused as they would be."""
        name = self.name

        def new(option: str, odd: bool = True) -> str:
            return self.canaries.new(f"refused {option} of {name} {part}", odd=odd)

        whole = self.tree(f"{part}, refused")
        oidc = {**whole["auth_methods"][0], "path": f"{name}-refused"}
        oidc["config"] = {**oidc["config"], "oidc_discovery_url": "https://127.0.0.1:1"}
        database = {**whole["database_connections"][0], "name": f"{name}-refused", "verify_connection": True}
        bad = {"public_key": self.public, "private_key": new("private_key")}
        return {
            "auth_methods": [oidc],
            "auth_roles": [{**whole["auth_roles"][0], "mount": "nowhere"}],
            # each is of another type already
            "login_mfa_methods": [
                {**one, "name": f"{name}-{other}"}
                for one, other in zip(whole["login_mfa_methods"], ("okta", "pingid", "duo"))
            ],
            "ssh_cas": [{"mount": f"ssh-{name}-refused", **bad}],
            "database_connections": [database],
            "aws_configs": [{"mount": "aws", "access_key": "x", "secret_key": new("secret_key")}],
            "secrets": [{**whole["secrets"][0], "mount": "nowhere"}],
            "endpoints": [{"path": "nowhere/config", "secret_data": {"password": new("secret_data")}}],
        }

    def wrong(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield trees with every secret option, each with another mistake in every entry, and what it is."""
        trees: dict[str, dict[str, list[Any]]] = {}
        for path, option in tree_secrets().items():
            title, name = path.split(".")
            least = {"name": "x", "path": "x", "mount": "x"}
            entry = {key: value for key, value in least.items() if key in KINDS[title].item}

            def new(words: str, path: str = path) -> str:
                return self.canaries.new(f"{path}, {words}")

            beside = {"pasword": new("a misspelt key beside it")}
            for words, bad in {
                "beside a misspelt key": {**entry, name: filled(option, new("beside a misspelt key")), **beside},
                "of a wrong type": {**entry, name: misshapen(option, new("of a wrong type")), "workers": []},
                "as a list in a list": [{**entry, name: filled(option, new("as a list in a list"))}],
                "misspelt": {**entry, f"{name}s": filled(option, new("misspelt"))},
            }.items():
                trees.setdefault(words, {}).setdefault(title, []).append(bad)
        yield from trees.items()


def vault_cases(servers: Servers, folder: Path, canaries: Canaries) -> list[Case]:
    """Return tasks that write every secret option to a server, and such as it refuses."""
    server = servers.open
    connection = reached(server)
    ca = server.authority.ca.read_text()
    new = canaries.new
    made: list[Case] = []

    def case(name: str, module: str, fails: str = "", late: bool = False, /, **options: Any) -> None:
        made.append(Case(f"{module}: {name}", module, {**connection, **options}, fails, late))

    kubernetes = {"type": "kubernetes", "config": {"kubernetes_host": "https://10.0.0.1", "kubernetes_ca_cert": ca}}
    reviewed = {"path": "kubernetes", **kubernetes}
    oidc = {
        "type": "oidc",
        "config": {
            "oidc_discovery_url": f"{server.url}/v1/identity/oidc",
            "oidc_discovery_ca_pem": ca,
            "oidc_client_id": "vault",
        },
    }
    case("reviewer", "vault_auth", **reviewed, secret_config={"token_reviewer_jwt": new("token_reviewer_jwt")})
    case(
        "another reviewer",
        "vault_auth",
        **reviewed,
        update_secrets="always",
        secret_config={"token_reviewer_jwt": new("another token_reviewer_jwt")},
    )
    case(
        "many methods",
        "vault_auth",
        methods=[
            {"path": "people", **oidc, "secret_config": {"oidc_client_secret": new("oidc_client_secret")}},
            {**reviewed, "secret_config": {"token_reviewer_jwt": new("token_reviewer_jwt of many")}},
        ],
    )
    case(
        "bad key",
        "vault_auth",
        "would drop it",
        **reviewed,
        update_secrets="always",
        secret_config={"token_reviewer_jtw": new("token_reviewer_jtw")},
    )
    case(
        "secret among the open",
        "vault_auth",
        " ",
        path="people2",
        type="oidc",
        config={**oidc["config"], "oidc_client_secret": new("oidc_client_secret in config")},
    )
    case(
        "not of the server's type",
        "vault_auth",
        " ",
        True,
        path="kubernetes2",
        **kubernetes,
        secret_config={"token_reviewer_jwt": {"a": new("token_reviewer_jwt as a mapping")}},
    )

    user = {"mount": "userpass", "name": "ada"}
    case("password", "vault_auth_role", **user, type="userpass", secret_options={"password": new("password of ada")})
    case(
        "new password",
        "vault_auth_role",
        **user,
        type="userpass",
        update_secrets="always",
        secret_options={"password": new("new password of ada")},
    )
    case(
        "many roles",
        "vault_auth_role",
        roles=[
            {
                "mount": "userpass",
                "type": "userpass",
                "name": "eve",
                "secret_options": {"password": new("password of eve")},
            },
            {"mount": "approle", "type": "approle", "name": "ci", "secret_options": {"role_id": new("own role_id")}},
        ],
    )
    case(
        "no such mount",
        "vault_auth_role",
        " ",
        True,
        mount="nowhere",
        type="userpass",
        name="x",
        secret_options={"password": new("password without a mount")},
    )
    case(
        "empty beside a secret",
        "vault_auth_role",
        " ",
        True,
        **{**user, "name": "bob"},
        type="userpass",
        secret_options={"password": "", "pasword": new("pasword of a user")},
    )

    secret = {"mount": "secret", "path": "apps/db"}
    case("secret", "vault_kv", **secret, data={"password": new("kv"), "nested": {"hosts": [new("kv within lists")]}})
    case("other value", "vault_kv", **secret, mode="exact", data={"password": new("other kv")})
    case(
        "generated",
        "vault_kv",
        mount="secret",
        path="apps/generated",
        generate={"password": {"length": 40}, "hex": {"format": "hex", "length": 32}},
    )
    case(
        "many",
        "vault_kv",
        secrets=[
            {"mount": "secret", "path": f"many/{one}", "data": {"password": new(f"kv {one} of many")}}
            for one in range(3)
        ],
    )
    case("wrong version", "vault_kv", " ", True, **secret, cas=77, data={"password": new("kv with a wrong cas")})
    case(
        "no such engine",
        "vault_kv",
        " ",
        True,
        mount="nowhere",
        path="x",
        data={"password": new("kv without an engine")},
    )
    case("contradiction", "vault_kv", " ", **secret, undelete=True, data={"password": new("kv with undelete")})
    case(
        "text for a mapping",
        "vault_kv",
        **{**secret, "path": "text"},
        data=json.dumps({"password": new("kv as a JSON text")}),
    )
    case(
        "pairs for a mapping",
        "vault_kv",
        **{**secret, "path": "pairs"},
        data="password=" + new("kv as pairs", odd=False),
    )
    case("gone", "vault_kv", **secret, state="absent", delete="all")

    database = {"mount": "database", "plugin_name": "postgresql-database-plugin", "root_username": "vault"}
    database["connection_url"] = "postgresql://{username}:{password}@127.0.0.1:1/x?sslmode=disable"
    case(
        "connection",
        "vault_database_connection",
        **database,
        name="one",
        verify_connection=False,
        root_password=new("root_password"),
        secret_options={"private_key": new("private_key of a database")},
    )
    case(
        "another root",
        "vault_database_connection",
        **database,
        name="one",
        verify_connection=False,
        update_secrets="always",
        root_password=new("another root_password"),
    )
    case(
        "many connections",
        "vault_database_connection",
        connections=[
            {
                **database,
                "name": "two",
                "verify_connection": False,
                "root_password": new("root_password of two"),
                "secret_options": {"pem_bundle": new("pem_bundle")},
            }
        ],
    )
    case(
        "no database",
        "vault_database_connection",
        " ",
        True,
        **database,
        name="three",
        root_password=new("root_password without a database"),
    )
    inside = {
        **database,
        "connection_url": f"postgresql://vault:{new('password within a URL', odd=False)}@127.0.0.1:1/x",
    }
    case(
        "password in the address",
        "vault_database_connection",
        " ",
        **inside,
        name="four",
        root_password=new("root_password beside a URL"),
    )

    pairs = [ssh.key_pair(), ssh.key_pair()]
    for number, (_public, private) in enumerate(pairs):
        for line in ssh.body(private):
            canaries.add(f"private key {number} of SSH: {line[:5]}", line.lower())
    own = [{"mount": f"ssh{number}", "public_key": one, "private_key": two} for number, (one, two) in enumerate(pairs)]
    case("own key", "vault_ssh_ca", **own[0])
    case("many", "vault_ssh_ca", authorities=own[1:])
    case("no key", "vault_ssh_ca", " ", mount="ssh2", private_key=new("private_key alone"))
    case("bad", "vault_ssh_ca", " ", True, mount="ssh2", public_key="x", private_key=new("bad private_key"))

    role = {"path": "auth/userpass/users/max", "data": {"token_ttl": "1h"}}
    case("endpoint", "vault_endpoint", **role, secret_data={"password": new("secret_data")})
    case(
        "endpoint anew",
        "vault_endpoint",
        **role,
        update_secrets="always",
        secret_data={"password": new("new secret_data")},
    )
    case(
        "many endpoints",
        "vault_endpoint",
        endpoints=[{"path": "auth/userpass/users/min", "secret_data": {"password": new("secret_data of many")}}],
    )
    case(
        "no such path",
        "vault_endpoint",
        " ",
        True,
        path="aws/config/root",
        secret_data={"secret_key": new("secret_key of aws")},
    )
    case(
        "secret among the open",
        "vault_endpoint",
        " ",
        path="auth/userpass/users/mid",
        data={"password": new("password in data")},
    )
    if "vault_aws_config" in argument_specs():
        case("no such engine", "vault_aws_config", " ", mount="aws", access_key="x", secret_key=new("secret_key"))
        many = [{"mount": "aws", "access_key": "x", "secret_key": new("secret_key of many")}]
        case("no such engine for many", "vault_aws_config", " ", configs=many)
    case("deleted", "vault_endpoint", path="auth/userpass/users/max", state="absent")

    if "vault_login_mfa" in argument_specs():
        one = {"type": "duo", "api_hostname": "api.example.com"}
        case(
            "duo",
            "vault_login_mfa",
            name="duo",
            **one,
            secret_key=new("secret_key"),
            integration_key=new("integration_key"),
        )
        case(
            "many",
            "vault_login_mfa",
            methods=[
                {
                    **one,
                    "name": "duo2",
                    "secret_key": new("secret_key of many"),
                    "integration_key": new("integration_key of many"),
                },
                {"name": "okta2", "type": "okta", "org_name": "x", "api_token": new("api_token of many")},
                {"name": "pingid2", "type": "pingid", "settings_file_base64": pingid(new("pingid of many", odd=False))},
            ],
        )
        case("okta", "vault_login_mfa", name="okta", type="okta", org_name="x", api_token=new("api_token"))
        case(
            "pingid",
            "vault_login_mfa",
            name="pingid",
            type="pingid",
            settings_file_base64=pingid(new("pingid", odd=False)),
        )
        case(
            "no pingid",
            "vault_login_mfa",
            " ",
            name="ping",
            type="pingid",
            settings_file_base64=new("no settings_file"),
        )
        case(
            "wrong key",
            "vault_login_mfa",
            " ",
            name="okta",
            type="okta",
            org_name="x",
            api_token=new("api_token beside"),
            secret_key=new("secret_key in the wrong place"),
        )

    login = {"url": [server.url], "ca_cert": server.ca_cert, "dest": str(folder / "login" / "token")}
    for method, options in {
        "approle": {"role_id": new("role_id", odd=False), "secret_id": new("secret_id")},
        "userpass": {"username": "ada", "password": new("password of a login")},
        "ldap": {"username": "ada", "password": new("password of a directory")},
        "jwt": {"auth_mount": "people", "auth_role": "x", "jwt": new("jwt")},
        "kubernetes": {"auth_role": "x", "jwt": new("jwt of a service account")},
        "token": {"token": new("token with a line end")},
    }.items():
        made.append(Case(f"vault_login: by {method}", "vault_login", {**login, "auth_method": method, **options}, " "))
    role = {
        "mount": "approle",
        "role": "ci",
        "dest": str(folder / "ci" / "secret-id"),
        "role_id_dest": str(folder / "ci" / "role-id"),
    }
    case("issued", "vault_approle_secret_id", "", True, **role)
    case(
        "issued and wrapped",
        "vault_approle_secret_id",
        "",
        True,
        mount="approle",
        role="ci",
        wrap_ttl="5m",
        dest=str(folder / "ci" / "wrapped"),
    )
    for name in ("copies", "from_copy"):
        place = {
            "url": "s3://snapshots",
            "s3_endpoint": servers.storage.url,
            "s3_access_key": servers.storage.ACCESS,
            "s3_secret_key": new(f"s3_secret_key of {name}", odd=False),
            "s3_session_token": new(f"s3_session_token of {name}", odd=False),
        }
        if name == "copies":
            case("copied", "vault_snapshot", copies=[place])
            case("copied nowhere", "vault_snapshot", "status 404", copies=[{**place, "url": "s3://missing"}])
        else:
            back = str(folder / "back")
            case("fetched", "vault_snapshot", "", True, state="fetched", from_copy=place, dest=back)
    case("session", "vault_login", "", True, dest=str(folder / "session" / "token"), child=True)
    case("a token that is no more", "vault_token", action="revoke", target=new("token to revoke", odd=False))
    case("authority", "vault_pki_ca", "", True, mount="pki", common_name="x", ttl="1000h")
    case("role", "vault_pki_role", "", True, mount="pki", name="web", allow_any_name=True)
    tls = {"cert_dest": str(folder / "tls" / "web.crt"), "key_dest": str(folder / "tls" / "web.key")}
    case(
        "certificate",
        "vault_pki_certificate",
        "",
        True,
        mount="pki",
        role="web",
        common_name="web.example.com",
        ttl="24h",
        **tls,
    )

    lock = {"url": [servers.sealed.url], "ca_cert": servers.sealed.ca_cert}
    wrong = [new("a share that is none"), new("another share", odd=False)]
    half = base64.b64encode(new("a share of another server", odd=False)[:33].encode()).decode()
    for name, shares in (("that are none", wrong), ("in one text", ",".join(wrong)), ("of another", [half])):
        made.append(Case(f"vault_unseal: shares {name}", "vault_unseal", {**lock, "shares": shares}, " ", True))
    made.append(Case("vault_unseal: shares", "vault_unseal", {**lock, "shares": servers.sealed.keys}))
    case("shares", "vault_key_shares", "", True, shares=server.keys)
    case("other shares", "vault_key_shares", " ", shares=[new("a share to prove"), new("a further share", odd=False)])
    made_root = {"state": "generated", "dest": str(folder / "made" / "root-token")}
    case("made", "vault_root_token", "", True, shares=server.keys, **made_root)
    rekeyed = {"key_store": str(folder / "rekeyed" / "keys.json"), "generation": 1, "count": 1, "threshold": 1}
    case("shares", "vault_rekey", "", True, shares=server.keys, plain_shares=True, **rekeyed)
    keys = {"url": [servers.fresh.url], "ca_cert": servers.fresh.ca_cert, "key_store": str(folder / "keys.json")}
    for name, module, options in (
        ("keys", "vault_init", {"shares": 2, "threshold": 2}),
        ("key store", "vault_unseal", {}),
        ("lent", "vault_root_token", {"state": "lent", "dest": str(folder / "lent" / "token")}),
    ):
        made.append(Case(f"{module}: {name}", module, {**keys, **options}, late=True))
    return made


def tree_cases(server: VaultServer, canaries: Canaries) -> list[Case]:
    """Return trees that write every secret option of every kind to a server, and such as are refused."""
    new = canaries.new
    made: list[Case] = []

    def case(name: str, fails: str = "", late: bool = False, /, **options: Any) -> None:
        made.append(Case(name, "vault_configuration", {**reached(server), **options}, fails, late))

    grove = Grove(server, canaries, "tree")
    tree = grove.tree("at first")
    case("tree", configuration=tree)
    again = grove.tree("anew")
    case("tree anew", update_secrets="always", configuration=again)
    for title, entries in grove.refused("alone").items():
        # what the server itself says is said when it is asked to write
        late = title != "aws_configs"
        case(f"refused {title}", " ", late, configuration={title: entries})
    for words, part in grove.wrong():
        case(words, " ", configuration=part)
    for number, (words, part) in enumerate(
        {
            "misspelt key": {
                "secrets": [{"mount": "secret", "path": "x", "dta": {"password": new("a misspelt key in a tree")}}]
            },
            "misspelt kind": {
                "screts": [{"mount": "secret", "path": "x", "data": {"password": new("a misspelt kind in a tree")}}]
            },
            "mapping for a list": {
                "secrets": {"mount": "secret", "path": "x", "data": {"password": new("no list in a tree")}}
            },
            "text for a mapping": {"secrets": [{"mount": "secret", "path": "x", "data": new("text in a tree")}]},
            "text for a list": {"secrets": new("text for a list in a tree")},
            "misspelt secret": {
                "auth_methods": [
                    {
                        "type": "oidc",
                        "path": "l",
                        "config": {
                            **tree["auth_methods"][0]["config"],
                            "oidc_client_secret": new("oidc_client_secret in config of a tree"),
                        },
                    }
                ]
            },
            "wrong type": {
                "secrets": [
                    {
                        "mount": "secret",
                        "path": "x",
                        "data": {"password": new("beside a wrong type in a tree")},
                        "cas": "many",
                    }
                ]
            },
        }.items()
    ):
        case(f"{words} {number}", " ", configuration=part)
    case(
        "inside a namespace that is not there",
        " ",
        True,
        configuration={"inside": {"nowhere": grove.tree("nowhere")}},
    )
    return made


def pingid(key: str) -> str:
    """Return a settings file of PingID."""
    lines = [f"use_base64_key={base64.b64encode(key.encode()).decode()}", "use_signature=true", f"token={key}"]
    lines += ["idp_url=https://idp.example.com", "org_alias=x", "admin_url=https://admin.example.com"]
    return base64.b64encode("\n".join([*lines, "authenticator_url=https://auth.example.com"]).encode()).decode()


def made_by_servers(servers: Servers, folder: Path) -> dict[str, str]:
    """Return the secrets that the servers made up, from where they are to be."""
    found = {f"generated {name}": value for name, value in read_kv(servers.open, "apps/generated").items()}
    for place in ("ci/secret-id", "ci/role-id", "ci/wrapped", "session/token", "lent/token"):
        found[place] = (folder / place).read_text().strip()
    for number, line in enumerate((folder / "tls" / "web.key").read_text().splitlines()[1:-1]):
        found[f"private key, line {number}"] = line
    keys = json.loads((folder / "keys.json").read_text())
    found.update({f"share {number}": share for number, share in enumerate(keys["shares"])})
    found["root token"] = keys["root_token"]
    for number, (share, server) in enumerate([(servers.sealed.keys[0], servers.sealed)]):
        found[f"share {number} of the sealed server"] = share
        found["its root token"] = server.token
    found["administrator's token"] = servers.open.token
    return {label: value for label, value in found.items() if len(value) >= 8}


def read_kv(server: VaultServer, path: str) -> dict[str, str]:
    return server.client().read(f"secret/data/{path}")["data"]["data"]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    started: list[VaultServer] = []
    storage = S3Server(tmp_path_factory.mktemp("storage"))
    try:
        storage.client().create_bucket(Bucket="snapshots")
        for options in ({}, {}, {"initialise": False}):
            started.append(VaultServer(tmp_path_factory.mktemp("server"), **options))
        found = Servers(*started, storage)
        found.sealed.restart()
        engines = [{"path": "secret", "type": "kv-v2"}, {"path": "database", "type": "database"}]
        engines += [{"path": f"ssh{number}", "type": "ssh"} for number in range(3)]
        engines += [
            {"path": f"ssh-{name}{end}", "type": "ssh"} for name in ("tree", "role") for end in ("", "-refused")
        ]
        engines.append({"path": "pki", "type": "pki", "tune": {"max_lease_ttl": "8760h"}})
        methods = [{"path": name, "type": name} for name in ("userpass", "approle")]
        role = {"mount": "approle", "name": "ci", "token_policies": ["default"]}
        for module, declared in (
            ("vault_secrets_engine", {"engines": engines}),
            ("vault_auth", {"methods": methods}),
            ("vault_auth_role", role),
        ):
            run_module(module, {**reached(found.open), **declared}, must_succeed=True)
        yield found
    finally:
        storage.stop()
        for server in started:
            server.discard()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def vault(servers: Servers, stage: Stage) -> list[Case]:
    return vault_cases(servers, stage.folder, stage.canaries)


@pytest.fixture
def trees(servers: Servers, stage: Stage) -> list[Case]:
    return tree_cases(servers.open, stage.canaries)


def test_every_secret_option_of_vault_has_a_case(vault: list[Case], trees: list[Case]) -> None:
    missing = uncovered(False, vault + trees)
    assert not missing, f"no task of vault_cases gives these and succeeds: {', '.join(missing)}"


def test_every_secret_option_of_a_tree_has_a_case(trees: list[Case]) -> None:
    taken: list[Mapping[str, Any]] = [case.options["configuration"] for case in trees if not case.fails]
    refused = [case.options["configuration"] for case in trees if case.name.startswith("refused ")]
    not_here = [{title: part[title] for title in KINDS_NOT_HERE if title in part} for part in refused]
    missing = tree_uncovered(taken + not_here)
    assert not missing, f"no tree gives these and succeeds; add them to Grove.tree: {', '.join(missing)}"
    missing = tree_uncovered(refused)
    assert not missing, f"no server refuses these; add them to Grove.refused: {', '.join(missing)}"


def test_trees(servers: Servers, stage: Stage, trees: list[Case]) -> None:
    for check in (True, False):
        cases = trees if not check else [case for case in trees if not case.late]
        places = stage.run(cases, check)
        stage.as_expected(cases)
        stage.canaries.absent(places)


def test_modules_for_vault(servers: Servers, stage: Stage, vault: list[Case]) -> None:
    for check in (True, False):
        cases = vault if not check else [case for case in vault if not case.late]
        if not check:
            cases = cases_of(False, cases, stage.folder, stage.canaries, reached(servers.open))
        places = stage.run(cases, check)
        stage.as_expected(cases)
        if not check:
            for label, value in made_by_servers(servers, stage.folder).items():
                stage.canaries.add(label, value)
            assert "Invoked with" in places["the system log"], "nothing of the system log was kept"
        stage.canaries.absent(places)


def test_a_directorys_password(tmp_path_factory: pytest.TempPathFactory, stage: Stage) -> None:
    """LDAP by itself, because the newest servers have it no longer."""
    binary = openbao.find_binary()
    product, version = openbao.product_of(binary)
    try:
        if product == "openbao" and tuple(int(part) for part in version.split(".")[:2]) > (2, 6):
            binary = openbao.release("2.6.2")
    except openbao.Unavailable as reason:
        pytest.skip(str(reason))
    server = VaultServer(tmp_path_factory.mktemp("ldap"), binary=binary)
    new = stage.canaries.new
    config = {"url": "ldaps://127.0.0.1:1", "binddn": "cn=vault"}

    def case(name: str, fails: str = "", /, module: str = "vault_auth", **options: Any) -> Case:
        return Case(name, module, {**reached(server), **options}, fails)

    ldap = {"type": "ldap", "path": "ldap", "config": config}
    cases = [
        case("bindpass", **ldap, secret_config={"bindpass": new("bindpass")}),
        case("anew", **ldap, update_secrets="always", secret_config={"bindpass": new("new bindpass")}),
        case("list", methods=[{**ldap, "path": "other", "secret_config": {"bindpass": new("bindpass in a list")}}]),
        case(
            "key that is none", " ", **{**ldap, "path": "key"}, secret_config={"client_tls_key": new("client_tls_key")}
        ),
        case("open", " ", **{**ldap, "config": {**config, "bindpass": new("bindpass in config")}}),
        *(
            case(
                f"tree {words or 'that is taken'}",
                words,
                module="vault_configuration",
                update_secrets="always",
                configuration={
                    "auth_methods": [{**ldap, **more, "secret_config": {"bindpass": new(f"bindpass {words}")}}]
                },
            )
            for words, more in (
                ("", {}),
                ("is a secret", {"config": {**config, "bindpass": new("bindpass in config of a tree")}}),
                ("there is no option", {"pasword": new("beside a bindpass in a tree")}),
            )
        ),
        case(
            "tree with a key that is none",
            " ",
            module="vault_configuration",
            configuration={
                "auth_methods": [
                    {**ldap, "path": "key", "secret_config": {"client_tls_key": new("client_tls_key in a tree")}}
                ]
            },
        ),
        case(
            "no directory",
            " ",
            module="vault_login",
            auth_method="ldap",
            username="ada",
            password=new("password"),
            dest="x",
        ),
    ]
    try:
        places = stage.run(cases, by_process=True)
    finally:
        server.discard()
    stage.as_expected(cases)
    stage.canaries.absent(places)


@pytest.fixture
def kubernetes(
    servers: Servers, stage: Stage, kube_api: KubeApi, namespace: str, tmp_path: Path
) -> Iterator[list[Case]]:
    """Tasks about a cluster in which a value goes from Vault into a Secret, and another one the other way."""
    new, client = stage.canaries.new, servers.open.client()
    value, pushed = new("value of an ExternalSecret"), new("value of a PushSecret")
    client.secrets.kv.v2.create_or_update_secret(namespace, {"password": value}, mount_point="secret")
    client.sys.create_or_update_policy(
        namespace, 'path "secret/*" { capabilities = ["create", "read", "update", "list"] }'
    )
    token = client.auth.token.create(policies=[namespace], ttl="1h")["auth"]["client_token"]
    stage.canaries.add("the store's token", token)
    for name, content in {"token": {"token": token}, "local": {"password": pushed}}.items():
        secret = {"metadata": {"name": name}, "stringData": content}
        kube_api.call("POST", f"/api/v1/namespaces/{namespace}/secrets", secret)
    kube_api.service_account(namespace, "probe")

    kube = {"kubeconfig": kube_api.kubeconfig}
    at = {**kube, "namespace": namespace}
    vault = {"url": [servers.open.url], "ca_cert": servers.open.ca_cert}
    store = {
        "server": servers.open.url,
        "path": "secret",
        "ca_bundle": servers.open.authority.ca.read_text(),
        "auth": {"token_secret_ref": {"name": "token", "key": "token"}},
        "wait": True,
        "wait_timeout": 60,
    }
    external = {"store": {"name": "vault"}, "refresh_interval": "1h", "data_from": [{"extract": {"key": namespace}}]}
    external.update(wait=True, wait_timeout=60)
    push = {"store_refs": [{"name": "vault"}], "selector": {"secret": {"name": "local"}}, "refresh_interval": "1h"}
    match = {"secret_key": "password", "remote_ref": {"remote_key": f"{namespace}-pushed", "property": "password"}}
    digest = hashlib.sha256(value.encode()).hexdigest()
    stage.canaries.add("expect_sha256", digest)
    wrong = hashlib.sha256(b"another").hexdigest()
    stage.canaries.add("expect_sha256 that is wrong", wrong)
    sync = {"name": "app", "wait_timeout": 60}
    named = {"name": "app", "namespace": namespace}
    given_login = {name: new(f"vault.{name}", odd=False) for name in sorted(LOGIN - {"token"})}
    with eso_operator.running(kube_api, tmp_path):
        run_module("eso_secretstore", {**at, "name": "vault", **store}, must_succeed=True)
        run_module("eso_externalsecret", {**at, "name": "app", **external}, must_succeed=True)
        yield [
            Case("store", "eso_secretstore", {**at, "name": "vault2", **store}),
            Case("external", "eso_externalsecret", {**at, "name": "app2", **external}),
            Case("push", "eso_pushsecret", {**at, "name": "back", **push, "data": [{"match": match}], "wait": True}),
            Case("info", "eso_info", {**kube, "namespaces": [namespace], "target_keys": True}),
            Case("sync", "eso_sync", {**at, **sync, "expect_sha256": {"password": digest}}),
            Case(
                "sync many",
                "eso_sync",
                {**kube, "external_secrets": [{**named, "expect_sha256": {"password": digest}}]},
            ),
            Case("sync wrong", "eso_sync", {**at, **sync, "expect_sha256": {"password": wrong}}, " ", True),
            Case(
                "sync and verify",
                "eso_sync",
                {**at, **sync, "vault": {**vault, "token": servers.open.token, **given_login}},
            ),
            Case(
                "verify",
                "eso_verify",
                {**kube, "namespaces": [namespace], "vault": {**vault, "token": servers.open.token, **given_login}},
            ),
            Case(
                "verify refused",
                "eso_verify",
                {**kube, "namespaces": [namespace], "vault": {**vault, "token": new("vault.token")}},
                " ",
            ),
            Case("backup", "eso_backup", {**kube, "path": str(tmp_path / "backup.yaml"), "namespaces": [namespace]}),
            Case("token", "k8s_token", {**at, "name": "probe", "dest": str(tmp_path / "private" / "token")}, late=True),
            Case(
                "odd key",
                "eso_info",
                {"host": kube_api.url, "ca_cert": kube_api.ca_cert, "api_key": new("api_key with a line end")},
                " ",
            ),
        ]


def test_every_secret_option_of_kubernetes_has_a_case(kubernetes: list[Case]) -> None:
    missing = uncovered(True, kubernetes)
    assert not missing, f"no task of the fixture gives these and succeeds: {', '.join(missing)}"


def test_modules_for_kubernetes(stage: Stage, kubernetes: list[Case], kube_api: KubeApi, tmp_path: Path) -> None:
    (stage.folder / "empty.yaml").write_text("")
    for check in (True, False):
        cases = kubernetes if not check else [case for case in kubernetes if not case.late]
        if not check:
            connection = {"host": kube_api.url, "ca_cert": kube_api.ca_cert}
            cases = cases_of(True, cases, stage.folder, stage.canaries, connection)
        places = stage.run(cases, check, by_process=check)
        stage.as_expected(cases)
        if not check:
            stage.canaries.add("a service account's token", (tmp_path / "private" / "token").read_text().strip())
        stage.canaries.absent({**places, "the backup": (tmp_path / "backup.yaml").read_text() if not check else ""})


def test_the_roles_and_the_drift_report(servers: Servers, stage: Stage) -> None:
    """The same by the collection's playbooks: applied, rehearsed, compared after an edit by hand, and refused."""
    new, server = stage.canaries.new, servers.open
    inventory, reports = stage.folder / "inventory", stage.folder / "reports"
    token = stage.folder / "token"
    write_private(token, server.token.encode())
    stage.canaries.add("the administrator's token", server.token)
    grove = Grove(server, stage.canaries, "role")

    def declared(part: str) -> dict[str, Any]:
        return {f"vault_config_{title}": entries for title, entries in grove.tree(part).items()}

    def write(variables: dict[str, Any]) -> None:
        host = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "vault_connection": {"url": [server.url], "ca_cert": server.ca_cert},
            "vault_session_login": {"auth_method": "token", "token_file": str(token), "child": True},
            "vault_session_directory": str(stage.folder),
            "drift_report_directory": str(reports),
            "credentials_directory": str(stage.folder / "credentials"),
            **variables,
        }
        inventory.mkdir(exist_ok=True)
        (inventory / "hosts.yml").write_text("vault_clusters: {hosts: {secrecy: }}\n")
        (inventory / "host_vars").mkdir(exist_ok=True)
        write_private(inventory / "host_vars" / "secrecy.yml", yaml.safe_dump(host).encode())

    def play(name: str, *arguments: str) -> int:
        done = stage.play(ROOT / "playbooks" / f"{name}.yml", "-i", str(inventory), *arguments)
        texts = {f"{name}.yml": done.stdout + done.stderr, "Ansible's log": (stage.folder / "ansible.log").read_text()}
        texts["the system log"] = stage.logs
        texts.update({path.name: path.read_text() for path in reports.rglob("*") if path.is_file()})
        stage.canaries.absent(texts)
        stage.said = done.stdout + done.stderr
        return done.returncode

    first = declared("at first")
    tree = {name[len("vault_config_") :]: entries for name, entries in first.items()}
    missing = [path for path in tree_uncovered([tree]) if path.split(".")[0] not in KINDS_NOT_HERE]
    assert not missing, missing
    write(first)
    assert play("configure") == 0, stage.said[-4000:]
    assert read_kv(server, "role/app") == first["vault_config_secrets"][0]["data"]

    later = declared("later")
    client = server.client()
    client.secrets.kv.v2.create_or_update_secret("role/app", {"password": new("kv by hand")}, mount_point="secret")
    client.write("auth/userpass/users/role", token_ttl="2h")
    # what is declared otherwise or no longer, with secrets of which no declaration knows
    key = ssh.key_pair()[1]
    for line in ssh.body(key):
        stage.canaries.add(f"a private key by hand: {line[:5]}", line.lower())
    for name in ("role", "gone", "purged"):
        password = new(f"password by hand in {name}", odd=False)
        client.write_data(
            f"database/config/{name}",
            data={
                "plugin_name": "mysql-database-plugin" if name == "gone" else "postgresql-database-plugin",
                "connection_url": f"me:{password}@tcp(127.0.0.1:1)/x"
                if name == "gone"
                else f"host=127.0.0.1 port=1 password='a {password}' user=me",
                "some_key_file": key,
                "own_password": new(f"own_password by hand in {name}"),
                "verify_connection": False,
            },
        )
        assert password in json.dumps(client.read(f"database/config/{name}")), "the server does not return it"
    later["vault_config_database_connections"].append({"mount": "database", "name": "gone", "state": "absent"})
    others = client.list("database/config")["data"]["keys"]
    purge = {"database_connections": {"purge_data": ["purged"], "protected": sorted({*others} - {"purged"})}}
    later["vault_config_purge"] = purge
    write(later)
    assert play("drift", "-e", "drift_fail=true", "-e", "vault_config_update_secrets=always") != 0
    report = json.loads((reports / "drift.json").read_text())
    assert report["status"] == "drift", report
    found = {change["name"]: change for part in report["hosts"][0]["parts"] for change in part["changes"]}
    assert {"secret/role/app", "userpass/role", "role-duo", "role-okta", "role-pingid"} <= set(found)
    for name, shown in {
        "role": "host=127.0.0.1 port=1 password='(hidden)' user=me",
        "gone": "me:(hidden)@tcp(127.0.0.1:1)/x",
        "purged": "host=127.0.0.1 port=1 password='(hidden)' user=me",
    }.items():
        diff = "\n".join(found[f"database/{name}"]["diff"])
        assert shown in diff, diff
    assert (reports / "drift.html").exists()
    assert play("configure", "--check", "-e", "vault_config_update_secrets=always") == 0, stage.said[-4000:]

    bad = declared("in bad declarations")
    bad["vault_config_secrets"][0]["dta"] = {"password": new("a misspelt key of the role")}
    bad["vault_config_auth_methods"][0]["config"]["oidc_client_secret"] = new("oidc_client_secret in config")
    bad["vault_config_endpoints"] = [[{"path": "x", "secret_data": {"password": new("a list in a list of the role")}}]]
    write(bad)
    assert play("configure") != 0
    for title, entries in grove.refused("by the role").items():
        bad[f"vault_config_{title}"] = [] if title == "aws_configs" else entries
    write(bad)
    assert play("configure") != 0
    write({**declared("beside aws"), "vault_config_aws_configs": grove.refused("by the report")["aws_configs"]})
    assert play("drift") != 0
    assert json.loads((reports / "drift.json").read_text())["status"] == "failed"
    write({**declared("for nobody"), "vault_connection": {"url": ["https://127.0.0.1:1"], "retries": 0}})
    assert play("drift") != 0
    assert json.loads((reports / "drift.json").read_text())["status"] == "failed"
