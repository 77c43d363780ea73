"""Pages and the API of figures."""

from django.conf import settings as configuration
from django.urls import URLPattern, URLResolver, path

from reporting.api.denominators import DenominatorsView
from reporting.api.figures import EmissionsView, ExplainView
from reporting.api.instruments import InstrumentsView
from reporting.api.sci import SciView
from reporting.pages import (
    audit,
    denominators,
    disclosures,
    explain,
    factors,
    gallery,
    instruments,
    intensity,
    methodology,
    overview,
    own_factors,
    ranking,
    requests,
    restatements,
    settings,
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
    path("factors/instruments/", instruments.instruments, name="instruments"),
    path("factors/instruments/add/", instruments.add, name="instrument_add"),
    path("factors/instruments/import/", instruments.import_file, name="instrument_import"),
    path("factors/instruments/template.csv", instruments.template_file, name="instrument_template"),
    path("factors/instruments/markets/", instruments.markets, name="instrument_markets"),
    path("factors/instruments/<int:instrument_id>/", instruments.instrument, name="instrument"),
    path("factors/instruments/<int:instrument_id>/retire/", instruments.retire, name="instrument_retire"),
    path("factors/instruments/<int:instrument_id>/hours/", instruments.hours, name="instrument_hours"),
    path("factors/instruments/<int:instrument_id>/withdraw/", instruments.withdraw, name="instrument_withdraw"),
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
    path("api/v1/emissions", EmissionsView.as_view(), name="api_emissions"),
    path("api/v1/explain", ExplainView.as_view(), name="api_explain"),
    path("api/v1/sci", SciView.as_view(), name="api_sci"),
    path("api/v1/denominators", DenominatorsView.as_view(), name="api_denominators"),
    path("api/v1/instruments", InstrumentsView.as_view(), name="api_instruments"),
]
if configuration.DEBUG:
    urlpatterns.append(path("system/gallery/", gallery.gallery, name="gallery"))
