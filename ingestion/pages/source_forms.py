"""The form of a source: its name, what its records leave open, and the settings of its format."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.organizations.selectors import team_names
from core.suggesting import Suggesting
from ingestion.kinds import DEFAULTS, Setting, settings_of

LONGEST_TEXT = 200
MOST_WORDS = 64


class SourceForm(forms.Form):
    """
    The settings of one source; a new one has a name besides.

    Args:
        kind: its format, which decides what there is to be set.
        organization_id: whose teams are suggested.
        current: its settings as they are; keys without a field are kept.
        named: ask for a name.
    """

    def __init__(
        self,
        data: Any = None,
        *,
        kind: str,
        organization_id: int,
        current: Mapping[str, Any] | None = None,
        named: bool = False,
    ) -> None:
        super().__init__(data)
        self.kind, self.named = kind, named
        self.current = dict(current or {})
        if named:
            self.fields["name"] = forms.CharField(
                label=gettext_lazy("Name"),
                max_length=LONGEST_TEXT,
                help_text=gettext_lazy("What it is called here, such as “GPU cluster Frankfurt”."),
            )
        teams = team_names(organization_id)
        for setting in settings_of(kind):
            field = field_of(setting)
            field.initial = shown(self.current.get(setting.name))
            if setting.name == "team":
                field.widget = Suggesting(teams, {"maxlength": LONGEST_TEXT})
            self.fields[setting.name] = field

    def clean_timezone(self) -> str:
        """Take only a zone that there is."""
        name: str = self.cleaned_data["timezone"]
        if name and name not in available_timezones():
            raise ValidationError(_("No time zone is called so; write it like Europe/Berlin."))
        return name

    def settings(self) -> dict[str, Any]:
        """Give the settings as they are stored: only what was said, beside what has no field here."""
        kept = dict(self.current)
        for setting in settings_of(self.kind):
            value = self.cleaned_data[setting.name]
            kept.pop(setting.name, None)
            if value not in (None, "", [], {}, False):
                kept[setting.name] = value
        return kept

    @property
    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Give the fields under their headings."""
        defaults = {setting.name for setting in DEFAULTS}
        bound = [self[name] for name in self.fields]
        return [
            ("", [field for field in bound if field.name == "name"]),
            (_("What records leave open"), [field for field in bound if field.name in defaults]),
            (_("How it is read and watched"), [field for field in bound if field.name not in {*defaults, "name"}]),
        ]


class WordsField(forms.CharField):
    """Several words, by line or comma."""

    widget = forms.Textarea(attrs={"rows": 3})

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        words = [word.strip() for line in text.splitlines() for word in line.split(",")]
        found = list(dict.fromkeys(word for word in words if word))
        if len(found) > MOST_WORDS or any(len(word) > LONGEST_TEXT for word in found):
            raise ValidationError(_("At most 64 names of at most 200 characters."))
        return found


class PairsField(forms.CharField):
    """What things stand for: one a line, the name as reported, "=", the name that is known."""

    widget = forms.Textarea(attrs={"rows": 4})

    def clean(self, value: Any) -> Any:
        found: dict[str, str] = {}
        for line in filter(None, map(str.strip, super().clean(value).splitlines())):
            reported, _sign, known = (part.strip() for part in line.rpartition("="))
            if not reported or not known:
                raise ValidationError(_("Say what it stands for, as “this = that”: %(line)s") % {"line": line})
            if max(len(reported), len(known)) > LONGEST_TEXT:
                raise ValidationError(_("At most 64 names of at most 200 characters."))
            found[reported] = known
        if len(found) > MOST_WORDS:
            raise ValidationError(_("At most 64 names of at most 200 characters."))
        return found


class FiniteField(forms.FloatField):
    """A number, whole ones without a point; neither infinite nor none."""

    def clean(self, value: Any) -> Any:
        number = super().clean(value)
        if number is not None and not math.isfinite(number):
            raise ValidationError(_("Enter a number."))
        return int(number) if number is not None and number == int(number) else number


def field_of(setting: Setting) -> forms.Field:
    """Make the form field of a setting. All are optional: what is not said has the format's default."""
    help_text = setting.help
    if setting.default:
        default = _("Default: %(value)s.") % {"value": setting.default}
        help_text = f"{setting.help} {default}".strip()
    about: dict[str, Any] = {"label": setting.label, "help_text": help_text, "required": False}
    bounds: dict[str, Any] = {"min_value": setting.least, "max_value": setting.most}
    match setting.form:
        case "number":
            return FiniteField(**about, **bounds)
        case "whole":
            return forms.IntegerField(**about, **bounds)
        case "choice":
            return forms.ChoiceField(**about, choices=[("", "–"), *setting.choices])
        case "flag":
            return forms.BooleanField(**about)
        case "words":
            return WordsField(**about)
        case "pairs":
            return PairsField(**about)
    return forms.CharField(**about, max_length=LONGEST_TEXT)


def shown(value: object) -> object:
    """Give a stored setting as its field shows it."""
    if isinstance(value, Mapping):
        return "\n".join(f"{reported} = {known}" for reported, known in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        return "\n".join(str(each) for each in value)
    return value
