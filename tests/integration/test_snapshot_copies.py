# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots that leave the host: to a directory, by SSH, to S3; encrypted, fetched again, and what goes wrong then.

What a place holds is looked at by other ways than the module's: files, boto3, age and gpg themselves.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import hvac
import pytest

from support.local import write_private
from support.modules import Result
from support.openbao import VaultServer, enable_kv
from support.packages import Unavailable, provide
from support.playbooks import inventory_of, play
from support.storage import S3Server, SftpServer
from support.system import Play

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    try:
        server = SftpServer(tmp_path_factory.mktemp("sshd"))
    except Unavailable as reason:
        pytest.skip(str(reason))
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def save(vault_args: dict[str, Any], run_module: Run) -> Callable[..., Result]:
    """A function that saves a snapshot of the shared server."""

    def run(
        check: bool = False, must_succeed: bool = True, env: dict[str, str] | None = None, **options: Any
    ) -> Result:
        given = {**vault_args, **options}
        return run_module("vault_snapshot", given, check=check, must_succeed=must_succeed, env=env)

    return run


def held(folder: Path) -> list[str]:
    """The names of the files in a directory, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def test_a_directory_and_a_host_by_ssh_get_whole_copies(
    sftp: SftpServer, save: Callable[..., Result], run_module: Run, tmp_path: Path
) -> None:
    mounted, remote, local = tmp_path / "mounted", tmp_path / "remote", tmp_path / "local"
    for folder in (mounted, remote):
        folder.mkdir(mode=0o700)
    (remote / "other.txt").write_text("not ours")
    places = [{"url": str(mounted), "keep": 2}, {**sftp.options(remote), "keep": 2}]
    options = {"dest": str(local), "keep": 2, "copies": places, "cluster": "prod", "labels": {"canary": "c"}}

    assert save(check=True, **options).changed
    assert (held(mounted), held(remote)) == ([], ["other.txt"]), "check mode writes nothing"
    ready = save(state="ready", **options)
    assert not ready.changed and (held(mounted), held(remote)) == ([], ["other.txt"])

    results = [save(**options) for _number in range(3)]
    last = results[-1]
    name = Path(last["path"]).name
    assert name.startswith("prod-") and [one["read_back"] for one in last["copies"]] == [True, True]
    for folder in (mounted, remote):
        assert (folder / name).read_bytes() == Path(last["path"]).read_bytes()
        assert (folder / name).stat().st_mode & 0o777 == 0o600
        manifest = json.loads((folder / f"{name}.json").read_text())
        assert manifest["sha256"] == manifest["stored"]["sha256"] == last["sha256"]
        assert {"product", "version", "cluster_id", "cluster_name", "seal_type", "time", "index"} <= set(manifest)
        assert (manifest["cluster"], manifest["labels"]) == ("prod", {"canary": "c"})
        kept = [one for one in held(folder) if one != "other.txt"]
        assert len(kept) == 4, "the newest two with their manifests, and nothing half done"
    assert (remote / "other.txt").exists() and results[-1]["copies"][1]["pruned"]

    back = tmp_path / "back"
    got = run_module(
        "vault_snapshot", {"state": "fetched", "from_copy": places[1], "dest": str(back)}, must_succeed=True
    )
    assert got.changed and Path(got["path"]).read_bytes() == Path(last["path"]).read_bytes()
    assert 0 <= got["age"] < 600 and got["labels"] == {"canary": "c"}
    again = {"state": "fetched", "from_copy": {"url": str(mounted)}, "dest": str(back), "cluster": "prod"}
    assert not run_module("vault_snapshot", again, must_succeed=True).changed
    none = run_module("vault_snapshot", {**again, "cluster": "staging"})
    assert none.failed and 'holds no snapshot of "staging"' in none.msg


def test_s3_gets_locked_and_encrypted_copies(
    s3: S3Server, save: Callable[..., Result], run_module: Run, tmp_path: Path
) -> None:
    client = s3.client()
    client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    options = {
        **s3.options("locked", "prod"),
        "keep": 1,
        "s3_encryption": "AES256",
        "s3_lock_mode": "COMPLIANCE",
        "s3_lock_days": 3,
    }
    save(state="ready", copies=[options], cluster="prod")
    assert "Contents" not in client.list_objects_v2(Bucket="locked"), "what was tried left nothing"
    first = save(copies=[options], cluster="prod")
    first.hides(s3.SECRET)
    assert "path" not in first and first.changed
    # a name has the second in it
    time.sleep(1.1)
    second = save(copies=[options], cluster="prod")
    keys = [one["Key"] for one in client.list_objects_v2(Bucket="locked")["Contents"]]
    assert keys == [f"prod/{second['copies'][0]['name']}", f"prod/{second['copies'][0]['name']}.json"]
    found = client.get_object(Bucket="locked", Key=keys[0])
    assert hashlib.sha256(found["Body"].read()).hexdigest() == second["sha256"]
    assert (found["ObjectLockMode"], found["ServerSideEncryption"]) == ("COMPLIANCE", "AES256")
    versions = client.list_object_versions(Bucket="locked", Prefix=f"prod/{first['copies'][0]['name']}")["Versions"]
    assert len(versions) == 2, "the storage keeps what is locked"

    fetch = {"state": "fetched", "from_copy": s3.options("locked", "prod"), "dest": str(tmp_path / "back")}
    got = run_module("vault_snapshot", fetch, must_succeed=True)
    assert (got["sha256"], got["index"]) == (second["sha256"], second["index"])
    assert json.loads(Path(f"{got['path']}.json").read_text())["cluster"] == "prod"


def test_copies_are_encrypted_before_they_leave(
    save: Callable[..., Result], run_module: Run, gpg: Callable[..., bytes], tmp_path: Path
) -> None:
    try:
        provide("age-keygen", "age")
    except Unavailable as reason:
        pytest.skip(str(reason))
    identity = tmp_path / "identity"
    made = subprocess.run(["age-keygen", "-o", str(identity)], capture_output=True, text=True, check=True)
    recipient = made.stderr.split()[-1]
    public = tmp_path / "public.asc"
    public.write_bytes(gpg("--armor", "--export", "ada@example.com"))
    keys = {"age": {"age_recipients": [recipient]}, "gpg": {"gpg_public_keys": [str(public)]}}
    opens = {"age": {"age_identity": str(identity)}, "gpg": {"gnupg_home": str(tmp_path / "gpg")}}
    for by, options in keys.items():
        place = tmp_path / f"place-{by}"
        place.mkdir(mode=0o700)
        saved = save(copies=[{"url": str(place)}], **options)
        (name,) = [one for one in held(place) if not one.endswith(".json")]
        assert name.endswith(f".snap.{by}") and (place / name).read_bytes()[:2] != b"\x1f\x8b"
        # by the programs themselves
        command = ["age", "-d", "-i", str(identity), str(place / name)]
        opened = subprocess.run(command, capture_output=True, check=True).stdout if by == "age" else None
        opened = gpg("--decrypt", str(place / name)) if opened is None else opened
        assert hashlib.sha256(opened).hexdigest() == saved["sha256"]
        fetch = {"state": "fetched", "from_copy": {"url": str(place)}, "dest": str(tmp_path / f"back-{by}")}
        got = run_module("vault_snapshot", {**fetch, **opens[by]}, must_succeed=True)
        assert Path(got["path"]).read_bytes() == opened and Path(got["path"]).name.endswith(".snap")
        if by == "age":
            wrong = run_module("vault_snapshot", {**fetch, "dest": str(tmp_path / "no")})
            assert wrong.failed and 'give the file of the private key as "age_identity"' in wrong.msg
    both = save(must_succeed=False, copies=[{"url": str(tmp_path)}], **keys["age"], **keys["gpg"])
    assert both.failed and "age and OpenPGP are both asked for" in both.msg
    secret = identity.read_text().splitlines()[-1]
    mixed = save(must_succeed=False, copies=[{"url": str(place)}], age_recipients=[secret])
    assert mixed.failed and "holds what is no recipient of age" in mixed.msg
    assert secret not in mixed.msg


def test_a_place_that_cannot_be_used_is_told_before_the_server_is_asked(
    sftp: SftpServer, s3: S3Server, openbao: VaultServer, run_module: Run, tmp_path: Path
) -> None:
    options = {
        "url": [openbao.url],
        "ca_cert": openbao.ca_cert,
        "token": openbao.token,
        "dest": str(tmp_path / "local"),
    }
    good = sftp.options(tmp_path)
    cases = [
        ({"url": str(tmp_path / "unmounted")}, "there is no such directory; mount it"),
        ({**good, "url": good["url"] + "/none"}, "check the directory, its owner and its room there"),
        ({**good, "url": "sftp://root@127.0.0.1:1/x"}, "check the host, its key"),
        ({**good, "ssh_known_hosts": os.devnull + "x"}, 'correct "ssh_known_hosts"'),
        ({**good, "url": good["url"].replace("root@", "root:word@")}, "a password stands in its address"),
        ({**good, "url": "sftp://-oProxyCommand=x/x"}, "names no host"),
        ({**good, "url": good["url"] + '/a"b'}, "a path that cannot be used"),
        (s3.options("missing"), "status 404"),
        ({**s3.options("missing"), "s3_endpoint": "http://127.0.0.1:1"}, "check s3_endpoint"),
        ({**s3.options("missing"), "s3_lock_mode": "COMPLIANCE"}, "a lock needs a mode and days"),
        ({**s3.options("x"), "url": "s3://key:word@x"}, "names no bucket"),
        ({"url": "ftp://x/y"}, "is no address of a place"),
        ({"url": str(tmp_path), "s3_region": "x"}, '"s3_region" is of no use there'),
        ({"url": str(tmp_path), "keep": 0}, '"keep" is 0'),
    ]
    for place, word in cases:
        for state in ("present", "ready"):
            refused = run_module("vault_snapshot", {**options, "state": state, "copies": [place]})
            assert refused.failed and word in refused.msg, (place, refused.msg)
            refused.hides(s3.SECRET)
            assert "word" not in refused.msg or "password" in refused.msg
    assert [path for path in (tmp_path / "local").glob("*") if path] == [], "nothing was saved"


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own, to be filled."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a file system")
    folder = tmp_path / "full"
    folder.mkdir(mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path, left: int) -> None:
    """Leave so many bytes of room."""
    (folder / "filler").unlink(missing_ok=True)
    room = os.statvfs(folder)
    (folder / "filler").write_bytes(b"x" * max(0, room.f_bavail * room.f_frsize - left))


def test_a_full_place_keeps_what_it_has_and_the_others_get_theirs(
    save: Callable[..., Result], openbao: VaultServer, full: Path, tmp_path: Path
) -> None:
    other, local = tmp_path / "other", tmp_path / "local"
    other.mkdir(mode=0o700)
    metrics = tmp_path / "vault.prom"
    options = {
        "dest": str(local),
        "keep": 1,
        "copies": [{"url": str(full), "keep": 1}, {"url": str(other), "keep": 1}],
        "cluster": "prod",
        "metrics_file": str(metrics),
    }
    first = save(**options)
    values = dict(line.rsplit(" ", 1) for line in metrics.read_text().splitlines() if not line.startswith("#"))
    assert metrics.stat().st_mode & 0o777 == 0o644
    assert values['vault_snapshot_last_run_success{cluster="prod"}'] == "1"
    assert values['vault_snapshot_size_bytes{cluster="prod"}'] == str(first["size"])
    success = values['vault_snapshot_last_success_timestamp_seconds{cluster="prod"}']

    name = first["copies"][0]["name"]
    fill(full, 0)
    # the free room is looked at first: nothing is asked of the server, and nothing is saved here
    refused = save(must_succeed=False, **options)
    assert refused.failed and "has room for 0 bytes" in refused.msg and not refused.changed
    assert len(list(local.glob("*.snap"))) == 1

    # room for what the last one had, and not for the next: found while it is written
    openbao.client().sys.create_or_update_policy(f"{tmp_path.name}".lower(), 'path "x" { capabilities = ["read"] }')
    record = next(local.glob("*.json"))
    record.write_text(json.dumps({**json.loads(record.read_text()), "size": 1024}))
    with (full / "filler").open("r+b") as file:
        file.truncate(max(0, (full / "filler").stat().st_size - 8192))
    partly = save(must_succeed=False, **options)
    assert partly.failed and partly.changed and "No space left on device" in partly.msg
    assert held(full) == sorted(["filler", name, f"{name}.json"]), "the old copy stays, nothing half done"
    assert len([one for one in held(other) if one.endswith(".snap")]) == 1, "the other place has the new one"
    assert name not in held(other)
    assert len(list(local.glob("*.snap"))) == 2, "nothing is removed here when a copy failed"
    values = dict(line.rsplit(" ", 1) for line in metrics.read_text().splitlines() if not line.startswith("#"))
    assert values['vault_snapshot_last_run_success{cluster="prod"}'] == "0"
    assert values['vault_snapshot_last_success_timestamp_seconds{cluster="prod"}'] == success
    assert values[f'vault_snapshot_copy_success{{cluster="prod",place="{full}"}}'] == "0"
    assert values[f'vault_snapshot_copy_success{{cluster="prod",place="{other}"}}'] == "1"

    (full / "filler").unlink()
    healed = save(**options)
    assert len(list(local.glob("*.snap"))) == 1 and held(full)[0] == healed["copies"][0]["name"]


def test_a_full_disk_is_named_where_it_is_and_nothing_half_done_stays(
    save: Callable[..., Result], run_module: Run, sftp: SftpServer, s3: S3Server, full: Path, tmp_path: Path
) -> None:
    here, there, place, bucket = full / "here", full / "there", tmp_path / "place", f"full-{tmp_path.name[-1]}"
    for folder in (there, place):
        folder.mkdir(mode=0o700)
    s3.client().create_bucket(Bucket=bucket)
    good = [{"url": str(place)}, sftp.options(place), s3.options(bucket)]
    size = save(copies=good)["size"]
    space = "No space left on device"

    # while it is streamed
    fill(full, 16384)
    streamed = save(must_succeed=False, dest=str(here))
    assert streamed.failed and not streamed.changed and f"cannot be written ({space})" in streamed.msg, streamed.msg
    assert held(here) == []
    # on the other host, which SFTP does not say
    far = save(must_succeed=False, copies=[sftp.options(there)])
    assert far.failed and not far.changed and "its room there" in far.msg, far.msg
    assert held(there) == []
    # while copies are fetched
    for one in good:
        fetch = {"state": "fetched", "from_copy": one, "dest": str(here)}
        fetched = run_module("vault_snapshot", fetch)
        assert fetched.failed and f"{here}" in fetched.msg and f"cannot be written ({space})" in fetched.msg, (
            fetched.msg
        )
        assert held(here) == []
    # while it is encrypted: what was saved stays
    try:
        provide("age-keygen", "age")
    except Unavailable:
        return
    made = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True)
    recipient = made.stderr.split()[-1]
    fill(full, size + size // 2)
    encrypted = save(must_succeed=False, dest=str(here), copies=[good[0]], age_recipients=[recipient])
    assert encrypted.failed and encrypted.changed and f"cannot be written ({space})" in encrypted.msg, encrypted.msg
    assert len(held(here)) == 2 and not any(name.endswith(".age") for name in held(place))


def test_a_full_disk_of_the_server_loses_nothing(
    full: Path, new_server: Callable[..., VaultServer], run_module: Run, tmp_path: Path
) -> None:
    """The server takes the archive, fails behind its answer, and seals itself."""
    server = new_server(storage={"raft": {"path": str(full), "node_id": "n1", "performance_multiplier": 1}})
    enable_kv(server.client(), "secret")
    kv = server.client().secrets.kv.v2
    for number in range(30):
        kv.create_or_update_secret(f"n{number}", {"a": os.urandom(100_000).hex()})
    args = {"url": [server.url], "ca_cert": server.ca_cert}
    restore = {**args, "token": server.token, "state": "restored", "src": str(tmp_path / "saved")}
    run_module("vault_snapshot", {**args, "token": server.token, "dest": str(tmp_path / "saved")}, must_succeed=True)
    kv.create_or_update_secret("later", {"a": "b"})
    fill(full, 2_000_000)
    failed = run_module("vault_snapshot", {**restore, "wait_timeout": 30}, must_succeed=True)
    assert failed["sealed"] and "as on a full disk" in str(failed["warnings"])
    (full / "filler").unlink()
    run_module("vault_unseal", {**args, "shares": server.keys}, must_succeed=True)
    server.wait_active()
    assert kv.read_secret_version("later", raise_on_deleted_version=True)["data"]["data"] == {"a": "b"}
    done = run_module("vault_snapshot", restore, must_succeed=True)
    assert not done["sealed"]
    with pytest.raises(hvac.exceptions.InvalidPath):
        kv.read_secret_version("later", raise_on_deleted_version=True)


def test_a_place_that_goes_away_meanwhile_is_told_and_the_others_get_theirs(
    save: Callable[..., Result], tmp_path: Path
) -> None:
    try:
        age = provide("age", "age")
        provide("age-keygen", "age")
    except Unavailable as reason:
        pytest.skip(str(reason))
    recipient = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stderr.split()[-1]
    (tmp_path / "storage").mkdir()
    storage = S3Server(tmp_path / "storage")
    try:
        storage.client().create_bucket(Bucket="away")
        place, mounted, bin_folder = tmp_path / "place", tmp_path / "mounted", tmp_path / "bin"
        for folder in (place, mounted, bin_folder):
            folder.mkdir(mode=0o700)
        # every place was tried before it is encrypted: then the storage ends, and a file system is no longer mounted
        program = bin_folder / "age"
        program.write_text(
            f'#!/bin/sh\ncase "$*" in *{tmp_path}/local*) kill {storage.process.pid}; rmdir {mounted};; esac\n'
            f'exec {age} "$@"\n'
        )
        program.chmod(0o700)
        copies = [storage.options("away"), {"url": str(mounted)}, {"url": str(place)}]
        options = {"dest": str(tmp_path / "local"), "copies": copies, "age_recipients": [recipient]}
        partly = save(must_succeed=False, env={"PATH": f"{bin_folder}:{os.environ['PATH']}"}, **options)
    finally:
        storage.stop()
    assert partly.failed and partly.changed
    assert "s3://away" in partly.msg and "check s3_endpoint" in partly.msg, partly.msg
    assert f'copy at "{mounted}": cannot be written (No such file or directory)' in partly.msg
    partly.hides(storage.SECRET)
    assert len(held(place)) == 2, "the last place has the copy and its manifest"
    assert [one["url"] for one in partly["copies"]] == [str(place)]


def test_a_damaged_copy_is_not_fetched(save: Callable[..., Result], run_module: Run, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir(mode=0o700)
    saved = save(copies=[{"url": str(place)}])
    file = place / saved["copies"][0]["name"]
    content = file.read_bytes()
    fetch = {"state": "fetched", "from_copy": {"url": str(place)}, "dest": str(tmp_path / "back")}
    for damaged in (content[:-100], content[:200] + bytes([content[200] ^ 1]) + content[201:]):
        file.write_bytes(damaged)
        refused = run_module("vault_snapshot", fetch)
        assert refused.failed and "its checksum differs from its manifest's" in refused.msg
        assert held(tmp_path / "back") == []
    file.unlink()
    gone = run_module("vault_snapshot", fetch)
    assert gone.failed and "holds no snapshot" in gone.msg


@pytest.fixture
def save_by_playbook(new_server: Callable[..., VaultServer], tmp_path: Path) -> Callable[..., Play]:
    """A function that runs ``playbooks/snapshot.yml`` for a server of its own; its ``server`` is that."""
    server = new_server()
    server.client().sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
    write_private(tmp_path / "token", server.token.encode())
    declared = {
        "vault_connection": {"url": [server.url], "ca_cert": server.ca_cert},
        "vault_session_login": {"auth_method": "token", "token_file": str(tmp_path / "token"), "child": True},
    }

    def run(*arguments: str, **variables: Any) -> Play:
        inventory = inventory_of(tmp_path, vault_clusters={"prod": {**declared, **variables}})
        return play("snapshot", inventory, *arguments)

    run.server = server  # type: ignore[attr-defined]
    return run


def test_the_playbook_writes_nothing_to_vault_before_each_place_was_tried(
    save_by_playbook: Any, s3: S3Server, tmp_path: Path
) -> None:
    client = save_by_playbook.server.client()
    before = client.sys.list_policies()["data"]["policies"]
    bucket = f"snapshots-{tmp_path.name[-1]}"
    places = [{**s3.options(bucket), "keep": 3}]
    metrics = tmp_path / "metrics"
    metrics.mkdir(mode=0o755)
    refused = save_by_playbook(snapshot_copies=places, snapshot_metrics_directory=str(metrics))
    assert refused.rc != 0 and "status 404" in refused.output
    assert client.sys.list_policies()["data"]["policies"] == before
    with pytest.raises(hvac.exceptions.InvalidPath):
        client.secrets.kv.v2.read_secret_version("snapshot-canary", raise_on_deleted_version=True)
    measured = metrics / "vault_snapshot_prod.prom"
    assert 'vault_snapshot_last_run_success{cluster="prod"} 0' in measured.read_text()

    # kept there alone, nothing on the controller
    s3.client().create_bucket(Bucket=bucket)
    saved = save_by_playbook(snapshot_copies=places, snapshot_metrics_directory=str(metrics))
    assert saved.rc == 0, saved.output[-3000:]
    name, manifest = (one["Key"] for one in s3.client().list_objects_v2(Bucket=bucket)["Contents"])
    record = json.loads(s3.client().get_object(Bucket=bucket, Key=manifest)["Body"].read())
    canary = client.secrets.kv.v2.read_secret_version("snapshot-canary", raise_on_deleted_version=True)
    assert record["labels"]["canary"] == canary["data"]["data"]["canary"] and record["cluster"] == "prod"
    # what a drill compares, counted by another way
    assert record["labels"]["counts"]["policies"] == len(client.sys.list_policies()["data"]["policies"])
    assert f"prod: saved s3://{bucket}/{name}" in " ".join(saved.output.split())
    assert 'vault_snapshot_last_run_success{cluster="prod"} 1' in measured.read_text()
    for output in (refused.output, saved.output):
        assert s3.SECRET not in output and save_by_playbook.server.token not in output
