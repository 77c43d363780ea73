"""Manifests of the providers, as they write them."""

from __future__ import annotations

import base64
import doctest
import hashlib
import json

import pytest

from ingestion.sources import manifests
from ingestion.sources.manifests import Part, is_named_like_one, read_manifest

MD5 = hashlib.md5(b"x", usedforsecurity=False)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (
            {"exportArn": "arn:x", "dataFiles": ["s3://b/cur/data/BILLING_PERIOD=2026-10/cur-00001.csv.gz"]},
            [Part("s3://b/cur/data/BILLING_PERIOD=2026-10/cur-00001.csv.gz")],
        ),
        (
            {"assemblyId": "a", "reportKeys": ["cur/20261001-20261101/a/cur-1.csv.gz"], "bucket": "b"},
            [Part("cur/20261001-20261101/a/cur-1.csv.gz")],
        ),
        (
            {"manifestVersion": "2024-04-01", "blobs": [{"blobName": "e/part_0_0001.csv", "byteCount": 7, "dataRowCount": 1}]},
            [Part("e/part_0_0001.csv", 7)],
        ),
        ({"entries": [{"url": "s3://b/cur-1.csv.gz", "mandatory": True}]}, [Part("s3://b/cur-1.csv.gz")]),
        (
            {"reportFiles": [{"key": "k/1.csv", "size": 1, "md5Checksum": MD5.hexdigest()}]},
            [Part("k/1.csv", 1, "md5", MD5.digest())],
        ),
        (
            {"blobs": [{"blobName": "1.csv", "contentMD5": base64.b64encode(MD5.digest()).decode()}]},
            [Part("1.csv", None, "md5", MD5.digest())],
        ),
    ],
    ids=["Data Exports", "legacy CUR", "Azure", "Redshift", "Storage Lens", "base64"],
)  # fmt: skip
def test_manifests_name_their_parts(content: object, parts: list[Part]) -> None:
    assert read_manifest(json.dumps(content).encode()) == parts


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"data": []}',
        b'{"dataFiles": [3]}',
        b'{"blobs": [{}]}',
        b'{"dataFiles": ["//"]}',
        b"[" * 9999,
    ],
)
def test_what_is_no_manifest_is_none(body: bytes) -> None:
    assert read_manifest(body) is None


def test_names_of_manifests() -> None:
    names = ("cur-Manifest.json", "manifest.json", "x-RedshiftManifest.json", "bill.json", "manifest.csv")

    assert [is_named_like_one(name) for name in names] == [True, True, True, False, False]


def test_examples_in_docstrings_hold() -> None:
    assert doctest.testmod(manifests).failed == 0
