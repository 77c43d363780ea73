"""Which addresses may be posted to."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from core.delivery.guard import AddressRefused, NameNotFound, is_public, parsed, resolved

PRIVATE = [
    "127.0.0.1",
    "127.8.9.1",
    "0.0.0.0",  # noqa: S104  (an address to refuse)
    "10.0.0.1",
    "172.16.3.4",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "2001:db8::1",
]
PUBLIC = ["9.9.9.9", "93.184.216.34", "2620:fe::fe", "::ffff:9.9.9.9", "64:ff9b::9.9.9.9"]


def answering(*addresses: str) -> Any:
    def resolver(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    return resolver


@pytest.mark.parametrize("address", PRIVATE)
def test_what_only_this_network_reaches_is_refused(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(AddressRefused, match="not on the public internet"):
        resolved("https://hooks.example.org/", resolver=answering(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_taken(address: str) -> None:
    assert resolved("https://hooks.example.org/x", resolver=answering(address)).addresses == (address,)


def test_one_private_address_among_public_ones_refuses_the_name() -> None:
    with pytest.raises(AddressRefused):
        resolved("https://hooks.example.org/", resolver=answering("9.9.9.9", "10.0.0.1"))


@pytest.mark.parametrize("url", ["http://2130706433/", "http://0x7f.1/", "https://127.1/", "https://[::1]/"])
def test_other_spellings_of_loopback_are_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        resolved(url)


def test_a_network_of_the_setting_is_reached_also_without_tls_and_no_other() -> None:
    allowed = (ipaddress.ip_network("10.1.0.0/16"),)

    assert resolved("http://inside.example/", allowed, answering("10.1.2.3")).addresses == ("10.1.2.3",)
    with pytest.raises(AddressRefused):
        resolved("http://inside.example/", allowed, answering("10.2.0.1"))
    with pytest.raises(AddressRefused, match="in the open"):
        resolved("http://outside.example/", allowed, answering("9.9.9.9"))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "https://",
        "example.org/hook",
        "https://user:secret@example.org/",
        "https://example.org:99999/",
        "https://example.org/\r\nHost: other",
        "https://exa\x00mple.org/",
        "https://[::1",
        "https://" + "a" * 70 + ".org/",
        "https://example.org/" + "a" * 2_000,
    ],
)
def test_what_is_no_url_to_post_to_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        parsed(url)


def test_a_name_without_an_address_may_have_one_later() -> None:
    def resolver(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(NameNotFound, match=r"nowhere\.example"):
        resolved("https://nowhere.example/", resolver=resolver)


def test_names_of_other_scripts_are_written_as_dns_has_them() -> None:
    assert parsed("https://bücher.example/").host == "xn--bcher-kva.example"
