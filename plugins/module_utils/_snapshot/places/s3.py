# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Copies in S3-compatible storage, by boto3. Source: the API reference of Amazon S3."""

from __future__ import annotations

import datetime
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from ..._engine import progress
from ..._engine.errors import InvalidInput
from ..archive import CHUNK
from .base import NotAllowed, Place, PlaceError, require_file

#: the statuses that say that an identity may not
DENIED = (401, 403)
MISSING = 404


class S3(Place):
    """A bucket, and a prefix within it. Credentials are given, or those that boto3 finds by itself."""

    def __init__(self, options: Mapping[str, Any], seconds: float) -> None:
        found = urlsplit(options["url"])
        self.bucket, self.prefix = found.netloc.rpartition("@")[2], found.path.strip("/")
        self.credential = "@" in found.netloc
        self.options = options
        self.seconds = seconds
        self._made: Any = None
        super().__init__("s3://%s" % "/".join(part for part in (self.bucket, self.prefix) if part))

    def check(self) -> None:
        """Refuse options that contradict each other."""
        options = self.options
        if self.credential or not self.bucket:
            raise InvalidInput("names no bucket", self.where, "write it as s3://bucket/prefix, without a credential")
        if bool(options.get("s3_access_key")) != bool(options.get("s3_secret_key")):
            raise InvalidInput(
                "one half of the credential is missing", self.where, "give s3_access_key and s3_secret_key"
            )
        if bool(options.get("s3_lock_mode")) != bool(options.get("s3_lock_days")):
            raise InvalidInput("a lock needs a mode and days", self.where, "give s3_lock_mode and s3_lock_days")
        if (options.get("s3_lock_days") or 0) < 0:
            raise InvalidInput('"s3_lock_days" is below zero', self.where, "give the days, 1 or more")
        if options.get("s3_kms_key_id") and options.get("s3_encryption") != "aws:kms":
            raise InvalidInput('"s3_kms_key_id" needs "aws:kms"', self.where, 'set "s3_encryption" to "aws:kms"')
        if options.get("s3_ca_cert"):
            require_file(options["s3_ca_cert"], "s3_ca_cert", self.where)
        self._library()

    def _library(self) -> Any:
        try:
            import boto3  # type: ignore[import-not-found,import-untyped,unused-ignore]
        except ImportError as error:
            raise InvalidInput(
                "the Python library boto3 is not installed", self.where, "install boto3 where this task runs"
            ) from error
        return boto3

    @property
    def _client(self) -> Any:
        if self._made is None:
            from botocore.config import Config  # type: ignore[import-not-found,import-untyped,unused-ignore]

            options = self.options
            endpoint = options.get("s3_endpoint")
            settings: dict[str, Any] = {
                "connect_timeout": 20,
                "read_timeout": min(self.seconds, 300),
                "retries": {"max_attempts": 4, "mode": "standard"},
                "signature_version": "s3v4",
            }
            if endpoint:
                # other storages know neither buckets as host names nor the newest checksums
                settings["s3"] = {"addressing_style": "path"}
                settings["request_checksum_calculation"] = settings["response_checksum_validation"] = "when_required"
            try:
                config = Config(**settings)
            except TypeError:
                # a botocore from before these checksums
                config = Config(**{name: value for name, value in settings.items() if "checksum" not in name})
            with self._telling("read"):
                self._made = self._library().client(
                    "s3",
                    endpoint_url=endpoint,
                    region_name=options.get("s3_region") or ("us-east-1" if endpoint else None),
                    aws_access_key_id=options.get("s3_access_key"),
                    aws_secret_access_key=options.get("s3_secret_key"),
                    aws_session_token=options.get("s3_session_token"),
                    verify=options.get("s3_ca_cert") or None,
                    config=config,
                )
        return self._made

    @contextmanager
    def _telling(self, verb: str) -> Iterator[None]:
        from boto3.exceptions import Boto3Error  # type: ignore[import-not-found,import-untyped,unused-ignore]
        from botocore.exceptions import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
            BotoCoreError,
            ClientError,
        )

        try:
            yield
        except ClientError as error:
            raise self._refused(verb, error) from error
        except Boto3Error as error:
            # an upload wraps what the storage said
            if isinstance(error.__context__, ClientError):
                raise self._refused(verb, error.__context__) from error
            raise PlaceError("cannot be %s (%s)" % (verb, error), self.where, "check the storage") from error
        except (BotoCoreError, ValueError) as error:
            raise PlaceError(
                "cannot be %s (%s)" % (verb, error), self.where, "check s3_endpoint, s3_region and the credential"
            ) from error

    def _refused(self, verb: str, error: Any) -> PlaceError:
        answer = error.response
        status = int((answer.get("ResponseMetadata") or {}).get("HTTPStatusCode") or 0)
        said = answer.get("Error") or {}
        what = "cannot be %s (status %d, %s)" % (verb, status, said.get("Message") or said.get("Code") or "no reason")
        if status in DENIED:
            return NotAllowed(what, self.where, "check the credential and what it may do in that bucket")
        return PlaceError(what, self.where, "check the bucket, and whether it takes what the options ask for")

    def _key(self, name: str) -> str:
        return "%s/%s" % (self.prefix, name) if self.prefix else name

    def _extra(self) -> dict[str, Any]:
        """Return what goes with each object: encryption by the storage, lock, class."""
        options, extra = self.options, {}
        if options.get("s3_encryption"):
            extra["ServerSideEncryption"] = options["s3_encryption"]
        if options.get("s3_kms_key_id"):
            extra["SSEKMSKeyId"] = options["s3_kms_key_id"]
        if options.get("s3_storage_class"):
            extra["StorageClass"] = options["s3_storage_class"]
        if options.get("s3_lock_mode"):
            until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=options["s3_lock_days"])
            extra["ObjectLockMode"], extra["ObjectLockRetainUntilDate"] = options["s3_lock_mode"], until
            # the storage takes no locked object without a checksum
            extra["ChecksumAlgorithm"] = "SHA256"
        return extra

    def ready(self, size: int, trial: bool) -> None:
        """Refuse a bucket that is missing or takes nothing. An upload is begun and given up: no object is made."""
        if not trial:
            with self._telling("read"):
                self._client.head_bucket(Bucket=self.bucket)
            return
        key = self._key(".vault-eso-trial")
        with self._telling("written"):
            begun = self._client.create_multipart_upload(Bucket=self.bucket, Key=key, **self._extra())
            self._client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=begun["UploadId"])

    def names(self) -> list[str]:
        """Return the names of the objects directly below the prefix."""
        start = self.prefix + "/" if self.prefix else ""
        found = []
        with self._telling("listed"):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=start, Delimiter="/"):
                found += [one["Key"][len(start) :] for one in page.get("Contents") or []]
        return sorted(found)

    def put(self, path: str, name: str, sha256: str) -> bool:
        """Write an object and read it back. An identity that may only write is believed, and that is told."""
        size = os.path.getsize(path)
        sent = 0

        def count(part: int) -> None:
            nonlocal sent
            sent += part
            progress.tell("%d of %d MB sent to %s", sent >> 20, size >> 20, self.label)

        with self._telling("written"):
            self._client.upload_file(path, self.bucket, self._key(name), ExtraArgs=self._extra(), Callback=count)
        try:
            digest = hashlib.sha256()
            for block in self._blocks(name):
                digest.update(block)
        except NotAllowed:
            return False
        if digest.hexdigest() != sha256:
            raise self.damaged(name)
        return True

    def _blocks(self, name: str) -> Iterator[bytes]:
        with self._telling("read"):
            answer = self._client.get_object(Bucket=self.bucket, Key=self._key(name))
            yield from answer["Body"].iter_chunks(CHUNK)

    def texts(self, names: list[str]) -> dict[str, str]:
        """Return the texts of small objects."""
        found = {}
        for name in names:
            try:
                found[name] = b"".join(self._blocks(name)).decode("utf-8", "replace")
            except NotAllowed:
                raise
            except PlaceError as error:
                cause = getattr(error.__cause__, "response", None) or {}
                if (cause.get("ResponseMetadata") or {}).get("HTTPStatusCode") != MISSING:
                    raise
        return found

    def fetch(self, name: str, path: str) -> None:
        """Copy an object to a local file. Raises OSError where that cannot be written."""
        with open(path, "wb") as file:
            for block in self._blocks(name):
                file.write(block)

    def remove(self, name: str) -> None:
        """Remove an object; in a bucket with versions, the storage keeps what is locked."""
        with self._telling("removed"):
            self._client.delete_object(Bucket=self.bucket, Key=self._key(name))
