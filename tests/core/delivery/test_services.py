"""Messages to real receivers: signed, tried again, sent once, and every attempt written down."""

from __future__ import annotations

import ipaddress
import itertools
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.core import mail
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from core.delivery import selectors, services
from core.delivery.models import Delivery, Destination, Message
from core.organizations.models import AuditEvent, Organization
from core.organizations.tenancy import organization_scope
from tests.receivers import Receiver, receiver

pytestmark = pytest.mark.django_db

TROUBLE = {
    "source_id": 7,
    "source": "Agent <1>",
    "state": "silent",
    "latest_arrival": "2026-11-20T12:00:00+00:00",
}


@pytest.fixture
def listening(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOK_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
    with receiver() as told:
        yield told


def add(organization: Organization, channel: str, address: str, **more: Any) -> tuple[Destination, str]:
    return services.add_destination(
        organization_id=organization.id, name=more.pop("name", channel), channel=channel, address=address, **more
    )


def announce(organization: Organization, key: str = "k", **more: Any) -> Message | None:
    given = {"kind": "source.trouble", "data": TROUBLE} | more
    return services.announce(organization_id=organization.id, key=key, **given)


def log_of(organization: Organization) -> list[Delivery]:
    with organization_scope(organization.id):
        return selectors.latest_deliveries(organization.id)


def test_a_webhook_is_signed_as_the_standards_own_package_verifies(
    organization: Organization, listening: Receiver
) -> None:
    _destination, secret = add(organization, "webhook", listening.url)
    message = announce(organization)
    assert message is not None

    assert services.deliver_due(organization.id) == {"delivered": 1, "retried": 0, "failed": 0}
    (got,) = listening.received
    assert secret.startswith("whsec_")
    said = Webhook(secret).verify(got.body, got.headers)
    assert said == json.loads(got.body)
    assert (said["type"], said["organization"], said["data"]) == ("source.trouble", "Northwind AI", TROUBLE)
    assert said["id"] == got.headers["webhook-id"] == f"msg_{message.uid.hex}"
    assert said["subject"] == "Agent <1> is silent"
    assert said["link"].endswith("/sources/7/")
    assert got.path == "/hook?a=b"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(got.body + b" ", got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 43 + "=").verify(got.body, got.headers)


def test_after_a_rotation_both_secrets_verify_for_a_day(organization: Organization, listening: Receiver) -> None:
    destination, former = add(organization, "webhook", listening.url)
    secret = services.rotate_secret(organization_id=organization.id, destination_id=destination.id)
    announce(organization)
    now = datetime.now(UTC) + timedelta(hours=1)
    services.deliver_due(organization.id, now=now)

    assert len(listening.received[0].headers["webhook-signature"].split(" ")) == 2
    announce(organization, "later", occurred_at=now)
    services.deliver_due(organization.id, now=now + timedelta(hours=24))
    assert len(listening.received[1].headers["webhook-signature"].split(" ")) == 1
    assert former != secret
    first = listening.received[0]
    hours = timedelta(hours=1).total_seconds()
    assert int(first.headers["webhook-timestamp"]) == pytest.approx(datetime.now(UTC).timestamp() + hours, abs=60)


def test_a_failing_receiver_is_tried_eight_times_within_a_day_under_one_id(
    organization: Organization, listening: Receiver
) -> None:
    add(organization, "webhook", listening.url)
    listening.answers = [(500, {})]
    start = datetime(2026, 11, 20, tzinfo=UTC)
    announce(organization, occurred_at=start)

    now, moments = start, []
    for _ in range(12):
        if services.deliver_due(organization.id, now=now) == {"delivered": 0, "retried": 0, "failed": 0}:
            break
        moments.append((now - start).total_seconds())
        now = log_of(organization)[0].next_at

    # 5 s, 5 min, 30 min, 2 h, 5 h, 7 h, 9 h after one another, each a tenth more or less
    waits = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert waits == [pytest.approx(s, rel=0.1) for s in (5, 300, 1800, 7200, 18000, 25200, 32400)]
    assert len({one.headers["webhook-id"] for one in listening.received}) == 1
    assert len(listening.received) == 8
    (delivery,) = log_of(organization)
    attempts = list(delivery.attempts.all())
    assert delivery.state == "failed"
    assert [(one.number, one.http_status, one.detail) for one in attempts] == [
        (number, 500, "said by the receiver") for number in range(1, 9)
    ]


def test_what_arrives_at_the_second_attempt_is_sent_no_third_time(
    organization: Organization, listening: Receiver
) -> None:
    add(organization, "slack", listening.url)
    listening.answers = [(503, {"Retry-After": "120"}), (200, {})]
    announce(organization)
    now = datetime.now(UTC)

    assert services.deliver_due(organization.id, now=now)["retried"] == 1
    assert log_of(organization)[0].next_at == now + timedelta(seconds=120)  # as the receiver asks, not 5 s
    assert services.deliver_due(organization.id, now=now + timedelta(seconds=119))["delivered"] == 0
    assert services.deliver_due(organization.id, now=now + timedelta(seconds=121))["delivered"] == 1
    assert services.deliver_due(organization.id, now=now + timedelta(days=9))["delivered"] == 0
    assert len(listening.received) == 2


def test_slack_is_sent_text_and_blocks_with_its_signs_escaped(organization: Organization, listening: Receiver) -> None:
    add(organization, "slack", listening.url)
    announce(organization)
    services.deliver_due(organization.id)

    body = json.loads(listening.received[0].body)
    assert body["text"].startswith("Agent &lt;1&gt; is silent\n")
    assert body["blocks"][0] == {
        "type": "section",
        "text": {
            "type": "mrkdwn",
            "text": "*Agent &lt;1&gt; is silent*\nNothing has come from Agent &lt;1&gt; since 2026-11-20 12:00 UTC."
            " Figures lack its records.",
        },
    }
    assert "webhook-signature" not in listening.received[0].headers


def test_redirects_are_not_followed(organization: Organization, listening: Receiver) -> None:
    with receiver() as inside:
        listening.answers = [(302, {"Location": inside.url})]
        add(organization, "slack", listening.url)
        announce(organization)

        assert services.deliver_due(organization.id)["retried"] == 1
        assert inside.received == []
    assert "redirects" in log_of(organization)[0].attempts.all()[0].detail


def test_a_private_address_is_given_up_without_a_connection(organization: Organization, settings: Any) -> None:
    settings.WEBHOOK_NETWORKS = (ipaddress.ip_network("10.1.0.0/16"),)
    with receiver() as inside:
        add(organization, "slack", inside.url)
        announce(organization)

        assert services.deliver_due(organization.id)["failed"] == 1
        assert inside.received == []
    assert "not on the public internet" in log_of(organization)[0].attempts.all()[0].detail


def test_a_receiver_that_is_gone_is_paused(organization: Organization, listening: Receiver) -> None:
    destination, _secret = add(organization, "webhook", listening.url)
    listening.answers = [(410, {})]
    announce(organization)

    assert services.deliver_due(organization.id)["failed"] == 1
    announce(organization, "next")
    assert services.deliver_due(organization.id) == {"delivered": 0, "retried": 0, "failed": 0}
    listening.answers = [(200, {})]
    services.pause_destination(organization_id=organization.id, destination_id=destination.id, paused=False)
    assert services.deliver_due(organization.id)["delivered"] == 1


def test_nobody_listening_is_tried_again(organization: Organization, listening: Receiver) -> None:
    add(organization, "slack", "http://127.0.0.1:9/")
    announce(organization)

    assert services.deliver_due(organization.id)["retried"] == 1
    assert "ConnectionRefusedError" in log_of(organization)[0].attempts.all()[0].detail


@pytest.mark.slow
def test_an_answer_that_never_comes_is_waited_for_no_longer_than_stated(
    organization: Organization, listening: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.delivery.channels.ANSWER_TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        add(organization, "slack", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        announce(organization)

        assert services.deliver_due(organization.id)["retried"] == 1
    (attempt,) = log_of(organization)[0].attempts.all()
    assert attempt.detail == "no answer in time"
    assert 0.2 < attempt.took_s < 3


def test_a_message_is_said_once_and_only_to_who_wants_it(organization: Organization, listening: Receiver) -> None:
    add(organization, "slack", listening.url + "&to=all", name="all")
    add(organization, "slack", listening.url + "&to=back", name="back", kinds_wanted=["source.back"])
    add(organization, "slack", listening.url + "&to=search", name="search", team="search")

    assert announce(organization, team="nlp") is not None
    assert announce(organization, team="nlp") is None
    services.deliver_due(organization.id)
    assert [one.path for one in listening.received] == ["/hook?a=b&to=all"]
    announce(organization, "of search", team="search", kind="source.back")
    services.deliver_due(organization.id)
    assert sorted(one.path.rpartition("=")[2] for one in listening.received[1:]) == ["all", "back", "search"]


def test_mail_has_text_html_and_a_name_by_which_it_is_known_again(organization: Organization, settings: Any) -> None:
    settings.EMAIL_CONFIGURED = True
    add(organization, "email", "team@example.org", language="de")
    message = announce(organization)
    assert message is not None

    services.deliver_due(organization.id)
    (sent,) = mail.outbox
    assert sent.to == ["team@example.org"]
    assert sent.subject == "Agent <1> schweigt"
    assert "/sources/7/" in sent.body
    assert "Agent &lt;1&gt;" in sent.alternatives[0].content  # type: ignore[attr-defined]
    assert sent.extra_headers["Message-ID"].startswith(f"<{message.uid.hex}@")


def test_mail_travels_by_smtp(organization: Organization, settings: Any) -> None:
    got: list[Any] = []

    class Box:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  (named by aiosmtpd)
            got.append(envelope)
            return "250 OK"

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(Box(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        settings.EMAIL_CONFIGURED = True
        add(organization, "email", "team@example.org")
        announce(organization)

        assert services.deliver_due(organization.id)["delivered"] == 1
    finally:
        controller.stop()
    (envelope,) = got
    read = message_from_bytes(envelope.content, policy=policy.default)
    assert envelope.rcpt_tos == ["team@example.org"]
    assert read["Subject"] == "Agent <1> is silent"
    assert read.get_body(("plain",)).get_content().startswith("Nothing has come from Agent <1> since")  # type: ignore[union-attr]


def test_without_a_mail_server_the_log_says_so(organization: Organization, settings: Any) -> None:
    settings.EMAIL_CONFIGURED = False
    add(organization, "email", "team@example.org")
    announce(organization)

    assert services.deliver_due(organization.id)["failed"] == 1
    assert "EMAIL_URL" in log_of(organization)[0].attempts.all()[0].detail


def test_a_worker_lost_while_sending_leaves_the_message_to_the_next(
    organization: Organization, listening: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(organization, "slack", listening.url)
    announce(organization)
    now = datetime.now(UTC)

    def lost(*_: Any, **__: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(services, "send", lost)
        with pytest.raises(SystemExit):
            services.deliver_due(organization.id, now=now)
    assert services.deliver_due(organization.id, now=now + timedelta(minutes=4))["delivered"] == 0
    assert services.deliver_due(organization.id, now=now + timedelta(minutes=6))["delivered"] == 1


def test_a_test_goes_to_one_destination_and_a_removed_one_gets_nothing(
    organization: Organization, listening: Receiver
) -> None:
    one, _ = add(organization, "slack", listening.url + "&n=1", name="one")
    two, _ = add(organization, "webhook", listening.url + "&n=2", name="two")

    services.send_test(organization_id=organization.id, destination_id=one.id)
    services.deliver_due(organization.id)
    assert [got.path for got in listening.received] == ["/hook?a=b&n=1"]
    announce(organization)
    services.remove_destination(organization_id=organization.id, destination_id=two.id)
    services.deliver_due(organization.id)
    assert [got.path for got in listening.received] == ["/hook?a=b&n=1"] * 2
    with pytest.raises(Destination.DoesNotExist):
        services.send_test(organization_id=organization.id, destination_id=two.id)
    with organization_scope(organization.id):
        assert bytes(Destination.objects.get(id=two.id).secret or b"") == bytes(32)
        events = " ".join(str((e.before, e.after)) for e in AuditEvent.objects.filter(object_type="destination"))
    assert "a=b" not in events  # an address of an incoming webhook is a secret


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"channel": "pigeon"}, "channel"),
        ({"channel": "email", "address": "nobody"}, "address"),
        ({"channel": "email", "address": "a@example.org\r\nBcc: b@example.org"}, "address"),
        ({"address": "http://example.org/"}, "address"),
        ({"address": "javascript:alert(1)"}, "address"),
        ({"kinds_wanted": ["no.such"]}, "kinds"),
        ({"language": "xx"}, "language"),
    ],
)
def test_what_cannot_be_is_refused(organization: Organization, given: dict[str, Any], field: str) -> None:
    whole = {"name": "n", "channel": "slack", "address": "https://hooks.example.org/x"} | given

    with pytest.raises(services.DestinationError) as refused:
        services.add_destination(organization_id=organization.id, **whole)
    assert refused.value.field == field


def test_a_name_is_taken_once(organization: Organization) -> None:
    add(organization, "email", "team@example.org", name="team")

    with pytest.raises(services.DestinationError, match="already"):
        add(organization, "email", "team@example.org", name="team")


def test_nothing_of_another_organization_is_sent(
    organization: Organization, other_organization: Organization, listening: Receiver
) -> None:
    add(organization, "slack", listening.url)
    announce(other_organization)

    assert services.deliver_due(other_organization.id)["delivered"] == 0
    with organization_scope(other_organization.id):
        assert list(Destination.objects.all()) == []
        assert selectors.latest_deliveries(organization.id) == []
    assert listening.received == []
