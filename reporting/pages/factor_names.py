"""Names: what records call things, what that was taken for and how sure it is, with the alias that sets it right."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from core.accounting import services
from core.accounting.selectors import NameMatch, name_matches
from core.accounting.selectors.matches import LOOK_AT
from core.accounting.selectors.rules_effect import alias_effect
from core.catalog.models import Alias, AliasKind
from core.catalog.selectors import all_aliases
from core.catalog.services import CatalogError
from core.organizations.access import requires
from core.organizations.policy import Action, may
from core.quantification.attribute import OwnAlias
from core.quantification.matching import match_name
from core.quantification.pack import FactorPack
from core.quantification.resolve import catalog_of
from reporting import figures
from reporting.factor_query import FactorQuery
from reporting.pages.asked import period_name
from reporting.pages.factors import asked

MOST_ROWS: Final = 200


class AliasForm(forms.Form):
    """A reported name and what it stands for in the catalog."""

    kind = forms.ChoiceField(label=_("What"), choices=[(kind.value, kind.label) for kind in AliasKind])
    reported = forms.CharField(label=_("Reported name"), max_length=500, help_text=_("As records say it, in any case."))
    resolves_to = forms.CharField(
        label=_("Stands for"), max_length=500, help_text=_("As the catalog says it, for example “gpt-4o-mini” or “DE”.")
    )

    def __init__(self, *args: Any, pack: FactorPack | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pack = pack

    def clean(self) -> dict[str, Any]:
        """Refuse a name that the catalog does not know for sure: an alias to nothing changes nothing."""
        given = super().clean() or self.cleaned_data
        kind, name = given.get("kind"), given.get("resolves_to")
        if self.pack is not None and kind and name and kind != AliasKind.PROVIDER:
            match = match_name(catalog_of(self.pack), kind, name)
            if match.matched_to is None and kind in {AliasKind.REGION, AliasKind.INSTANCE_TYPE}:
                match = _with_any_provider(self.pack, kind, name) or match
            if match.matched_to is None:
                self.add_error("resolves_to", gettext("The catalog knows no such name: look it up under Factors."))
            elif match.confidence == "guess":
                self.add_error(
                    "resolves_to",
                    gettext("That would be a guess; did you mean “{name}”?").format(name=match.matched_to),
                )
        return given


def _with_any_provider(pack: FactorPack, kind: str, name: str) -> Any:
    """Look a name up that several clouds share: it is known when any of them has it."""
    for provider in ("aws", "azure", "gcp", "oci", "ovh"):
        match = match_name(catalog_of(pack), kind, name, provider=provider)
        if match.matched_to is not None:
            return match
    return None


@require_safe
@requires(Action.SEE_SOURCES)
def factor_names(request: HttpRequest) -> HttpResponse:
    """List names by how sure their match is; who manages sources can say what a name stands for."""
    query = asked(request)
    form = AliasForm(pack=query.pack, initial=_initial(request))
    return _page(request, query, form if may(request.identity, Action.MANAGE_SOURCES) else None)  # type: ignore[attr-defined]


@require_POST
@requires(Action.MANAGE_SOURCES)
def set_alias(request: HttpRequest) -> HttpResponse:
    """Say what a reported name stands for; days that report it are derived again."""
    query = asked(request)
    form = AliasForm(request.POST, pack=query.pack)
    if form.is_valid() and request.POST.get("verdict") == "try":
        given = form.cleaned_data
        effect = alias_effect(_organization(request), OwnAlias(given["kind"], given["reported"], given["resolves_to"]))
        return _page(request, query, form, {"tried": True, "effect": effect})
    if form.is_valid():
        try:
            alias = services.set_alias(organization_id=_organization(request), **form.cleaned_data)
        except CatalogError as error:
            form.add_error(None, str(error))
        else:
            text = gettext("“{reported}” stands for {name}. Its days are derived again.")
            messages.success(request, text.format(reported=alias.reported, name=alias.resolves_to))
            return redirect("factor_names")
    return _page(request, query, form)


@require_POST
@requires(Action.MANAGE_SOURCES)
def remove_alias(request: HttpRequest, alias_id: int) -> HttpResponse:
    """Take a name back; days that report it are derived again."""
    try:
        alias = services.remove_alias(organization_id=_organization(request), alias_id=alias_id)
    except CatalogError as error:
        messages.error(request, str(error))
    else:
        text = gettext("“{reported}” stands for itself again. Its days are derived again.")
        messages.success(request, text.format(reported=alias.reported))
    return redirect("factor_names")


def _organization(request: HttpRequest) -> int:
    return int(request.identity.organization_id)  # type: ignore[attr-defined]


def _page(
    request: HttpRequest, query: FactorQuery, form: AliasForm | None, more: dict[str, Any] | None = None
) -> HttpResponse:
    identity: Any = request.identity  # type: ignore[attr-defined]
    found: list[NameMatch] = []
    if query.view is not None and query.pack is not None:
        found = name_matches(identity.organization_id, query.view, query.pack, query.period)
    energy = figures.scale_for("energy", [each.energy_kwh for each in found])
    doubtful = [each for each in found if each.confidence in LOOK_AT]
    shown = found if request.GET.get("all") == "1" else doubtful
    return render(
        request,
        "reporting/factor_names.html",
        {
            "title": gettext("Names"),
            "query": query,
            "query_errors": query.errors,
            "period": period_name(query.period, query.label),
            "counts": [(word, sum(1 for each in found if each.confidence == word)) for word in _WORDS],
            "rows": [_listed(each, energy) for each in shown[:MOST_ROWS]],
            "unit": energy.unit,
            "found": len(shown),
            "everything": shown is found,
            "doubtful": len(doubtful),
            "all": len(found),
            "form": form,
            "own": [_own(alias) for alias in all_aliases(identity.organization_id)[:MOST_ROWS]],
            **(more or {}),
        },
        status=400 if form is not None and form.is_bound and not form.is_valid() else 200,
    )


def _own(alias: Alias) -> dict[str, Any]:
    kind = KINDS.get(alias.kind, alias.get_kind_display())
    return {"id": alias.id, "kind": kind, "reported": alias.reported, "resolves_to": alias.resolves_to}


_WORDS: Final = ("none", "guess", "sure", "exact")


def _initial(request: HttpRequest) -> dict[str, str]:
    """Fill the form in from the address of a row's link: what is known already is not asked again."""
    return {name: request.GET[name] for name in ("kind", "reported") if request.GET.get(name)}


def _listed(each: NameMatch, energy: figures.Scale) -> dict[str, Any]:
    return {
        "match": each,
        "kind": KINDS[each.kind],
        "by": _by(each),
        "energy": figures.number(each.energy_kwh, energy),
        "todo": _todo(each),
        "fix": f"?{urlencode({'kind': each.kind, 'reported': each.reported or ''})}#alias" if each.takes_alias else "",
        "tone": "" if each.confidence not in LOOK_AT else "bad" if each.without_figure else "warn",
    }


def _by(each: NameMatch) -> str:
    """Say by what a name was recognised, or what its figures do without it."""
    if each.confidence != "none":
        return gettext("by {rule}").format(rule=BY[each.by])
    if each.without_figure:
        return gettext("no figure without it")
    return (
        gettext("the world's average stands in")
        if each.kind in {"region", "zone"}
        else gettext("figures do without it")
    )


def _todo(each: NameMatch) -> str:
    """Say what sets a name right; empty where nothing needs to be done."""
    if each.confidence not in LOOK_AT:
        return ""
    if each.reported is None:
        return gettext("Send a region or zone with the records")
    return (
        gettext("Make an alias: say what it stands for")
        if each.confidence == "none"
        else gettext("Make an alias: confirm or correct it")
    )


KINDS: Final = {
    "model": _("Model"),
    "hardware": _("Hardware"),
    "instance_type": _("Instance type"),
    "region": _("Region"),
    "zone": _("Zone"),
}
BY: Final = {
    "name": _("its name"),
    "own_alias": _("your alias"),
    "alias": _("a listed alias"),
    "pattern": _("the published pattern"),
    "version": _("its only version"),
    "fine_tuned": _("the base model in its name"),
    "snapshot": _("the model it is a snapshot of"),
    "spelling": _("same words, other spelling"),
    "assumed_variant": _("the variant with most power"),
    "code": _("its code, other spelling"),
    "wider_zone": _("the zone it lies in"),
    "default": _("the provider's assumed home"),
}
