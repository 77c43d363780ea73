"""Energy as a meter or agent measured it (methodology 2.1)."""

from __future__ import annotations

from core.quantification.factor import Factor, spread
from core.quantification.methods import Methodology
from core.quantification.operational import it_energy_kwh
from core.quantification.terms import Product
from core.quantification.use import Context, Energy, EnergyTerm, Use


def measured(use: Use, context: Context) -> Energy:
    """
    Carry measured energy to IT energy: times the host factor from the device, divided by PUE from the facility.

    Energy that nobody metered (evidence modelled or stated) keeps the method and takes a wider spread and a lower score.
    """
    method = context.method
    metered = use.evidence in {None, "measured"}
    modelled = use.evidence == "modelled"
    kind = "measured" if metered else "modelled_energy" if modelled else "stated_energy"
    width = spread(f"{kind}_spread", method.gsd[kind], method.source)
    boundary = use.energy_boundary or "it"
    notes: tuple[str, ...] = () if use.energy_boundary else ("energy_boundary_unknown",)
    if not metered:
        notes += ("energy_not_metered",)
        quality = 4 if modelled else 5
    else:
        quality = 2 if boundary == "device" else 1
    energy = Product.of(width)
    if boundary == "device":
        energy = it_energy_kwh(energy, Product.of(host_factor(method)))
    term = EnergyTerm("energy_pkwh", energy, at_facility=boundary == "facility")
    return Energy("measured", (term,), quality, boundary, notes=notes)


def host_factor(method: Methodology) -> Factor:
    """Return what a node draws for each kWh of its accelerators or CPU packages (methodology 1.2)."""
    value, low, high = method.host_factor
    return Factor("methodology:host_factor", "host_factor", value, low, high, "1", method.source, None, "default")
