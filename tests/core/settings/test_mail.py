"""The mail server and the networks of webhooks, as the environment names them."""

from __future__ import annotations

import ipaddress

import pytest
from django.core.exceptions import ImproperlyConfigured

from core.settings.mail import MailServer, mail_server, networks


def test_a_whole_address_is_taken_apart() -> None:
    assert mail_server("smtp+tls://u%40x:p%2Fw@mail.example:2525?from=led@x.org", "") == MailServer(
        "led@x.org", "mail.example", 2525, "u@x", "p/w", starts_tls=True
    )


@pytest.mark.parametrize(("scheme", "port"), [("smtp", 25), ("smtp+tls", 587), ("smtps", 465)])
def test_each_scheme_has_its_port(scheme: str, port: int) -> None:
    found = mail_server(f"{scheme}://mail.example", "https://ledger.example:8443")

    assert (found.port, found.is_tls, found.sender) == (port, scheme == "smtps", "wattledger@ledger.example")


def test_without_an_address_there_is_no_mail() -> None:
    assert mail_server("", "http://127.0.0.1:8000").host == ""


@pytest.mark.parametrize("url", ["mail.example", "http://mail.example", "smtp://", "smtp://mail.example:x"])
def test_a_bad_address_stops_the_start_with_its_name(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL"):
        mail_server(url, "")


def test_networks_are_read_and_bad_ones_stop_the_start() -> None:
    assert networks(" 10.1.0.0/16, fd00::/8,") == (
        ipaddress.ip_network("10.1.0.0/16"),
        ipaddress.ip_network("fd00::/8"),
    )
    with pytest.raises(ImproperlyConfigured, match="WEBHOOK_NETWORKS"):
        networks("10.1.0.1/16")
