"""
Which addresses may be posted to: an organization's URL must not reach what only this machine or its network can.

A name is resolved once, every address that it has is looked at, and the connection goes to one of those that were looked at:
a name that answers otherwise a moment later gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[..., Sequence[Any]]

LONGEST_URL: Final = 2_000
PORTS: Final = {"http": 80, "https": 443}
TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")
"""IPv4 addresses behind a NAT64 gateway (RFC 6052)."""


class AddressRefused(Exception):
    """An address that nothing is sent to; the message says why. Trying again changes nothing."""


class NameNotFound(Exception):
    """A name that has no address just now; it may have one later."""


@dataclass(frozen=True)
class Target:
    """
    A URL that may be posted to.

    Args:
        host: as the URL names it, for the certificate and the header.
        path: with its query.
        addresses: that the name has, all of them allowed.
    """

    secure: bool
    host: str
    port: int
    path: str
    addresses: tuple[str, ...] = ()


def parsed(url: str) -> Target:
    """
    Take a URL apart. Raises AddressRefused for one that cannot be posted to.

    >>> parsed("https://hooks.example.org/a b?c=d#e")
    Target(secure=True, host='hooks.example.org', port=443, path='/a%20b?c=d', addresses=())
    """
    if len(url) > LONGEST_URL or any(ord(letter) < 33 and letter != " " for letter in url):
        raise AddressRefused(f"The address is longer than {LONGEST_URL} characters or holds control characters.")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        raise AddressRefused(f"This is no URL: {error}.") from None
    if parts.scheme not in PORTS or not host:
        raise AddressRefused("Give a URL that begins with https://.")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("A URL with a user or password in it is not taken.")
    try:
        host = host if ":" in host else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise AddressRefused(f"{host!r} is no name of a host.") from None
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
    return Target(parts.scheme == "https", host, port or PORTS[parts.scheme], path + query)


def resolved(url: str, allowed: Sequence[Network] = (), resolver: Resolver = socket.getaddrinfo) -> Target:
    """
    Find the addresses behind a URL, all of which may be posted to.

    Args:
        allowed: networks that may be reached though they are private, and without TLS.

    Raises:
        AddressRefused: one of the addresses is not public, or the connection would not be encrypted.
        NameNotFound: the name has no address.
    """
    target = parsed(url)
    try:
        rows = resolver(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NameNotFound(f"The name {target.host} has no address: {error}.") from error
    found = tuple(dict.fromkeys(str(row[4][0]).partition("%")[0] for row in rows))
    if not found:
        raise NameNotFound(f"The name {target.host} has no address.")
    for each in found:
        address = ipaddress.ip_address(each)
        own = any(address in network for network in allowed if network.version == address.version)
        if not own and not is_public(address):
            raise AddressRefused(f"{target.host} leads to {each}, which is not on the public internet.")
        if not own and not target.secure:
            raise AddressRefused("Give a URL that begins with https://: this one would be sent in the open.")
    return Target(target.secure, target.host, target.port, target.path, found)


def is_public(address: Address) -> bool:
    """
    Tell whether an address is one that everybody reaches: no loopback, private, link-local, shared or multicast one.

    IPv4 addresses that an IPv6 address stands for (mapped, 6to4, Teredo, NAT64) are looked at instead.

    >>> [is_public(ipaddress.ip_address(each)) for each in ("9.9.9.9", "169.254.169.254", "::ffff:10.0.0.1")]
    [True, False, False]
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in TRANSLATED:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        if any(one is not None for one in inner):
            return all(is_public(one) for one in inner if one is not None)
    return address.is_global and not address.is_multicast
