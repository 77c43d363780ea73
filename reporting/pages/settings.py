"""Settings: the organization, its teams and members, and the tokens that agents write with."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from django import forms
from django.conf import settings as site
from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import get_language_info
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from core.ledger.selectors import sources
from core.organizations import selectors, services
from core.organizations.access import requires
from core.organizations.identity import Identity
from core.organizations.models import Role, Scope, Team
from core.organizations.policy import Action, may, may_grant, only_own_team
from core.organizations.preferences import save_preferences, speak
from core.quantification.activity import STAGES
from core.suggesting import Suggesting
from reporting.pages.snippets import snippets


class TokenForm(forms.Form):
    """What a new token may do, and what records without attribution of their own take from it."""

    name = forms.CharField(
        label=_("Name"), max_length=200, help_text=_("Where it will be used, for example “GPU cluster”.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("May"), choices=Scope.choices, initial=[Scope.INGEST], widget=forms.CheckboxSelectMultiple
    )
    team = forms.CharField(label=_("Team"), max_length=200, required=False)
    team_only = forms.BooleanField(
        label=_("For this team alone"),
        required=False,
        help_text=_("Records that name another team are refused; others can send for several."),
    )
    project = forms.CharField(label=_("Project"), max_length=200, required=False)
    stage = forms.ChoiceField(
        label=_("Stage"), required=False, choices=[("", "—"), *((stage, stage.replace("_", " ")) for stage in STAGES)]
    )
    source = forms.ChoiceField(
        label=_("Only for the source"),
        required=False,
        help_text=_("It then writes as this one and nothing else; a token that reads cannot be narrowed so."),
    )
    expires_on = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("UTC; empty: no end"),
    )


class MemberForm(forms.Form):
    """Who gets which role."""

    email = forms.EmailField(label=_("E-mail"))
    name = forms.CharField(label=_("Name"), max_length=200, required=False)
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.MEMBER)
    team = forms.ModelChoiceField(label=_("Team"), queryset=Team.objects.none(), required=False)

    def __init__(self, *args: Any, identity: Identity, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"].queryset = selectors.teams(identity.organization_id)  # type: ignore[attr-defined]
        self.fields["role"].choices = [choice for choice in Role.choices if may_grant(identity, choice[0])]  # type: ignore[attr-defined]


class OwnForm(forms.Form):
    """What a person chooses for themselves."""

    language = forms.ChoiceField(label=_("Language"), required=False)
    theme = forms.ChoiceField(
        label=_("Colours"),
        required=False,
        choices=[("", _("as the device has them")), ("light", _("light")), ("dark", _("dark"))],
    )
    density = forms.ChoiceField(
        label=_("Rows of tables"), required=False, choices=[("", _("comfortable")), ("compact", _("compact"))]
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [(code, get_language_info(code)["name_local"]) for code, _name in site.LANGUAGES]
        self.fields["language"].choices = [("", _("as the browser asks for")), *names]  # type: ignore[attr-defined]


class TeamForm(forms.Form):
    """A team and how many people are in it: below the minimum group size it is shown only with others."""

    name = forms.CharField(label=_("Name"), max_length=200)
    head_count = forms.IntegerField(label=_("People"), min_value=1, required=False)


class OrganizationForm(forms.Form):
    """What the organization says of itself: disclosures need its country, periods its fiscal year."""

    name = forms.CharField(label=_("Name"), max_length=200)
    country = forms.RegexField(
        "^[A-Z]{2}$", label=_("Country"), required=False, help_text=_("Two letters of ISO 3166-1, such as DE.")
    )
    fiscal_year_start_month = forms.IntegerField(label=_("First month of the fiscal year"), min_value=1, max_value=12)
    minimum_group_size = forms.IntegerField(
        label=_("Smallest team shown by itself"),
        min_value=1,
        max_value=1000,
        help_text=_("Teams with fewer people are shown together as “small groups”."),
    )

    @classmethod
    def of(cls, request: HttpRequest) -> OrganizationForm:
        """Show what is there."""
        organization = request.organization  # type: ignore[attr-defined]
        return cls(initial={name: getattr(organization, name) for name in services.ORGANIZATION_FIELDS})


@require_POST
@requires(Action.SEE_OWN_TEAM)
def save_own(request: HttpRequest) -> HttpResponse:
    """Keep a person's language, colours and density, on every machine that they sign in at."""
    form = OwnForm(request.POST)
    if not form.is_valid():
        return show(request, own_form=form, status=400)
    save_preferences(person_id=request.identity.person_id, **form.cleaned_data)  # type: ignore[attr-defined]
    speak(request, form.cleaned_data["language"])
    with translation.override(form.cleaned_data["language"] or translation.get_language()):
        messages.success(request, str(_("Your own settings are kept.")))
    answer = redirect("settings")
    answer.delete_cookie(site.LANGUAGE_COOKIE_NAME)
    return answer


@require_POST
@requires(Action.MANAGE_PEOPLE)
def update_organization(request: HttpRequest) -> HttpResponse:
    """Change what the organization says of itself."""
    form = OrganizationForm(request.POST)
    if not form.is_valid():
        return show(request, organization_form=form, status=400)
    services.update_organization(organization_id=request.identity.organization_id, **form.cleaned_data)  # type: ignore[attr-defined]
    messages.success(request, _("The organization is changed."))
    return redirect("settings")


@require_safe
@requires(Action.SEE_OWN_TEAM)
def settings(request: HttpRequest) -> HttpResponse:
    """Show what the asker may see of the organization's settings."""
    return show(request)


def show(
    request: HttpRequest,
    *,
    secret: str = "",
    newcomer: str = "",
    password: str = "",
    status: int = 200,
    **bound: forms.Form,
) -> HttpResponse:
    identity = request.identity  # type: ignore[attr-defined]
    context: dict[str, Any] = {
        "teams": selectors.teams(identity.organization_id, only_own_team(identity)),
        "members": selectors.members(identity.organization_id) if may(identity, Action.MANAGE_PEOPLE) else None,
        "tokens": own_tokens(request),
        "secret": secret,
        "newcomer": newcomer,
        "password": password,
        "snippets": snippets(site.BASE_URL, secret) if secret else [],
        "may_see_sources": may(identity, Action.SEE_SOURCES),
        "may_manage_destinations": may(identity, Action.MANAGE_DESTINATIONS),
        "may_issue": may(identity, Action.ISSUE_INGEST_TOKEN),
        "team_of_tokens": "" if may(identity, Action.MANAGE_TOKENS) else identity.team,
        "may_manage_people": may(identity, Action.MANAGE_PEOPLE),
        "token_form": bound.get("token_form") or token_form(request),
        "member_form": bound.get("member_form") or MemberForm(identity=identity),
        "team_form": bound.get("team_form") or TeamForm(),
        "own_form": None
        if identity.person_id is None
        else bound.get("own_form") or OwnForm(initial=request.user.preferences),  # type: ignore[union-attr]
        "organization_form": bound.get("organization_form") or OrganizationForm.of(request),
        "title": _("Settings"),
    }
    return render(request, "reporting/settings.html", context, status=status)


def own_tokens(request: HttpRequest) -> Any:
    """All tokens for who manages them; of the own team for its lead; their own for who may issue one; none for others."""
    identity = request.identity  # type: ignore[attr-defined]
    if may(identity, Action.MANAGE_TOKENS):
        return selectors.tokens(identity.organization_id)
    if may(identity, Action.ISSUE_INGEST_TOKEN):
        mine = Q(created_by_id=identity.person_id)
        if identity.role == Role.TEAM_LEAD and identity.team:
            mine |= Q(team=identity.team, team_only=True)
        return selectors.tokens(identity.organization_id).filter(mine)
    return None


def token_form(request: HttpRequest, data: Any = None) -> TokenForm:
    """A member issues ``ingest`` tokens for the own team only: the form asks no more of them."""
    form = TokenForm(data)
    form.fields["team"].widget = Suggesting(
        selectors.team_names(request.identity.organization_id),  # type: ignore[attr-defined]
        {"maxlength": 200},
    )
    identity = request.identity  # type: ignore[attr-defined]
    known = sources(identity.organization_id) if may(identity, Action.SEE_SOURCES) else []
    form.fields["source"].choices = [("", "—"), *((str(each.id), str(each)) for each in known)]  # type: ignore[attr-defined]
    hidden = set() if may(identity, Action.MANAGE_TOKENS) else {"scopes", "team", "team_only", "source"}
    for name in hidden if known else hidden | {"source"}:
        del form.fields[name]
    return form


@require_POST
@requires(Action.ISSUE_INGEST_TOKEN)
def issue_token(request: HttpRequest) -> HttpResponse:
    """Issue a token and show its secret, this once."""
    identity = request.identity  # type: ignore[attr-defined]
    form = token_form(request, request.POST)
    manages = may(identity, Action.MANAGE_TOKENS)
    if not manages and not identity.team:
        form.add_error(None, _("You belong to no team, so there is none to issue a token for: ask an admin."))
    if not form.is_valid():
        return show(request, token_form=form, status=400)
    fields = form.cleaned_data
    last_day = fields["expires_on"]
    try:
        _token, secret = services.issue_token(
            organization_id=identity.organization_id,
            name=fields["name"],
            scopes=fields["scopes"] if manages else [Scope.INGEST.value],
            team=fields["team"] if manages else identity.team,
            team_only=fields["team_only"] if manages else True,
            project=fields["project"],
            stage=fields["stage"],
            source_id=int(fields["source"]) if manages and fields.get("source") else None,
            expires_at=datetime.combine(last_day, time.max, tzinfo=UTC) if last_day else None,
            created_by=request.user,  # type: ignore[arg-type]
        )
    except services.OrganizationError as error:
        form.add_error(None, str(error))
        return show(request, token_form=form, status=400)
    return show(request, secret=secret)


@require_POST
@requires(Action.ISSUE_INGEST_TOKEN)
def revoke_token(request: HttpRequest, token_id: int) -> HttpResponse:
    """Revoke a token that the asker can see."""
    listed = own_tokens(request)
    if listed is None or not listed.filter(id=token_id).exists():
        raise Http404
    try:
        services.revoke_token(organization_id=request.identity.organization_id, token_id=token_id)  # type: ignore[attr-defined]
    except services.OrganizationError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The token is revoked: what uses it is refused from now on."))
    return redirect("settings")


@require_POST
@requires(Action.MANAGE_PEOPLE)
def add_member(request: HttpRequest) -> HttpResponse:
    """Give somebody a role; a person who is new here signs in with the password shown this once."""
    identity = request.identity  # type: ignore[attr-defined]
    form = MemberForm(request.POST, identity=identity)
    if not form.is_valid():
        return show(request, member_form=form, status=400)
    try:
        person, password = services.invite_person(
            organization_id=identity.organization_id,
            email=form.cleaned_data["email"],
            name=form.cleaned_data["name"],
            role=form.cleaned_data["role"],
            team=form.cleaned_data["team"],
            granted_by=identity,
        )
    except services.OrganizationError as error:
        form.add_error(None, str(error))
        return show(request, member_form=form, status=400)
    if password:  # shown in this answer alone: a message would travel in a cookie
        return show(request, newcomer=person.email, password=password)
    messages.success(request, _("%(person)s is a member now.") % {"person": person.email})
    return redirect("settings")


@require_POST
@requires(Action.MANAGE_PEOPLE)
def add_team(request: HttpRequest) -> HttpResponse:
    """Make a team, or enter its head count."""
    form = TeamForm(request.POST)
    if not form.is_valid():
        return show(request, team_form=form, status=400)
    try:
        services.set_head_count(organization_id=request.identity.organization_id, **form.cleaned_data)  # type: ignore[attr-defined]
    except services.OrganizationError as error:
        form.add_error("name", str(error))
        return show(request, team_form=form, status=400)
    return redirect("settings")
