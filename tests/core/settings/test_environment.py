import pytest
from django.core.exceptions import ImproperlyConfigured

from core.settings.databases import connection
from core.settings.environment import boolean, integer, text


def test_an_unknown_switch_names_its_variable(monkeypatch):
    monkeypatch.setenv("PRODUCTION", "maybe")

    with pytest.raises(ImproperlyConfigured, match="PRODUCTION='maybe'"):
        boolean("PRODUCTION")


@pytest.mark.parametrize("value", ["0", "5000", "many"])
def test_a_number_out_of_bounds_names_its_variable(monkeypatch, value):
    monkeypatch.setenv("MAX_PAYLOAD_MB", value)

    with pytest.raises(ImproperlyConfigured, match="MAX_PAYLOAD_MB"):
        integer("MAX_PAYLOAD_MB", 64, minimum=1, maximum=4096)


def test_a_secret_may_lie_in_a_file(monkeypatch, tmp_path):
    (tmp_path / "key").write_text("s3cret\n")
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.delenv("SECRET_KEY", raising=False)

    assert text("SECRET_KEY") == "s3cret"


def test_a_secret_in_two_places_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SECRET_KEY", "other")

    with pytest.raises(ImproperlyConfigured, match="Both SECRET_KEY and SECRET_KEY_FILE"):
        text("SECRET_KEY")


def test_a_missing_value_gives_the_hint(monkeypatch):
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.delenv("SECRET_KEY_FILE", raising=False)

    with pytest.raises(ImproperlyConfigured, match=r"SECRET_KEY is not set\. Use 50"):
        text("SECRET_KEY", hint="Use 50 random characters.")


def test_an_address_with_a_socket_folder_is_read():
    settings = connection("DATABASE_URL", "postgresql://app:p%40ss@/ledger?host=/run/pg&port=5433")

    assert (settings["HOST"], settings["PORT"], settings["NAME"]) == ("/run/pg", "5433", "ledger")
    assert settings["PASSWORD"] == "p@ss"


def test_another_database_is_refused_by_name():
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL must look like postgresql"):
        connection("DATABASE_URL", "mysql://localhost/x")
