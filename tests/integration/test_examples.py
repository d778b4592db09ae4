# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples in the modules' documentation: each fits its module's options, and is rehearsed with real servers."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.playbook.block import Block
from ansible.playbook.task import Task
from ansible.plugins.loader import module_loader

from support import kubernetes_api
from support.kubernetes_api import KubeApi
from support.local import write_private
from support.modules import run_module
from support.openbao import VaultServer, enable_kv
from support.specs import argument_specs
from support.system import BIN, ROOT

MODULES = sorted(file.stem for file in (ROOT / "plugins" / "modules").glob("*.py"))
OWN = "secretops.vault_eso."
#: what a task may hold beside its module
KEYWORDS = {*Task.fattributes, *Block.fattributes, "local_action"}
#: a value of the right type for an option whose value is known at run time only
AT_RUN_TIME: Mapping[str, Any] = {"list": [], "dict": {}, "int": 1, "float": 1.0, "bool": True}
#: prints a line for each result
CALLBACK = '''
from __future__ import annotations

import json
import os

from ansible.parsing.ajson import AnsibleJSONEncoder
from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Writes every result as a line of JSON into the file that RESULTS names."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "results"

    def __init__(self):
        super().__init__()
        self.file = open(os.environ["RESULTS"], "a", buffering=1)
        self.play = ""

    def v2_playbook_on_play_start(self, play):
        self.play = play.get_name()

    def keep(self, outcome, result):
        task = result._task
        self.file.write(json.dumps([
            self.play, task.get_name(), task.action, outcome, str(result._result.get("msg", "")),
        ]) + "\\n")

    def v2_runner_on_ok(self, result):
        self.keep("ok", result)

    def v2_runner_on_skipped(self, result):
        self.keep("skipped", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.keep("failed", result)

    def v2_runner_on_unreachable(self, result):
        self.keep("failed", result)
'''


class Loader(yaml.SafeLoader):
    """YAML with Ansible's ``!unsafe``."""


class Unsafe(str):
    """A text whose braces are no template."""


Loader.add_constructor("!unsafe", lambda loader, node: Unsafe(node.value))


def examples(module: str) -> str:
    return str(runpy.run_path(str(ROOT / "plugins" / "modules" / f"{module}.py"), run_name="read")["EXAMPLES"])


def tasks_of(found: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield the tasks, those in blocks included."""
    for task in found:
        inner = [task.get(name) or [] for name in ("block", "rescue", "always")]
        if any(inner):
            for one in inner:
                yield from tasks_of(one)
        else:
            yield task


def fill(value: Any, option: Mapping[str, Any]) -> Any:
    """Return a value of an option with what is known at run time only put in."""
    if isinstance(value, str) and "{{" in value and not isinstance(value, Unsafe):
        return AT_RUN_TIME.get(option.get("type", "str"), value)
    inside = option.get("options")
    if inside and isinstance(value, list):
        return [fill(one, {"type": "dict", "options": inside}) for one in value]
    if inside and isinstance(value, dict):
        return {name: fill(one, inside.get(name, {})) for name, one in value.items()}
    return value


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_fit_their_modules(module: str) -> None:
    found = yaml.load(examples(module), Loader=Loader)  # noqa: S506 - a safe loader with one addition
    tasks = list(tasks_of(found))
    named = []
    for task in tasks:
        assert task.get("name"), task
        actions = set(task) - KEYWORDS
        assert len(actions) == 1, f"{task['name']}: what of {sorted(actions)} is the module?"
        action = actions.pop()
        named.append(action)
        if not action.startswith(OWN):
            assert action.startswith("ansible.builtin."), f"{action} is of another collection"
            assert module_loader.find_plugin(action.rpartition(".")[2]), f"there is no {action}"
            continue
        assert action[len(OWN) :] in MODULES, f"there is no {action}"
        spec = argument_specs()[action[len(OWN) :]]
        options = fill(task[action] or {}, {"type": "dict", "options": spec})
        errors = ArgumentSpecValidator(spec).validate(options).error_messages
        assert not errors, f"{task['name']}: {errors}"
    assert OWN + module in named, "no example shows the module itself"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"nmae": "x"}, "nmae. Supported parameters include"),
        ({"state": "gone"}, "value of state must be one of"),
        ({"policies": [{"rules": "{{ rules }}"}]}, "missing required arguments: name"),
        ({"policies": [{"name": "x", "rules": [{"path": "x", "capability": "read"}]}]}, "policies.rules.capability"),
    ],
)
def test_a_wrong_example_would_be_found(options: dict[str, Any], words: str) -> None:
    spec = argument_specs()["vault_policy"]
    errors = ArgumentSpecValidator(spec).validate(fill(options, {"type": "dict", "options": spec})).error_messages
    assert words in str(errors)


READMES = sorted((ROOT / "roles").glob("*/README.md"))


def names_in(value: Any) -> Iterator[str]:
    """Yield the keys of all mappings."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield str(name)
            yield from names_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from names_in(one)


@pytest.fixture(scope="module")
def declared() -> set[str]:
    """The variables that a role declares, and what playbooks and roles' defaults read."""
    found = set()
    for file in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(file.read_text())["argument_specs"].values():
            found |= set(entry.get("options") or {})
    for pattern in ("playbooks/*.yml", "playbooks/tasks/*.yml", "roles/*/defaults/main.yml"):
        for file in ROOT.glob(pattern):
            found |= set(re.findall(r"\w+", file.read_text()))
    return found


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_the_variables_that_a_roles_readme_sets_exist(readme: Path, declared: set[str]) -> None:
    prefixes = tuple(f"{path.name}_" for path in (ROOT / "roles").iterdir())
    for block in re.findall(r"^```yaml\n(.*?)^```", readme.read_text(), re.DOTALL | re.MULTILINE):
        for name in names_in(yaml.load(block, Loader=Loader)):  # noqa: S506 - a safe loader with one addition
            if name.startswith(prefixes) and not re.search(rf"\{{\{{[^}}]*\b{name}\b", block):
                assert name in declared, f"{name} is not a variable that a role or a playbook knows"


# -- rehearsals against real servers ----------------------------------------------------------------------------------

#: what the examples take from elsewhere
VARIABLES: dict[str, Any] = {
    "alice_password": "alice-password-4711",
    "aws_access_key": "AKIAEXAMPLE",
    "aws_secret_key": "aws-secret-key-4711",
    "duo_integration_key": "duo-integration-4711",
    "duo_secret_key": "duo-secret-4711",
    "orders_database_password": "orders-password-4711",
    "platform_oidc_client_secret": "oidc-secret-4711",
    "shop_database_password": "shop-password-4711",
    "vault_rabbitmq_password": "rabbitmq-password-4711",
    "eso_resources_stores": [],
    "eso_resources_external_secrets": [],
    "pushed": {"stdout": "main@sha1:0123456789abcdef0123456789abcdef01234567"},
}


class Rehearsal:
    """All examples of some modules, run in check mode by one ansible-playbook with connections of its own."""

    def __init__(
        self,
        folder: Path,
        modules: list[str],
        variables: Mapping[str, Any],
        defaults: Mapping[str, Any],
        instead: Mapping[str, str],
        environment: Mapping[str, str],
    ) -> None:
        """``instead`` are regular expressions with what stands here in the place of an example's servers and files."""
        self.modules = modules
        plays = []
        for module in modules:
            text = examples(module)
            for pattern, value in instead.items():
                text = re.sub(pattern, value, text)
            handlers = sorted(set(re.findall(r"notify: (.+)", text)))
            head = {
                "name": module,
                "hosts": "localhost",
                "gather_facts": False,
                "ignore_errors": True,
                "vars": {**VARIABLES, **variables, "ansible_python_interpreter": "{{ ansible_playbook_python }}"},
                "module_defaults": dict(defaults),
                "environment": dict(environment),
                "handlers": [{"name": name, "ansible.builtin.debug": {"msg": name}} for name in handlers],
            }
            play = textwrap.indent(
                yaml.safe_dump(head, sort_keys=False) + "tasks:\n" + textwrap.indent(text, "  "), "  "
            )
            plays.append("-" + play[1:])
        (folder / "examples.yml").write_text("---\n" + "\n".join(plays))
        (folder / "callbacks").mkdir()
        (folder / "callbacks" / "results.py").write_text(CALLBACK)
        clean = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("VAULT_", "BAO_", "ANSIBLE_", "K8S_AUTH_")) and key != "KUBECONFIG"
        }
        env = {
            **clean,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_CALLBACK_PLUGINS": str(folder / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "results",
            "ANSIBLE_NOCOLOR": "1",
            "RESULTS": str(folder / "results.jsonl"),
        }
        done = subprocess.run(
            [str(BIN / "ansible-playbook"), "-i", "localhost,", "-c", "local", "--check", "--diff", "examples.yml"],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        self.output = done.stdout + done.stderr
        assert (folder / "results.jsonl").exists(), self.output[-3000:]
        lines = (folder / "results.jsonl").read_text().splitlines()
        #: module whose example it is, task, action, outcome, message
        self.results = [json.loads(line) for line in lines]


#: why an example may fail here although it is right: by module, or by task
EXCUSES: Mapping[str, str] = {
    "vault_audit": "this server takes audit devices from its configuration only",
    "vault_aws_config": 'no secrets engine of type "aws"|the engine "aws" is not in the plugin catalogue',
    "vault_aws_role": 'the engine "aws" is not in the plugin catalogue',
    "Wait for three voters and let autopilot clean up": "has 1 voters .* of 3",
    "vault_database_action": '"database": nothing is mounted there|does not exist',
    "vault_database_credentials": '"database": nothing is mounted there|does not exist',
    "vault_kv_read": "secret/applications/web-app",
    "vault_rotation": '"secret/applications/[a-z]+": does not exist|no such file: "/etc/kubernetes/eu.yaml"',
    "Use the password": ".*",
    "Look at it": "undefined|has no attribute",
    "Let it live on": "undefined|has no attribute",
    "End it": "undefined|has no attribute",
    "vault_init": "give the path of an exported public key",
    # the namespace is not there
    "See what a namespace holds": "the server tells nothing of its mounts",
    "vault_rekey": "give the path of an exported public key",
    "Mount all engines, and remove an old one with its data": 'would delete the data of "ssh-client", "transit"',
    "Save a snapshot, and copy it to two other places": "there is no file /etc/vault-backup/id_ed25519",
    "Bring the newest copy back": "cannot be listed",
    "eso_restore": "there is no backup",
    "eso_sync": '"[a-z/-]+": does not exist; create it first',
    "Make sure that nothing but the password changed": "has no attribute 'changed_keys'",
    "flux_reconcile": "install Flux with its CRDs first",
    "k8s_rollout": '"applications/[a-z/]+": does not exist',
    "k8s_token": 'service account "external-secrets/external-secrets": does not exist',
}


def judge(rehearsal: Rehearsal) -> None:
    """Assert that all tasks ran, and that each that failed has an excuse."""
    seen = {(module, task) for module, task, _action, _outcome, _message in rehearsal.results}
    for module in rehearsal.modules:
        for task in tasks_of(yaml.load(examples(module), Loader=Loader)):  # noqa: S506 - as above
            assert (module, task["name"]) in seen, f"{module}: {task['name']} did not run\n{rehearsal.output[-3000:]}"
    wrong = []
    for module, task, _action, outcome, message in rehearsal.results:
        excuse = EXCUSES.get(task) or EXCUSES.get(module)
        if outcome != "ok" and not (excuse and re.search(excuse, message)):
            wrong.append(f"{module}: {task}: {outcome}: {message}")
    assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    """A server with what the examples take for granted."""
    server = VaultServer(tmp_path_factory.mktemp("examples-vault"), initialise=False)
    try:
        connection = {"url": [server.url], "ca_cert": server.ca_cert, "key_store": str(server.folder / "keys.json")}
        run_module("vault_init", {**connection, "shares": 1, "threshold": 1}, must_succeed=True)
        run_module("vault_unseal", connection, must_succeed=True)
        server.wait_active()
        server.token = json.loads((server.folder / "keys.json").read_text())["root_token"]
        client = server.client()
        enable_kv(client, "secret")
        secrets = client.secrets.kv.v2
        secrets.create_or_update_secret("applications/shop/api", {"password": "x"}, mount_point="secret")
        secrets.delete_latest_version_of_secret("applications/shop/api", mount_point="secret")
        client.sys.enable_secrets_engine("transit")
        client.write_data("transit/keys/orders", data={})
        client.write_data("transit/keys/orders/rotate", data={})
        client.sys.enable_secrets_engine("ssh", path="ssh-client")
        client.write_data("ssh-client/config/ca", data={"generate_signing_key": True, "key_type": "ed25519"})
        yield server
    finally:
        server.discard()


@pytest.fixture(scope="module")
def vault(server: VaultServer, tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    folder = tmp_path_factory.mktemp("examples")
    connection = {"url": [server.url], "ca_cert": server.ca_cert, "retries": 0}
    client = server.client()
    client.sys.enable_auth_method("approle")
    client.sys.create_or_update_acl_policy("admin", 'path "*" { capabilities = ["create", "read", "update", "sudo"] }')
    client.auth.approle.create_or_update_approle("admin", token_policies=["admin"])
    role_id = client.auth.approle.read_role_id("admin")["data"]["role_id"]
    secret_id = client.auth.approle.generate_secret_id("admin")["data"]["secret_id"]
    for name, text in (("role-id", role_id), ("secret-id", secret_id)):
        for prefix in ("", "admin-"):
            write_private(folder / f"{prefix}{name}", text.encode())
    backup = run_module("vault_snapshot", {**connection, "token": server.token, "dest": str(folder / "vault")})
    shutil.copy(backup["path"], folder / "vault" / "vault-20260801T030000Z-1234.snap")
    shutil.copy(server.folder / "keys.json", folder / "unseal-keys.json")
    for name in ("production-ca.crt", "external-ca.pem"):
        (folder / name).write_text(server.authority.ca.read_text())
    instead = {
        r"https://vault(-\d)?\.example\.com:8200(?!/v1)": server.url,
        r"/etc/ssl/vault-ca\.(pem|crt)": server.ca_cert,
        r"~/\.vault|/dev/shm/\w+|/srv/\w+": str(folder),
    }
    modules = [name for name in MODULES if name.startswith("vault_")]
    defaults = {"group/secretops.vault_eso.vault": connection, "secretops.vault_eso.vault_raft": {"wait_timeout": 2}}
    return Rehearsal(folder, modules, {}, defaults, instead, {"BAO_TOKEN": server.token, "BAO_CACERT": server.ca_cert})


def test_rehearsed_with_vault(vault: Rehearsal) -> None:
    judge(vault)


@pytest.fixture(scope="module")
def empty_kube_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    """An API server of our own: in the shared one stands what other files left, and examples look at whole clusters."""
    try:
        api = kubernetes_api.start_local(tmp_path_factory.mktemp("examples-kubernetes"))
    except kubernetes_api.Unavailable as reason:
        pytest.skip(str(reason))
    try:
        yield api
    finally:
        api.stop()


@pytest.fixture(scope="module")
def kubernetes(empty_kube_api: KubeApi, server: VaultServer, tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    folder = tmp_path_factory.mktemp("examples")
    (folder / "vault-ca.crt").write_text(Path(server.ca_cert).read_text())
    write_private(folder / "vault-token", server.token.encode())
    instead = {
        r"\[https://vault\.example\.com:8200\]": f'["{server.url}"]',
        r"/etc/ssl/vault-ca\.crt": server.ca_cert,
        r"/var/backups/eso|/srv/\w+|/run/user/1000": str(folder),
    }
    connection = {"url": [server.url], "ca_cert": server.ca_cert, "token": server.token}
    modules = [name for name in MODULES if not name.startswith("vault_")]
    defaults = {"group/secretops.vault_eso.eso": {"kubeconfig": empty_kube_api.kubeconfig}}
    return Rehearsal(folder, modules, {"vault_connection": connection, "tree": {"objects": []}}, defaults, instead, {})


def test_rehearsed_with_kubernetes(kubernetes: Rehearsal) -> None:
    judge(kubernetes)
