# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The one list of names of secret fields. Pure: no I/O."""

from __future__ import annotations

import re

#: words for a secret, at the end of a name or as the whole of it
WORD = (
    r"(?:password|passwd|passphrase|pwd|secret|(?<!bind[_-])secret[_-]?id|token|(?:private|api)[_-]?key"
    r"|secret[_-]?access[_-]?key|authorization|credentials)"
)
#: names of fields that servers return in clear and that hold a secret by their name
SECRET_NAME = re.compile(
    r"(?:^|[._-])(?:%s|password_hash|bindpass|cookie|(?:secret|certificate|tls)[_-]key|(?:reviewer|account)[_-]jwt"
    r"|service[_-]account|service[_-]account[_-]json|pem[_-](?:bundle|json))$" % WORD,
    re.IGNORECASE,
)
#: fields that are refused in options that are shown; they belong in options such as ``secret_config``
FIELDS = frozenset(
    """
    api_key api_token bindpass client_secret client_tls_key credentials gsuite_service_account oidc_client_secret passwd
    password password_hash pem_bundle pem_json private_key secret secret_access_key secret_id secret_key
    service_account_json shared_secret tls_certificate_key token token_reviewer_jwt
    """.split()  # noqa: SIM905 - as a list it would be a page
)
