# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role vault_cluster, by its playbook: who may hold the keys, and how people who hold them take part."""

from __future__ import annotations

import base64
import json
import os
import pty
import time
from pathlib import Path
from typing import Any, Callable

from support.local import write_private
from support.openbao import VaultServer
from support.playbooks import clean_environment, command_of, inventory_of, play
from support.system import ROOT, Play

Start = Callable[..., VaultServer]

#: the two ways of the inventories, in front of the values of a test
PRODUCTION = ROOT / "inventories" / "production" / "group_vars" / "vault_clusters" / "connection.yml"


class Cluster:
    """An inventory with one Vault cluster that has a server and nothing else, its key store in a folder of its own."""

    def __init__(self, server: VaultServer, folder: Path, **variables: Any) -> None:
        self.server, self.folder = server, folder
        self.credentials = folder / "credentials" / "vault"
        held = str(self.credentials)
        declared = {
            "vault_connection": {"url": [server.url], "ca_cert": server.ca_cert},
            "vault_cluster_key_store": f"{held}/unseal-keys.json",
            "vault_cluster_key_shares": 3,
            "vault_cluster_key_threshold": 2,
            "vault_cluster_admin_role_id_file": f"{held}/admin-role-id",
            "vault_cluster_admin_secret_id_file": f"{held}/admin-secret-id",
            **variables,
        }
        self.inventory = inventory_of(folder, vault_clusters={"vault": declared})

    def play(self, *arguments: str, playbook: str = "vault", typed: str = "", **environment: str) -> Play:
        """Run ``playbooks/vault.yml``, or another; a failed run is an outcome too. ``typed`` is what a person types."""
        if typed:
            command = command_of(playbook, self.inventory, *arguments)
            return on_terminal(command, self.folder, clean_environment(**environment), typed)
        done = play(playbook, self.inventory, *arguments, **environment)
        return Play(done.rc, " ".join(done.output.split()))


def on_terminal(command: list[str], folder: Path, environment: dict[str, str], typed: str) -> Play:
    """Run a command on a terminal of its own, and type an answer when it asks for the key share."""
    # the terminal has to control the process, or nothing may ask on it
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execve(command[0], command, environment)  # noqa: S606
    said, answered = b"", False
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            break
        if not part:
            break
        said += part
        if not answered and b"your key share" in said:
            time.sleep(1)
            os.write(terminal, typed.encode() + b"\r")
            answered = True
    return Play(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), " ".join(said.decode().split()))


def test_shares_in_clear_are_refused_unless_told_so(new_server: Start, tmp_path: Path) -> None:
    """Seen on the server: 501 is its answer while nobody has initialised it."""
    cluster = Cluster(new_server(initialise=False), tmp_path)
    for arguments, word in (
        ([], "the key shares would be written to"),
        (["--check"], "the key shares would be written to"),
        (["-e", "vault_cluster_unseal_mode=auto"], "the recovery shares would be written to"),
        (["-e", '{"vault_cluster_pgp_keys": ["one.asc"]}'], "there are 1 PGP keys for 3 shares"),
    ):
        refused = cluster.play(*arguments)
        assert refused.rc != 0
        assert word in refused.output and "Nothing was changed" in refused.output
        assert cluster.server.health() == 501
        assert not cluster.credentials.exists()
    assert "vault_cluster_plain_shares" in cluster.play().output

    # what a past cluster left here takes nothing away from that: the module looks at the moment itself
    cluster.credentials.mkdir(parents=True, mode=0o700)
    write_private(cluster.credentials / "admin-role-id", b"old")
    assert "would be written to" in cluster.play("--tags", "init").output
    assert cluster.server.health() == 501
    (cluster.credentials / "admin-role-id").unlink()

    told = ["-e", "vault_cluster_plain_shares=true"]
    job = cluster.play(*told, AWX_HOST="https://awx.example.com")
    assert job.rc != 0
    assert f"{cluster.credentials}/unseal-keys.json" in job.output
    assert "would be lost when this job's container ends" in job.output and "Nothing was changed" in job.output
    assert cluster.server.health() == 501
    lasting = [*told, "-e", f"vault_eso_durable_directories={tmp_path}"]
    assert cluster.play(*lasting, "--check", AWX_HOST="https://awx.example.com").rc == 0
    assert cluster.play(*told, "--check").rc == 0
    assert cluster.server.health() == 501
    cluster.play(*told)
    cluster.server.wait_active()
    # it is initialised: what would be written is settled, and nobody asks again
    assert "would be written to" not in cluster.play("--check").output


def test_people_hold_the_keys_as_the_production_example_says(
    new_server: Start, gpg: Callable[..., bytes], tmp_path: Path
) -> None:
    example = PRODUCTION.read_text()
    holders = tmp_path / "pgp"
    holders.mkdir()
    public = gpg("--armor", "--export", "ada@example.com")
    for number in (1, 2, 3):
        (holders / f"{number}.asc").write_bytes(public)
    settings = {}
    for name in ("pgp_keys", "root_token_pgp_key", "unseal"):
        (line,) = (line for line in example.splitlines() if line.startswith(f"vault_cluster_{name}:"))
        value = line.partition(": ")[2].strip('"')
        settings[f"vault_cluster_{name}"] = {"false": False}.get(value, value)
    root_file = tmp_path / "root-token"
    cluster = Cluster(
        new_server(initialise=False), tmp_path, **settings, vault_cluster_bootstrap_token_file=str(root_file)
    )
    first = cluster.play()
    assert first.rc != 0
    assert "vault is initialised and sealed, and vault_cluster_unseal is false: have 2 holders decrypt" in first.output
    assert f"put the decrypted root token into {root_file}, then run again" in first.output
    assert cluster.server.health() == 503
    held = json.loads((cluster.credentials / "unseal-keys.json").read_text())
    shares = [gpg("--decrypt", given=base64.b64decode(share)).decode() for share in held["shares"]]
    assert len(shares) == 3 and not any(share in json.dumps(held) for share in shares)

    # each holder by a run of their own: by a file, as of a job's credential, and on a terminal
    nobody = cluster.play(playbook="unseal")
    assert nobody.rc != 0 and "-e unseal_prompt=true, or with -e unseal_shares_file=FILE" in nobody.output
    asked = cluster.play("-e", "unseal_prompt=true", playbook="unseal")
    assert asked.rc != 0 and "no key share was typed; run this on a terminal" in asked.output
    own = tmp_path / "own-share"
    write_private(own, shares[0].encode())
    given = [cluster.play("-e", f"unseal_shares_file={own}", playbook="unseal")]
    assert given[0].rc == 0 and "1 of 2 key shares given, 1 more needed" in given[0].output, given[0].output
    given.append(cluster.play("-e", "unseal_prompt=true", "-vvv", playbook="unseal", typed=shares[1]))
    assert given[-1].rc == 0 and f"{cluster.server.url}: unsealed" in given[-1].output, given[-1].output
    assert not any(share in play.output for play in given for share in shares)
    cluster.server.wait_active()
    root = gpg("--decrypt", given=base64.b64decode(held["root_token"])).decode()
    write_private(root_file, root.encode())
    second = cluster.play()
    assert second.rc == 0, second.output
    assert not cluster.server.client(root).is_authenticated()
    assert not any(secret in first.output + second.output for secret in [root, *shares])
    role_id, secret_id = ((cluster.credentials / f"admin-{name}").read_text() for name in ("role-id", "secret-id"))
    client = cluster.server.client("")
    client.auth.approle.login(role_id=role_id.strip(), secret_id=secret_id.strip())
    assert "secretops-admin" in client.lookup_token()["data"]["policies"]
    client.auth.token.revoke_self()
    assert cluster.play("--check").rc == 0


def test_rekey_root_token_and_barrier_key_by_their_playbooks(new_server: Start, tmp_path: Path) -> None:
    server = new_server(shares=3, threshold=2)
    token = tmp_path / "token"
    write_private(token, server.token.encode())
    cluster = Cluster(
        server,
        tmp_path,
        vault_cluster_plain_shares=True,
        vault_session_login={"token_file": str(token)},
        vault_cluster_key_threshold=2,
        vault_cluster_admin=False,
    )
    store = cluster.credentials / "unseal-keys.json"
    cluster.credentials.mkdir(parents=True, mode=0o700)
    before = {"format": 1, "generation": 1, "threshold": 2, "encrypted": False, "shares": server.keys}
    write_private(store, json.dumps(before).encode())
    second = ["-e", "vault_cluster_rekey_generation=2"]
    checked = cluster.play(*second, "--check", playbook="rekey")
    assert checked.rc == 0 and "3 new key shares would be made, of which 2 are needed" in checked.output, checked.output
    for yes in ([], ["-e", "rekey_confirmed=true"], ["-e", "rekey_confirmed=other"]):
        refused = cluster.play(*second, *yes, playbook="rekey")
        assert refused.rc != 0 and "-e rekey_confirmed=" in refused.output and "Nothing was changed" in refused.output
    assert json.loads(store.read_text()) == before
    done = cluster.play(*second, "-e", "rekey_confirmed=vault", playbook="rekey")
    assert done.rc == 0 and "of generation 2, and were proven on the server" in done.output, done.output
    after = json.loads(store.read_text())
    assert after["generation"] == 2 and not set(after["shares"]) & set(server.keys)
    again = cluster.play(*second, "-e", "rekey_confirmed=vault", playbook="rekey")
    assert again.rc == 0 and json.loads(store.read_text()) == after

    login = ["-e", "root_token_login=true"]
    closed = cluster.play("-e", "root_token_confirmed=vault", playbook="root_token")
    assert closed.rc != 0 and "disable_unauthed_generate_root_endpoints" in closed.output
    made = cluster.play(*login, "-e", "root_token_confirmed=vault", playbook="root_token")
    assert made.rc == 0, made.output
    root = (cluster.credentials / "generated-root-token").read_text().strip()
    assert server.client(root).lookup_token()["data"]["policies"] == ["root"]
    ended = cluster.play("-e", "root_token_state=absent", playbook="root_token")
    assert ended.rc == 0, ended.output
    assert not server.client(root).is_authenticated() and not (cluster.credentials / "generated-root-token").exists()

    assert "it stays" in cluster.play(playbook="rotate_barrier").output
    rotated = cluster.play("-e", "vault_cluster_barrier_key_max_age=0", playbook="rotate_barrier")
    assert rotated.rc == 0 and "is number 2" in rotated.output and "it was replaced" in rotated.output, rotated.output
    assert server.client().key_status["term"] == 2
    assert not any(one in play.output for play in (done, made) for one in (root, *after["shares"], *server.keys))
