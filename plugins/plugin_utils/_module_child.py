# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""A module as a fork of Ansible's worker: what it is given, how it ends, and what of the controller it must not have.

What differs between versions of ansible-core is here, each with the version that it came with.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import logging
import os
import selectors
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, NoReturn

from ansible.executor import module_common
from ansible.module_utils import basic
from ansible.module_utils.common import json as ansible_json
from ansible.module_utils.common import warnings as ansible_warnings
from ansible.module_utils.common.text.converters import to_text

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine import progress
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.secrets import KNOWN

#: seconds in which a module gives back what it holds, when its worker ends before it
GRACE = 10.0
#: how the options and the result are written; modules of this collection ask for no other (since ansible-core 2.19)
PROFILE = "legacy"
_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGCHLD)

try:
    from ansible.module_utils import _internal
    from ansible.module_utils._internal import _traceback
    from ansible.module_utils._internal._ansiballz import _loader
except ImportError:
    # before ansible-core 2.19
    _internal = _traceback = _loader = None

#: since ansible-core 2.19
_BUILT = getattr(module_common, "_BuiltModule", None)


def unsupported() -> str:
    """Return what this ansible-core lacks for a module in the worker; "" when there is nothing."""
    if not hasattr(os, "fork"):
        return "no fork"
    if (_BUILT is None) is not (_loader is None):
        return "an unknown ansible-core"
    if _loader is not None:
        parts = (
            (_internal, "is_controller"),
            (_internal, "get_controller_serialize_map"),
            (_internal, "import_controller_module"),
            (_traceback, "_is_traceback_enabled"),
            (_traceback, "_is_module_traceback_enabled"),
            (_traceback, "_module_tracebacks_enabled_events"),
            (_loader, "_handle_exception"),
            (basic, "_ANSIBLE_PROFILE"),
            (basic, "_PARSED_MODULE_ARGS"),
        )
        if not all(hasattr(module, name) for module, name in parts):
            return "an unknown ansible-core"
    own = hasattr(basic, "_ANSIBLE_ARGS") and hasattr(basic, "_load_params")
    return "" if own else "an unknown ansible-core"


def payload(name: str, options: Mapping[str, Any]) -> bytes:
    """Return the options of a module as Ansible hands them over."""
    params = {"ANSIBLE_MODULE_ARGS": options}
    if _loader is None:
        return json.dumps(params, cls=ansible_json.AnsibleJSONEncoder, vault_to_text=True).encode()
    encoder = ansible_json.get_module_encoder(PROFILE, ansible_json.Direction.CONTROLLER_TO_MODULE)
    return json.dumps(params, cls=encoder).encode()


def built(data: bytes, shebang: str, path: str) -> Any:
    """Return what ActionBase._configure_module returns."""
    if _BUILT is None:
        return "new", shebang, data, path
    return _BUILT(b_module_data=data, module_style="new", shebang=shebang, serialization_profile=PROFILE), path


class Child:
    """A module in a fork of this process."""

    def __init__(
        self,
        main: Callable[[], None],
        options: bytes,
        environment: Mapping[str, str],
        folder: Path,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """``environment`` is added to this process's; ``tell`` takes what the module says about its progress."""
        self.main = main
        self.options = options
        self.environment = environment
        self.folder = folder
        self.tell = tell
        self.pid = 0

    def run(self) -> tuple[int, str, str]:
        """Return exit code, standard output and error output of the module. It ends when this is interrupted."""
        pipes = [os.pipe() for _stream in range(3)]
        # a signal must find either the worker or the module, not the one with the handlers of the other
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        try:
            parent = os.getpid()
            self.pid = os.fork()
            if not self.pid:
                self._be([write for _read, write in pipes], parent)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            for _read, write in pipes:
                os.close(write)
        try:
            stdout, stderr = self._collect([read for read, _write in pipes])
            _pid, status = os.waitpid(self.pid, 0)
        except BaseException:
            # the task's timeout, Ctrl-C
            self._stop()
            raise
        finally:
            for read, _write in pipes:
                os.close(read)
        code = os.waitstatus_to_exitcode(status)
        # as a shell says it
        return code if code >= 0 else 128 - code, stdout, stderr

    def _collect(self, ends: list[int]) -> tuple[str, str]:
        parts: dict[int, list[bytes]] = {end: [] for end in ends}
        with selectors.DefaultSelector() as selector:
            for end in ends:
                selector.register(end, selectors.EVENT_READ)
            while selector.get_map():
                for key, _events in selector.select():
                    part = os.read(key.fd, 1 << 16)
                    if not part:
                        selector.unregister(key.fd)
                    elif key.fd != ends[2]:
                        parts[key.fd].append(part)
                    elif self.tell is not None:
                        # lines are shorter than what a pipe writes at once
                        for line in part.decode(errors="replace").splitlines():
                            self.tell(line)
        texts = [to_text(b"".join(parts[end]), errors="surrogate_then_replace") for end in ends[:2]]
        return texts[0], texts[1]

    def _stop(self) -> None:
        """End the module: it gives back its login first, unless that takes too long."""
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGTERM)
            end = time.monotonic() + GRACE
            while time.monotonic() < end:
                if os.waitpid(self.pid, os.WNOHANG)[0]:
                    return
                time.sleep(0.01)
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    # -- in the child -------------------------------------------------------------------------------------------------

    def _be(self, ends: list[int], parent: int) -> NoReturn:
        """Become the module; no exception and no return may leave this for what the worker does next."""
        code = 1
        try:
            _separate(parent, ends[:2])
            os.environ.update(self.environment)
            if "TZ" in self.environment:
                time.tzset()
            with suppress(OSError):
                os.chdir(self.folder)
            _forget_the_controller()
            basic._ANSIBLE_ARGS = self.options
            basic._load_params = self._load
            if _loader is not None:
                basic._ANSIBLE_PROFILE = PROFILE
            if self.tell is not None:
                progress.to(ends[2])
            code = _ending(self.main)
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            # as at the end of a process: threads that are waited for, what was registered, what was printed
            with suppress(BaseException):
                threading._shutdown()  # type: ignore[attr-defined]
            with suppress(BaseException):
                atexit._run_exitfuncs()
            for stream in (sys.stdout, sys.stderr):
                with suppress(BaseException):
                    stream.flush()
            os._exit(code)

    def _load(self) -> dict[str, Any]:
        """Return the options as Ansible's own function does, which copies all of them (since ansible-core 2.19).

        Its copy is for a setting alone. Its decoder asks whether texts are valid UTF-8, as the controller does.
        """
        found: dict[str, Any] = json.loads(self.options)["ANSIBLE_MODULE_ARGS"]
        if _loader is not None:
            basic._PARSED_MODULE_ARGS = {name: found[name] for name in found if name.startswith("_ansible_")}
        return found


def _separate(parent: int, ends: list[int]) -> None:
    """Take signals, streams and the end of a process from the worker."""
    for one in _HANDLED:
        signal.signal(one, signal.SIG_DFL)
    signal.signal(signal.SIGINT, _interrupted)
    with suppress(Exception):
        # PR_SET_PDEATHSIG: a module whose worker is gone has nobody to answer to
        ctypes.CDLL(None).prctl(1, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    atexit._clear()
    null = os.open(os.devnull, os.O_RDONLY)
    for source, number in ((null, 0), (ends[0], 1), (ends[1], 2)):
        os.dup2(source, number)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)


def _interrupted(number: int, frame: Any) -> NoReturn:
    """End the module as Ctrl-C does; the end of the worker, which follows, must not interrupt the giving back."""
    for one in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    raise KeyboardInterrupt


def _forget_the_controller() -> None:
    """Let Ansible's code for modules be as in a process of its own, without what the controller did to it."""
    logging.root.handlers.clear()
    logging.root.setLevel(logging.WARNING)
    tempfile.tempdir = None
    ansible_warnings._global_warnings.clear()
    ansible_warnings._global_deprecations.clear()
    KNOWN.forget()
    if _loader is not None:
        _internal.is_controller = False
        _internal.get_controller_serialize_map = dict
        _internal.import_controller_module = lambda _name: None
        _traceback._is_traceback_enabled = _traceback._is_module_traceback_enabled
        _traceback._module_tracebacks_enabled_events = None
    # what is there already is never garbage here: looking at it would copy its memory
    gc.freeze()


def _ending(main: Callable[[], None]) -> int:
    """Run the module; return its exit code, and print what Ansible prints of one that does not end by itself."""
    try:
        main()
        raise RuntimeError("New-style module did not handle its own exit")
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGINT)
        return 130
    except Exception as error:  # noqa: BLE001  # pylint: disable=broad-except
        if _loader is None:
            traceback.print_exc()
            return 1
        try:
            _loader._handle_exception(error, PROFILE)
        except SystemExit:
            return 1
    return 1
