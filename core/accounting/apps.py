from django.apps import AppConfig


class AccountingConfig(AppConfig):
    name = "core.accounting"
    label = "accounting"
