"""By which names two kinds of evidence are of the same thing: hardware, instance type and model, as the catalog resolves them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pandas as pd

from core.quantification.activity import MASK_BITS
from core.quantification.attribute import usable
from core.quantification.entries import FORM_OR_MEMORY, NOT_THE_CHIP, Hardware, Instance, Model, number
from core.quantification.plan import PHYSICAL
from core.quantification.resolve import Catalog

Known = TypeVar("Known", Hardware, Instance, Model)


def named_alike(subjects: pd.DataFrame, catalog: Catalog) -> pd.DataFrame:
    """
    Give subjects the keys by which their measures are compared.

    Args:
        subjects: ``provider``, ``model``, ``hardware`` and ``instance_type``, as reported or resolved.

    Returns:
        The subjects with ``model_key``, ``hardware_key`` and ``instance_key`` (None: nothing is known), and ``accelerators`` of
        the instance type (NaN: none, or not known). Where no hardware is named, it is that of the instance.
    """
    named = subjects[["provider", "model", "hardware", "instance_type"]].astype(object)
    distinct = named.where(named.notna(), None).drop_duplicates()
    keys = [_keys(catalog, *each) for each in distinct.itertuples(index=False, name=None)]
    found = pd.DataFrame(
        keys, columns=["model_key", "hardware_key", "instance_key", "accelerators"], index=distinct.index
    )
    code = named.groupby(list(named.columns), dropna=False, sort=False).ngroup().to_numpy()
    columns = {
        str(name): found[name].to_numpy(dtype=float if name == "accelerators" else object)[code] for name in found
    }
    return subjects.assign(**columns)


def alike_in_money(subjects: pd.DataFrame) -> pd.DataFrame:
    """
    Give subjects the keys by which money and suppliers' own figures are compared: only of what nothing else is known.

    Args:
        subjects: ``mask`` (as reported), ``labels`` (dicts), ``currency`` and ``reported_basis``.

    Returns:
        The subjects with ``money_key``, the currency of what could count by its spend, and ``reported_key``, the basis of what
        could count by a supplier's own figure; None elsewhere.
    """
    present = usable(subjects).to_numpy(dtype=np.int64)
    no_use = present & _bits(*PHYSICAL, "seat_months") == 0
    spent, reported = (no_use & (present & _bits(name) != 0) for name in ("cost", "reported_kg_co2e"))
    return subjects.assign(
        money_key=subjects["currency"].astype(object).where(spent, None),
        reported_key=subjects["reported_basis"].astype(object).where(reported & ~spent, None),
    )


def _bits(*measures: str) -> int:
    return sum(1 << MASK_BITS[name] for name in measures)


def _keys(
    catalog: Catalog, provider: str | None, model: str | None, hardware: str | None, instance_type: str | None
) -> tuple[str | None, str | None, str | None, float]:
    instance = catalog.instance(instance_type, provider)
    own = catalog.hardware(hardware)
    count = number(instance.first("accelerator_count")) if instance is not None else None
    inside = catalog.hardware(instance.first("hardware_id")) if instance is not None else None
    if hardware is None and inside is not None:
        hardware_key: str | None = hardware_family(inside)
    else:
        hardware_key = _named(hardware, own, hardware_family)
    return (
        _named(model, catalog.model(model, provider), lambda known: known.name.casefold()),
        hardware_key,
        _named(instance_type, instance, _instance_name),
        float("nan") if count is None or inside is None else count,
    )


def _named(reported: str | None, known: Known | None, name: Callable[[Known], str]) -> str | None:
    """Name what the catalog knows by its own name, anything else as it was reported."""
    if known is not None:
        return name(known)
    return " ".join(reported.casefold().split()) if reported else None


def hardware_family(hardware: Hardware) -> str:
    """
    Return the chip's name without its maker, form and memory: a bill says ``H100``, an agent ``NVIDIA H100 80GB HBM3``.
    """
    words = hardware.name.casefold().replace("-", " ").split()
    chip = [word for word in words if word not in NOT_THE_CHIP and not FORM_OR_MEMORY.fullmatch(word)]
    return " ".join(chip or words)


def _instance_name(instance: Instance) -> str:
    return f"{instance.provider} {instance.name}".casefold()
