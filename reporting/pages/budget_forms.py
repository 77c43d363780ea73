"""Forms of budgets and of the internal carbon price."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from core.suggesting import Suggesting
from reporting.period_names import stepped_name

OFFERED: Final = range(-1, 5)


def quarters(today: date, fiscal_start: int) -> list[str]:
    """
    Name the quarters that a budget can be set for: the last one and the next four, fiscal ones where they differ.

    >>> quarters(date(2026, 11, 26), 1)
    ['2026-Q3', '2026-Q4', '2027-Q1', '2027-Q2', '2027-Q3', '2027-Q4']
    >>> quarters(date(2026, 11, 26), 11)[1]
    'FY2027-Q1'
    """
    this = f"{today.year}-Q{(today.month + 2) // 3}"
    if fiscal_start > 1:
        this = f"FY{today.year + (today.month >= fiscal_start)}-Q{(today.month - fiscal_start) % 12 // 3 + 1}"
    return [stepped_name(this, step) if step else this for step in OFFERED]


class BudgetForm(forms.Form):
    """What a team may emit in a quarter."""

    team = forms.CharField(label=_("Team"), max_length=200)
    period = forms.CharField(label=_("Quarter"))
    amount = forms.DecimalField(
        label=_("Budget"),
        required=False,
        max_digits=20,
        decimal_places=6,
        help_text=_("Empty: the budget is withdrawn."),
    )
    unit = forms.ChoiceField(label=_("In"))
    thresholds = forms.CharField(
        label=_("Tell at, %"), initial="80, 100", help_text=_("Each is told once; that it runs out early is told too.")
    )
    note = forms.CharField(label=_("Reason"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(
        self, *args: Any, teams: Sequence[str], periods: Sequence[str], currencies: Sequence[str], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"].widget = Suggesting(list(teams), {"maxlength": 200})
        self.fields["period"].widget = Suggesting(list(periods), {"maxlength": 16})
        if len(teams) == 1:
            self.fields["team"].initial = teams[0]
        self.fields["period"].initial = periods[1]
        units = [("t", "t CO2e"), ("kg", "kg CO2e")]
        units += [
            (currency, _now("{currency} at the carbon price").format(currency=currency)) for currency in currencies
        ]
        self.fields["unit"].choices = units  # type: ignore[attr-defined]

    def clean_thresholds(self) -> list[int]:
        """Read whole percentages."""
        parts = [part.strip() for part in self.cleaned_data["thresholds"].replace(";", ",").split(",") if part.strip()]
        if not all(part.isascii() and part.isdigit() and len(part) < 5 for part in parts):
            raise forms.ValidationError(_now("Give whole percentages, such as 80, 100."))
        return [int(part) for part in parts]


class PriceForm(forms.Form):
    """What a tonne costs from a day on."""

    price_per_t = forms.DecimalField(label=_("Price of a tonne CO2e"), max_digits=14, decimal_places=4)
    currency = forms.RegexField("^[A-Z]{3}$", label=_("Currency"), initial="EUR", help_text=_("Three letters."))
    valid_from = forms.DateField(label=_("From"), widget=forms.DateInput(attrs={"type": "date"}))
    basis = forms.CharField(
        label=_("What it stands for"),
        max_length=2000,
        help_text=_("Source and year, for example “German Environment Agency, 2024, 1 % time preference”."),
    )
