"""All addresses. Apps are named as strings: the wiring knows them, they do not know each other."""

from django.urls import include, path
from django.views.decorators.http import require_POST
from django.views.i18n import set_language
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

handler400 = "core.problems.bad_request"
handler403 = "core.problems.not_allowed"
handler404 = "core.problems.not_found"
handler500 = "core.problems.failed"

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("language/", require_POST(set_language), name="language"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("", include("ingestion.urls")),
    path("", include("reporting.urls")),
]
