from django.apps import AppConfig


class FactorsConfig(AppConfig):
    name = "core.factors"
    label = "factors"
