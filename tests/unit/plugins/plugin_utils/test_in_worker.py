# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a module runs, and that a module in a fork of the worker is like one in a process of its own."""

from __future__ import annotations

import ast
import atexit
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common import warnings

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine import process, progress
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.secrets import KNOWN
from ansible_collections.secretops.vault_eso.plugins.plugin_utils import _module_child as module_child
from ansible_collections.secretops.vault_eso.plugins.plugin_utils._in_worker import (
    Circumstances,
    same_python,
    why_by_process,
)

PLUGINS = Path(__file__).resolve().parents[4] / "plugins"


def test_a_module_that_would_run_here_runs_in_the_worker() -> None:
    assert why_by_process(Circumstances()) == ""
    assert why_by_process(Circumstances(environment={"VAULT_ADDR": "https://vault.example.com", "TZ": "UTC"})) == ""


@pytest.mark.parametrize(
    ("reason", "found"),
    [
        ("the connection is not local", Circumstances(connection="ansible.plugins.connection.ssh")),
        ("the connection is not local", Circumstances(connection="ansible_mitogen.connection")),
        ("the shell is not a POSIX shell", Circumstances(shell="powershell")),  # noqa: S604
        ("become", Circumstances(become=True)),
        ("async", Circumstances(asynchronous=True)),
        ("another interpreter", Circumstances(interpreter="/opt/other/bin/python")),
        ("another interpreter", Circumstances(interpreter="")),
        ("another interpreter", Circumstances(interpreter=os.path.basename(sys.executable))),
        ("the environment steers the start of a process", Circumstances(environment={"PYTHONPATH": "/x"})),
        ("the environment steers the start of a process", Circumstances(environment={"LD_PRELOAD": "x.so"})),
        ("the environment steers the start of a process", Circumstances(environment={"LC_ALL": "C"})),
        ("the environment steers the start of a process", Circumstances(environment={"no-name": "x"})),
        ("it is turned off", Circumstances(wanted=False)),
        ("ANSIBLE_KEEP_REMOTE_FILES", Circumstances(keep_files=True)),
        ("a limit of open files", Circumstances(open_files=True)),
        ("a debugger or coverage", Circumstances(extensions=True)),
        ("another module has the name", Circumstances(own=False)),
    ],
)
def test_what_needs_a_process_of_its_own(reason: str, found: Circumstances) -> None:
    assert why_by_process(found) == reason


def test_names_of_one_python_in_one_folder_are_the_same(tmp_path: Path) -> None:
    """As in a virtual environment; the same file in another folder is another environment."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "python3.11").symlink_to(sys.executable)
        (tmp_path / folder / "python").symlink_to("python3.11")
    (tmp_path / "one" / "python3.12").write_text("")
    at = str(tmp_path)
    assert same_python(f"{at}/one/python", f"{at}/one/../one/python3.11")
    assert not same_python(f"{at}/one/python", f"{at}/two/python")
    assert not same_python(f"{at}/one/python", f"{at}/one/python3.12")


def test_this_ansible_is_known() -> None:
    assert module_child.unsupported() == ""


def test_every_module_has_its_action() -> None:
    """Ansible resolves defaults by the name of the action, so each module needs one of its own name."""
    for path in sorted((PLUGINS / "modules").glob("[a-z]*.py")):
        if path.stem == "known_variables":
            continue
        action = PLUGINS / "action" / path.name
        assert action.exists(), f"write {action.name}: a copy of another one with this name"
        (own,) = [node for node in ast.walk(ast.parse(action.read_text())) if isinstance(node, ast.ClassDef)]
        (statement,) = [node for node in own.body if isinstance(node, ast.Assign)]
        assert ast.unparse(statement) == f"MODULE = {path.stem}"


# -- the child --------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _guarded() -> Iterator[None]:
    """Neither the process nor the handlers of the worker may become other ones."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    mask, pid, environment = signal.pthread_sigmask(signal.SIG_BLOCK, ()), os.getpid(), dict(os.environ)
    folder, files = Path.cwd(), len(os.listdir("/proc/self/fd"))
    yield
    assert os.getpid() == pid
    assert {number: signal.getsignal(number) for number in handlers} == handlers
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
    # pytest itself says where it is
    assert {**os.environ, "PYTEST_CURRENT_TEST": ""} == {**environment, "PYTEST_CURRENT_TEST": ""}
    assert Path.cwd() == folder
    assert len(os.listdir("/proc/self/fd")) == files


def run(main: Callable[[], Any], options: bytes = b"{}", tell: Any = None, **environment: str) -> tuple[int, str, str]:
    return module_child.Child(main, options, environment, Path("/"), tell).run()


def leave(code: Any = 0) -> None:
    sys.exit(code)


def test_what_a_module_is_given() -> None:
    def main() -> None:
        assert basic._ANSIBLE_ARGS == b"options"
        print(os.environ["GREETING"], Path.cwd(), sys.stdin.read() == "", os.getppid() == worker)
        print("fine", file=sys.stderr)
        os.write(1, b"")
        leave()

    worker = os.getpid()
    assert run(main, b"options", GREETING="hello") == (0, "hello / True True\n", "fine\n")


@pytest.mark.parametrize(("code", "ending"), [(None, (0, "")), (3, (3, "")), ("words", (1, "words\n"))])
def test_exit_codes(code: Any, ending: tuple[int, str]) -> None:
    assert run(lambda: leave(code)) == (ending[0], "", ending[1])


def test_what_a_process_does_at_its_end_a_module_does_too(tmp_path: Path) -> None:
    def main() -> None:
        atexit.register((tmp_path / "registered").write_text, "x")
        threading.Thread(target=lambda: (time.sleep(0.1), (tmp_path / "thread").write_text("x"))).start()
        sys.stdout.write("no line end")
        leave()

    atexit.register(inherited := (tmp_path / "inherited").touch)
    try:
        assert run(main) == (0, "no line end", "")
    finally:
        atexit.unregister(inherited)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["registered", "thread"]


def test_much_output_does_not_block() -> None:
    def main() -> None:
        sys.stdout.write("a" * 1_000_000)
        sys.stderr.write("b" * 1_000_000)
        leave()

    assert run(main) == (0, "a" * 1_000_000, "b" * 1_000_000)


def test_an_exception_and_a_module_that_returns_are_failures() -> None:
    for main, said in ((lambda: 1 / 0, "division by zero"), (lambda: None, "did not handle its own exit")):
        code, stdout, stderr = run(main)
        assert code == 1
        # ansible-core 2.19 and newer answer with JSON
        assert said in stdout + stderr


def test_a_killed_module_has_the_exit_code_of_a_shell() -> None:
    assert run(lambda: os.kill(os.getpid(), signal.SIGKILL))[0] == 137
    code, _stdout, stderr = run(lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert (code, stderr) == (143, "")


def test_nothing_of_the_worker_reaches_the_module() -> None:
    def main() -> None:
        found = [
            warnings.get_warning_messages(),
            tempfile.tempdir,
            logging.root.handlers,
            KNOWN.scrub_foreign("the worker knows of canary"),
            getattr(module_child._internal, "is_controller", False),
        ]
        print(found)
        leave()

    handler = logging.NullHandler()
    logging.root.addHandler(handler)
    before, tempfile.tempdir = tempfile.tempdir, "/nowhere"
    KNOWN.add("canary")
    try:
        assert "canary" not in KNOWN.scrub_foreign("the worker knows of canary")
        assert run(main)[1] == "[(), None, [], 'the worker knows of canary', False]\n"
        assert tempfile.tempdir == "/nowhere"
        assert "canary" not in KNOWN.scrub_foreign("the worker knows of canary")
    finally:
        logging.root.removeHandler(handler)
        tempfile.tempdir = before
        KNOWN.forget()


class Struck(Exception):
    """What Ansible raises from its handler of SIGALRM."""


def strike(_number: int, _frame: Any) -> None:
    raise Struck


@pytest.fixture
def alarm() -> Iterator[None]:
    """The timeout of a task, soon."""
    before = signal.signal(signal.SIGALRM, strike)
    # long enough for a fork on a busy machine
    signal.setitimer(signal.ITIMER_REAL, 3)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("alarm")
def test_a_timeout_ends_the_module_which_gives_back_what_it_holds(tmp_path: Path) -> None:
    def main() -> None:
        with process.stopped_by_signals():
            try:
                (tmp_path / "pid").write_text(str(os.getpid()))
                time.sleep(60)
            finally:
                (tmp_path / "revoked").touch()

    with pytest.raises(Struck):
        run(main)
    assert (tmp_path / "revoked").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.usefixtures("alarm")
def test_a_module_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    def main() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)

    monkeypatch.setattr(module_child, "GRACE", 0.2)
    begun = time.monotonic()
    with pytest.raises(Struck):
        run(main)
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_ends_the_module_once(tmp_path: Path, number: int, code: int) -> None:
    """The end of the worker follows a signal to all: it must not interrupt the giving back."""

    def main() -> None:
        with process.stopped_by_signals():
            try:
                os.kill(os.getpid(), number)
                time.sleep(60)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                (tmp_path / "revoked").touch()

    assert run(main)[0] == code
    assert (tmp_path / "revoked").exists()


def test_a_module_whose_worker_is_gone_ends(tmp_path: Path) -> None:
    def main() -> None:
        with process.stopped_by_signals():
            try:
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(60)
            finally:
                (tmp_path / "revoked").touch()

    worker = os.fork()
    if not worker:
        try:
            run(main)
        finally:
            os._exit(0)
    os.waitpid(worker, 0)
    end = time.monotonic() + 30
    while not (tmp_path / "revoked").exists():
        assert time.monotonic() < end, "the module still runs"
        time.sleep(0.02)


def test_progress_reaches_the_worker_every_few_seconds_and_only_when_it_listens() -> None:
    def main() -> None:
        progress.EVERY = 0.1
        progress.to(progress._end) if progress._end is not None else None
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            progress.tell("%d of %d objects", 3, 7)
        leave()

    told: list[str] = []
    assert run(main, tell=told.append)[0] == 0
    assert set(told) == {"3 of 7 objects"}
    assert 2 <= len(told) <= 5
    assert run(main) == (0, "", "")
