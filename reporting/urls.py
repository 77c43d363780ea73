"""Pages and the API of figures."""

from django.conf import settings as configuration
from django.urls import URLPattern, URLResolver, path

from reporting.api.denominators import DenominatorsView
from reporting.api.factors import FactorsView
from reporting.api.figures import EmissionsView, ExplainView
from reporting.api.sci import SciView
from reporting.pages import (
    audit,
    bookings,
    denominators,
    disclosures,
    explain,
    factor_names,
    factor_sets,
    factors,
    gallery,
    intensity,
    methodology,
    overview,
    own_factors,
    ranking,
    requests,
    restatements,
    settings,
    sites,
    targets,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", overview.overview_page, name="overview"),
    path("teams/", ranking.teams, name="teams"),
    path("models/", ranking.models, name="models"),
    path("requests/", requests.requests, name="requests"),
    path("intensity/", intensity.intensity, name="intensity"),
    path("intensity/denominators/", denominators.denominators, name="denominators"),
    path("intensity/denominators/import/", denominators.import_sheet, name="import_denominators"),
    path("intensity/denominators/template.csv", denominators.template_file, name="denominator_template"),
    path("bookings/", bookings.bookings, name="bookings"),
    path("explain/", explain.explain_page, name="explain"),
    path("targets/", targets.targets, name="targets"),
    path("disclosures/", disclosures.disclosures, name="disclosures"),
    path("disclosures/<str:period>/", disclosures.draft, name="disclosure_draft"),
    path("factors/", factors.factors, name="factors"),
    path("factors/restatements/", restatements.restatements, name="restatements"),
    path("factors/restatements/<int:job_id>/", restatements.restatement, name="restatement"),
    path("factors/restatements/<int:job_id>/decide/", restatements.decide_restatement, name="decide_restatement"),
    path("factors/own/", own_factors.own_factors, name="own_factors"),
    path("factors/own/<int:factor_id>/", own_factors.end_own_factor, name="end_own_factor"),
    path("factors/row/", factors.factor_row, name="factor_row"),
    path("factors/diff/", factor_sets.factor_diff, name="factor_diff"),
    path("factors/names/", factor_names.factor_names, name="factor_names"),
    path("factors/names/alias/", factor_names.set_alias, name="set_alias"),
    path("factors/<str:name>/", factors.factor_table, name="factor_table"),
    path("methodology/", methodology.methodology, name="methodology"),
    path("methodology/<slug:name>/", methodology.methodology_page, name="methodology_page"),
    path("audit/", audit.audit, name="audit"),
    path("settings/", settings.settings, name="settings"),
    path("settings/organization/", settings.update_organization, name="update_organization"),
    path("settings/tokens/", settings.issue_token, name="issue_token"),
    path("settings/tokens/<int:token_id>/revoke/", settings.revoke_token, name="revoke_token"),
    path("settings/members/", settings.add_member, name="add_member"),
    path("settings/teams/", settings.add_team, name="add_team"),
    path("settings/sites/", sites.sites, name="sites"),
    path("settings/sites/<slug:slug>/", sites.site, name="site"),
    path("settings/consolidation/", sites.consolidation, name="consolidation"),
    path("settings/register/upload/", sites.register_upload, name="register_upload"),
    path("settings/register/template.csv", sites.register_template, name="register_template"),
    path("api/v1/emissions", EmissionsView.as_view(), name="api_emissions"),
    path("api/v1/factors", FactorsView.as_view(), name="api_factors"),
    path("api/v1/explain", ExplainView.as_view(), name="api_explain"),
    path("api/v1/sci", SciView.as_view(), name="api_sci"),
    path("api/v1/denominators", DenominatorsView.as_view(), name="api_denominators"),
]
if configuration.DEBUG:
    urlpatterns.append(path("system/gallery/", gallery.gallery, name="gallery"))
