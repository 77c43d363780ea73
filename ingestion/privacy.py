"""What is stored, for how long and who can see it: told from the running settings, the roles and the adapters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.accounting.selectors.conditions import teams_of_unknown_size
from core.accounting.small_groups import folded_teams
from core.ledger.models import Source
from core.organizations.models import Organization, Role, Scope, Team
from core.organizations.policy import ALLOWED, ALLOWED_BY_SCOPE, Action
from core.organizations.retention import retention_of
from core.organizations.user_counts import counting_of
from ingestion.sources import registry


@dataclass(frozen=True)
class Stored:
    """Something that is stored: what it holds, and how long it stays."""

    what: str
    holds: str
    kept: str


def stored(organization: Organization) -> list[Stored]:
    """List what the organization stores; times are those of its own settings."""
    kept = retention_of(organization)
    forever = _("stays: figures are made of it")
    ids = _("%(days)d days after the use; whole months are dropped, so up to 31 days longer") % {"days": kept.ids_days}
    payloads = _("%(days)d days after receipt") % {"days": kept.payload_days}
    return [
        *_user_hashes(organization.id),
        Stored(
            _("Deliveries as received"),
            _("what senders delivered, after the door has dropped what the table below says"),
            payloads,
        ),
        Stored(
            _("Rows in quarantine"),
            _("the row as read; later only its place, field and reason"),
            payloads,
        ),
        Stored(
            _("Record, request and trace ids"),
            _("as the sender wrote them; ids with a mail address in them are hashed"),
            ids,
        ),
        Stored(
            _("Ids of restated records"),
            _("keys of bills and usage exports, which corrections are named after"),
            _("as long as the record"),
        ),
        Stored(
            _("Records"),
            _("a hash of the id, times, measures, run id and the dimensions: team, project, model, place and others"),
            forever,
        ),
        Stored(_("Labels"), labels_in_words(organization.id), forever),
        Stored(_("Sums of hours and days"), _("measures and emissions by dimension"), forever),
        Stored(
            _("Batches"),
            _("when, by which source and token, how many rows, file names, remarks"),
            _("stay: they account for every row"),
        ),
        Stored(
            _("Accounts of those who sign in here"),
            _("name, e-mail address, a hash of the password, role and team"),
            _("until the account is removed"),
        ),
        Stored(
            _("Audit log"),
            _("who changed what and when, with the address of the request"),
            _("stays: it is evidence"),
        ),
    ]


def _user_hashes(organization_id: int) -> list[Stored]:
    """Name the hashes of users, where two people have switched their counting on."""
    counting = counting_of(organization_id)
    if counting is None or counting.approved_at is None:
        return []
    holds = _("of those in pushed payloads, by team; nobody can see them")
    return [Stored(_("Hashes of users"), holds, _("until the month is over, then as one number per team"))]


def labels_in_words(organization_id: int, most: int = 40) -> str:
    """Name the keys of labels that the organization's records carry."""
    keys = label_keys(organization_id)
    if not keys:
        return _("none so far")
    named = ", ".join(keys[:most])
    return named if len(keys) <= most else _("%(named)s and %(more)d more") % {"named": named, "more": len(keys) - most}


def label_keys(organization_id: int) -> list[str]:
    """List the keys of labels in an organization's series."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct key from (select distinct labels from ledger_series where organization_id = %s) s,"
            " jsonb_object_keys(s.labels) key order by key",
            [organization_id],
        )
        return [key for (key,) in cursor.fetchall()]


RIGHTS: Final[tuple[tuple[str | Promise, Action], ...]] = (
    (gettext_lazy("Figures of the own team"), Action.SEE_OWN_TEAM),
    (gettext_lazy("Figures of all teams"), Action.SEE_ALL_TEAMS),
    (gettext_lazy("Single requests and their ids"), Action.SEE_REQUESTS),
    (gettext_lazy("Deliveries and quarantine"), Action.SEE_SOURCES),
    (gettext_lazy("Accounts, roles, retention"), Action.MANAGE_PEOPLE),
    (gettext_lazy("Audit log"), Action.SEE_AUDIT_LOG),
)
"""What of this page's table a right shows."""


@dataclass(frozen=True)
class Seen:
    """A right and which roles, then which scopes of tokens, have it."""

    what: str | Promise
    allowed: list[bool]


def holders() -> list[str]:
    """Name the roles, then the scopes of tokens, in the order of `Seen.allowed`."""
    roles = [str(Role(role).label) for role in ALLOWED]
    return [*roles, *(_("Token: %(scope)s") % {"scope": scope.value} for scope in Scope)]


def who_sees() -> list[Seen]:
    """Read the policy: what each role and scope may see."""
    rights = [*ALLOWED.values(), *(ALLOWED_BY_SCOPE[scope] for scope in Scope)]
    return [Seen(label, [action in each for each in rights]) for label, action in RIGHTS]


@dataclass(frozen=True)
class Door:
    """A wire format, whether the organization uses it, and what it drops."""

    kind: str
    used: bool
    dropped: str


def doors(organization_id: int) -> list[Door]:
    """Tell of every wire format what is dropped at its door; those in use come first."""
    used = set(Source.objects.filter(organization_id=organization_id).values_list("kind", flat=True))
    found = [Door(kind, kind in used, registry.dropped(kind)) for kind in registry.SOURCES]
    return sorted(found, key=lambda door: (not door.used, door.kind))


@dataclass(frozen=True)
class Groups:
    """How many teams are shown together, and those whose size nobody has entered."""

    minimum: int
    small: int
    unknown: list[str]


def groups(organization: Organization) -> Groups:
    """Tell which teams are shown together, and which have no head count."""
    sizes = dict(Team.objects.filter(organization_id=organization.id).values_list("name", "head_count"))
    return Groups(
        organization.minimum_group_size,
        len(folded_teams(sizes, organization.minimum_group_size)),
        teams_of_unknown_size(organization.id),
    )
