# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection, look at what is in the artifact, have Galaxy's importer read it, install and use it elsewhere.

The artifact is what users get, so it is held against a list of what may be in it: a new top-level folder, a forgotten
log or a key is found here and not by a user.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = re.compile(
    r"""(
        MANIFEST\.json | FILES\.json
      | (README|CONTRIBUTING|SECURITY|CODE_OF_CONDUCT)\.md
      | LICENSE | bindep\.txt | CHANGELOG\.(rst|md) | requirements\.(txt|yml)
      | changelogs/changelog\.yaml
      | docs/[\w./-]+\.(md|rst|png|svg|puml)
      | inventories/(production|existing)/[\w./-]+(\.ya?ml|\.md|\.example|hosts)
      | meta/(runtime|execution-environment)\.yml
      | playbooks/[\w-]+\.ya?ml | playbooks/(tasks|templates|vars|files)/[\w./-]+\.(ya?ml|j2|json)
      | plugins/(action|callback|doc_fragments|filter|inventory|lookup|modules|test)/[\w/]+\.(py|ya?ml)
      | plugins/(module|plugin)_utils/[\w/]+\.py
      | roles/\w+/(README\.md|(defaults|handlers|meta|tasks|vars)/[\w./-]+\.ya?ml|templates/[\w./-]+\.j2|files/[\w./-]+)
    )""",
    re.VERBOSE,
)
NEEDED = ("README.md", "LICENSE", "meta/runtime.yml", "plugins/modules/vault_policy.py", "playbooks/site.yml")


def run(command: list[str], **options: object) -> str:
    """Run a command and return what it printed; end with its output when it fails."""
    result = subprocess.run(command, text=True, capture_output=True, check=False, **options)  # type: ignore[call-overload]
    if result.returncode:
        sys.exit(f"artifact: {' '.join(command)} failed:\n{result.stdout}{result.stderr}")
    return result.stdout


def inspect(archive: Path) -> list[str]:
    """Return the problems of the archive: files that may not be in it, and files that are missing."""
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
    names = {member.name for member in members if not member.isdir()}
    problems = [f"{name} is in the artifact and may not be" for name in sorted(names) if not ALLOWED.fullmatch(name)]
    problems += [f"{name} is missing from the artifact" for name in NEEDED if name not in names]
    problems += [f"{member.name} is a link" for member in members if member.issym() or member.islnk()]
    return problems


def imported(archive: Path, work: Path, env: dict[str, str]) -> list[str]:
    """Return the errors and warnings of galaxy-importer, less its linters and ansible-test, which `make test` runs."""
    settings = work / "importer.cfg"
    settings.write_text(
        "[galaxy-importer]\nCHECK_REQUIRED_TAGS = True\nCHECK_CHANGELOG = True\nRUN_ANSIBLE_DOC = True\n"
        "RUN_ANSIBLE_LINT = False\nRUN_ANSIBLE_TEST = False\nRUN_FLAKE8 = False\n"
    )
    result = subprocess.run(
        [sys.executable, "-m", "galaxy_importer.main", str(archive)],
        cwd=work,
        env={**env, "GALAXY_IMPORTER_CONFIG": str(settings)},
        text=True,
        capture_output=True,
        check=False,
    )
    said = (result.stdout + result.stderr).splitlines()
    problems = [line for line in said if line.startswith(("ERROR", "WARNING", "Traceback"))]
    if result.returncode and not problems:
        problems = said[-5:]
    return problems


def main() -> int:
    """Build, inspect, install, use; return the exit status."""
    with tempfile.TemporaryDirectory(prefix="vault-eso-artifact-") as folder:
        work = Path(folder)
        home = work / "elsewhere"
        home.mkdir()
        # Nothing of the clone may help: no ansible.cfg, no adjacent collections folder, another working directory.
        env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        settings = work / "empty.cfg"
        settings.touch()
        env.update(ANSIBLE_CONFIG=str(settings), ANSIBLE_HOME=str(work / "home"), ANSIBLE_LOCALHOST_WARNING="false")
        env.update(ANSIBLE_COLLECTIONS_PATH=str(home), PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")

        run(["ansible-galaxy", "collection", "build", "--output-path", folder], cwd=ROOT, env=env)
        archive = next(work.glob("secretops-vault_eso-*.tar.gz"))
        problems = inspect(archive)
        if problems:
            sys.exit("artifact: " + "\nartifact: ".join(problems))

        problems = imported(archive, work, env)
        if problems:
            sys.exit("artifact: galaxy-importer: " + "\nartifact: galaxy-importer: ".join(problems))

        # The dependencies come from the environment, where there is no Galaxy server to ask.
        run(["ansible-galaxy", "collection", "install", "--no-deps", "-p", str(home), str(archive)], cwd=home, env=env)
        installed = run(["ansible-doc", "-l", "secretops.vault_eso"], cwd=home, env=env)
        modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("[a-z]*.py"))
        undocumented = [name for name in modules if f"secretops.vault_eso.{name} " not in installed]
        if undocumented:
            sys.exit(f"artifact: ansible-doc does not list {', '.join(undocumented)} once installed")
        for playbook in sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml")):
            run(
                ["ansible-playbook", "--syntax-check", "-i", "localhost,", f"secretops.vault_eso.{playbook}"],
                cwd=home,
                env=env,
            )
        size = archive.stat().st_size // 1024
        print(
            f"artifact: {archive.name}, {size} KiB, holds nothing it should not; "
            f"installed elsewhere it has {len(modules)} modules, and its playbooks parse by FQCN"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
