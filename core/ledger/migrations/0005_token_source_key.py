"""A token that is narrowed to a source can only be narrowed to one of its own organization."""

from django.db import migrations

from core.organizations.tenancy import same_organization_key


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_forget_text"), ("organizations", "0005_apitoken_source_id")]

    operations = [same_organization_key("organizations_apitoken", "source_id", "ledger_source")]
