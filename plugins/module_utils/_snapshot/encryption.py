# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Snapshots encrypted for public keys, by the programs age or gpg, before they leave this machine."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from .._engine.errors import InvalidInput
from . import programs

AGE, GPG = "age", "gpg"
#: what a file's name ends in, after that of a plain snapshot
SUFFIXES = {"": "", AGE: ".age", GPG: ".gpg"}
PACKAGES = {AGE: "the package age", GPG: "GnuPG"}
_AGE_RECIPIENT = re.compile(r"age1[0-9a-z]+|ssh-(ed25519|rsa) [A-Za-z0-9+/=]+( .*)?")


class Encryption:
    """How copies are encrypted: not at all, for recipients of age, or for public keys of OpenPGP in files."""

    def __init__(self, age_recipients: Sequence[str], gpg_public_keys: Sequence[str], seconds: float) -> None:
        self.age_recipients = list(age_recipients)
        self.gpg_public_keys = list(gpg_public_keys)
        self.seconds = seconds
        self.by = AGE if self.age_recipients else GPG if self.gpg_public_keys else ""

    @property
    def suffix(self) -> str:
        """What the name of an encrypted file ends in."""
        return SUFFIXES[self.by]

    def check(self) -> None:
        """Refuse keys that are none, by encrypting a few bytes for them. Raises InvalidInput."""
        if self.age_recipients and self.gpg_public_keys:
            raise InvalidInput(
                "age and OpenPGP are both asked for",
                'options "age_recipients" and "gpg_public_keys"',
                "give the keys of one of them",
            )
        for one in self.age_recipients:
            if not _AGE_RECIPIENT.fullmatch(one):
                # an identity (AGE-SECRET-KEY-) given by mistake is not repeated
                raise InvalidInput(
                    "holds what is no recipient of age",
                    'option "age_recipients"',
                    "give public keys, which begin with age1, ssh-ed25519 or ssh-rsa",
                )
        for path in self.gpg_public_keys:
            if not os.path.isfile(path):
                raise InvalidInput(
                    "there is no file %s" % path, 'option "gpg_public_keys"', "name files with public keys"
                )
        if not self.by:
            return
        with tempfile.TemporaryDirectory(prefix="vault-eso-") as folder:
            plain = os.path.join(folder, "a")
            with open(plain, "wb") as file:
                file.write(b"trial\n")
            self.encrypt(plain, os.path.join(folder, "b"))

    def encrypt(self, source: str, dest: str) -> None:
        """Write the encrypted content of a file into another, which keeps its mode. Raises SecretopsError, OSError."""
        option = 'option "age_recipients"' if self.by == AGE else 'option "gpg_public_keys"'
        program = programs.find(self.by, option, PACKAGES[self.by])
        remedy = "check that these are public keys"
        if self.by == AGE:
            named = [word for one in self.age_recipients for word in ("-r", one)]
            programs.run([program, *named, "-o", dest, source], option, remedy, self.seconds, dest=dest)
        else:
            # a key ring of its own: the user's is not asked, and not changed
            with tempfile.TemporaryDirectory(prefix="vault-eso-gpg-") as home:
                named = [word for one in self.gpg_public_keys for word in ("--recipient-file", one)]
                command = [program, "--homedir", home, "--batch", "--no-tty", "--yes", "--trust-model", "always"]
                programs.run(
                    [*command, "--compress-level", "0", *named, "--output", dest, "--encrypt", source],
                    option,
                    remedy,
                    self.seconds,
                    dest=dest,
                )


def of(params: Mapping[str, Any]) -> Encryption:
    """Return what the options declare."""
    return Encryption(
        params.get("age_recipients") or [], params.get("gpg_public_keys") or [], float(params["transfer_timeout"])
    )


def decrypt(by: str, source: str, dest: str, identity: str | None, gnupg_home: str | None, seconds: float) -> None:
    """Write the decrypted content of a file into another, which keeps its mode.

    ``identity``: the file of the key of age. OpenPGP's key is in a key ring, the user's own without ``gnupg_home``.
    Raises SecretopsError, and OSError where the other file cannot be written.
    """
    where = 'snapshot "%s"' % os.path.basename(source)
    if by not in (AGE, GPG):
        raise InvalidInput("is encrypted by %s, which is not known here" % by, where, "decrypt it by hand")
    if by == AGE and not identity:
        raise InvalidInput("is encrypted by age", where, 'give the file of the private key as "age_identity"')
    program = programs.find(by, where, PACKAGES[by])
    if by == AGE:
        command = [program, "--decrypt", "-i", str(identity), "-o", dest, source]
        remedy = 'check "age_identity": the file must hold the private key of one of the recipients'
    else:
        home = ["--homedir", gnupg_home] if gnupg_home else []
        command = [program, *home, "--batch", "--no-tty", "--yes", "--output", dest, "--decrypt", source]
        remedy = 'check "gnupg_home": the key ring must hold the private key of one of the recipients'
    programs.run(command, where, remedy, seconds, dest=dest)
