"""Resolve names as reported to rows of the catalog: models, hardware, instances, regions and grid zones.

Names are compared without regard to case. `model_names` says how a model is recognised, `matching` how sure a match is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property, lru_cache

from core.quantification.entries import (
    ACCELERATOR_KINDS,
    API_PROVIDERS,
    CLOUD_PROVIDERS,
    EUROPEAN_UNION,
    FORM_OR_MEMORY,
    ISO3_WORLD,
    NOT_THE_CHIP,
    ZONE_SEPARATOR,
    Hardware,
    Instance,
    Model,
    Place,
    cloud_of,
    number,
)
from core.quantification.grid_rows import yearly_grid_rows
from core.quantification.model_names import ModelNames
from core.quantification.pack import FactorPack, Row


class Catalog:
    """Look names up in one factor pack. Every answer is remembered, so a name is searched once."""

    def __init__(self, pack: FactorPack) -> None:
        self.pack = pack
        self._models: dict[tuple[str, str | None], Model | None] = {}
        self._hardware: dict[str, Hardware | None] = {}
        self._instances: dict[tuple[str, str | None], Instance | None] = {}
        self._places: dict[tuple[str | None, str | None, str | None, str | None], Place] = {}

    # --- models ---

    def model(self, name: str | None, provider: str | None = None) -> Model | None:
        """Return the model of a reported name; among equal aliases the provider's own is preferred."""
        if not name:
            return None
        key = (name.strip().casefold(), API_PROVIDERS.get((provider or "").casefold()))
        if key not in self._models:
            found = self.model_names.find(*key)
            self._models[key] = _model(found.row, found.how) if found is not None else None
        return self._models[key]

    @cached_property
    def model_names(self) -> ModelNames:
        """Return how names of models are recognised."""
        return ModelNames(self.pack)

    # --- hardware ---

    def hardware(self, name: str | None) -> Hardware | None:
        """Return the accelerator or CPU of a reported name, as drivers, SDKs and clouds spell it."""
        if not name:
            return None
        key = _hardware_key(name)
        if key not in self._hardware:
            row = self._hardware_rows.get(key)
            self._hardware[key] = _hardware(row) if row is not None else self._cpu(key) or self._variant(key)
        return self._hardware[key]

    def _variant(self, key: str) -> Hardware | None:
        """
        Return what a short name such as ``H100`` or ``A100 80GB`` stands for: of several, the one with most power.

        Variants differ in form and memory only: ``RTX 6000`` is not the same chip as ``RTX PRO 6000 Blackwell``.
        """
        words = [word for word in re.split(r"[\s_-]+", key) if word not in NOT_THE_CHIP]
        if not words:
            return None
        fitting = [
            row
            for spelled, row in self._chips.get(words[0], ())
            if spelled >= set(words) and all(FORM_OR_MEMORY.fullmatch(word) for word in spelled - set(words))
        ]
        if not fitting:
            return None
        fitting.sort(key=lambda row: (-float(row["tdp_w"] or 0), -float(row["memory_gb"] or 0), row["hardware_id"]))
        return replace(_hardware(fitting[0]), assumed_variant=len(fitting) > 1)

    @cached_property
    def _chips(self) -> dict[str, list[tuple[set[str], Row]]]:
        """Map the first word of accelerators' names to the words of each."""
        found: dict[str, list[tuple[set[str], Row]]] = {}
        for row in self.pack.rows("hardware"):
            words = [word for word in re.split(r"[\s_-]+", row["name"].casefold()) if word not in NOT_THE_CHIP]
            if words and row["kind"] in ACCELERATOR_KINDS:
                found.setdefault(words[0], []).append((set(words), row))
        return found

    def _cpu(self, key: str) -> Hardware | None:
        row = self._cpu_rows.get(_cpu_key(key))
        if row is None:
            return None
        return Hardware(row["cpu_name"], row["cpu_name"], "cpu", row, number(row["tdp_w"]), None, None)

    @cached_property
    def _hardware_rows(self) -> dict[str, Row]:
        names = []
        for row in self.pack.rows("hardware"):
            spelled = [row["hardware_id"], row["name"], f"{row['vendor']} {row['name']}", *row["aliases"].split("|")]
            names += [(_hardware_key(each), row) for each in spelled if each]
        return _first_of(names)

    @cached_property
    def _cpu_rows(self) -> dict[str, Row]:
        return _first_of((_cpu_key(row["cpu_name"]), row) for row in self.pack.rows("cpu_tdp"))

    # --- instances ---

    def instance(self, name: str | None, provider: str | None = None) -> Instance | None:
        """Return the instance type; without a known provider only where one cloud alone has that name."""
        if not name:
            return None
        key = (name.strip().casefold().removeprefix("ml."), cloud_of(provider))
        if key not in self._instances:
            clouds = self._instance_rows.get(key[0], {})
            cloud = key[1] if key[1] is not None else (next(iter(clouds)) if len(clouds) == 1 else None)
            rows = clouds.get(cloud) if cloud is not None else None
            self._instances[key] = Instance(cloud or "", rows[0]["instance_type"], tuple(rows)) if rows else None
        return self._instances[key]

    @cached_property
    def _instance_rows(self) -> dict[str, dict[str, list[Row]]]:
        found: dict[str, dict[str, list[Row]]] = {}
        for row in sorted(self.pack.rows("cloud_instances"), key=lambda row: row["preferred"] != "True"):
            clouds = found.setdefault(row["instance_type"].casefold(), {})
            clouds.setdefault(row["provider"], []).append(row)
        return found

    # --- places ---

    def place(self, *, hosting: str | None, provider: str | None, region: str | None, zone: str | None) -> Place:
        """Return where a record ran: cloud region and the grid zones to try in turn, best match first."""
        key = (hosting if hosting == "api" else None, provider, region, zone)
        if key not in self._places:
            self._places[key] = self._find_place(*key)
        return self._places[key]

    def _find_place(self, hosting: str | None, provider: str | None, region: str | None, zone: str | None) -> Place:
        slug = (provider or "").casefold()
        cloud = CLOUD_PROVIDERS.get(slug) if hosting == "api" else cloud_of(provider)
        notes: list[str] = []
        zones: list[tuple[str, str]] = []
        row = self._region(slug, cloud, region)
        if row is not None:
            cloud = row["provider"] if cloud is None and slug not in API_PROVIDERS else cloud
        if zone:
            zones += self._zone_chain(zone)
            if not zones:
                notes.append("unknown_zone")
        if not zones and row is not None:
            zones += self._zone_chain(row["grid_zone_id"])
            zones.append((row["country_alpha2"], "country"))
        if not zones and region:
            zones += [(each, "country" if len(each) == 2 else match) for each, match in self._zone_chain(region)]
            if not zones:
                notes.append("unknown_region")
        if not zone and not region:
            notes.append("no_zone")
        if not zones and hosting == "api":
            home = self._home(slug)
            if home is not None:
                zones.append((home, "provider"))
                notes.append("assumed_location")
        return Place(cloud, row["region_code"] if row is not None else None, _first_matches(zones), tuple(notes))

    def _region(self, slug: str, cloud: str | None, region: str | None) -> Row | None:
        if not region:
            return None
        for code in _region_spellings(region):
            clouds = self._region_rows.get(code, {})
            if cloud is not None and cloud in clouds:
                return clouds[cloud]
            if cloud is None and slug == "google" and "gcp" in clouds:
                return clouds["gcp"]
            if cloud is None and len(clouds) == 1:
                return next(iter(clouds.values()))
        return None

    @cached_property
    def _region_rows(self) -> dict[str, dict[str, Row]]:
        found: dict[str, dict[str, Row]] = {}
        for row in self.pack.rows("cloud_regions"):
            found.setdefault(row["region_code"].casefold(), {})[row["provider"]] = row
        return found

    def _zone_chain(self, zone: str) -> list[tuple[str, str]]:
        """Return a zone and the wider ones it lies in, each with its match; nothing for an unknown zone."""
        code = zone.strip().upper()
        code = self._alpha3.get(code, code)
        chain: list[tuple[str, str]] = []
        if code == "EU" and EUROPEAN_UNION in self.known_zones:
            chain.append((EUROPEAN_UNION, "region"))
        if code in self.known_zones:
            chain.append((code, "exact"))
        bidding = code if code.startswith("EM:") else f"EM:{code}"
        if bidding != code and bidding in self.known_zones:
            chain.append((bidding, "exact"))
        wider = self._em_zones.get(bidding)
        if wider is not None and wider != code:
            chain.append((wider, "region" if len(wider) > 2 else "country"))
        country = "US" if code.startswith("EGRID:") else code.removeprefix("EM:").partition(ZONE_SEPARATOR)[0]
        if country != code and country in self.known_zones:
            chain.append((country, "country"))
        return [(each, match) for each, match in chain if each != ISO3_WORLD]

    @cached_property
    def known_zones(self) -> frozenset[str]:
        """Return every zone that has a yearly grid factor."""
        return frozenset(row["zone_id"] for row in yearly_grid_rows(self.pack))

    @cached_property
    def country_of(self) -> dict[str, str]:
        """Return each zone's country, ISO 3166-1 alpha-2; subregions of eGRID lie in the US."""
        return {row["zone_id"]: row["country_alpha2"] for row in yearly_grid_rows(self.pack)}

    @cached_property
    def _alpha3(self) -> dict[str, str]:
        countries = (row for row in self.pack.rows("grid_intensity_annual") if row["zone_type"] == "country")
        return {row["country_alpha3"]: row["zone_id"] for row in countries if row["country_alpha3"]}

    @cached_property
    def _em_zones(self) -> dict[str, str]:
        """Map a balancing zone to the grid zone of the cloud regions in it, where they agree on one."""
        found: dict[str, set[str]] = {}
        for row in self.pack.rows("cloud_regions"):
            if row["em_zone"]:
                found.setdefault(row["em_zone"].upper(), set()).add(row["grid_zone_id"])
        return {zone: next(iter(grids)) for zone, grids in found.items() if len(grids) == 1}

    def _home(self, slug: str) -> str | None:
        """Return the zone that the provider defaults assume for an API vendor."""
        vendor = API_PROVIDERS.get(slug)
        for row in self.pack.rows("calc_defaults"):
            if vendor is not None and row["key"] == f"api_provider.{vendor}.pue":
                assumed = re.search(r"location ([A-Z]{3})", row["note"])
                return self._alpha3.get(assumed.group(1)) if assumed else None
        return None


@lru_cache(maxsize=8)
def catalog_of(pack: FactorPack) -> Catalog:
    """Return the catalog of a pack, made once."""
    return Catalog(pack)


def _first_matches(zones: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for zone, match in zones:
        found.setdefault(zone, match)
    return tuple(found.items())


def _first_of(pairs: Iterable[tuple[str, Row]]) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for key, row in pairs:
        found.setdefault(key, row)
    return found


def _model(row: Row, matched_by: str) -> Model:
    return Model(
        name=row["model_name"],
        vendor=row["provider"],
        row=row,
        matched_by=matched_by,
        active_b=(float(row["params_active_b_min"]), float(row["params_active_b_max"])),
        total_b=(float(row["params_total_b_min"]), float(row["params_total_b_max"])),
        disclosed=row["params_disclosed"] == "True",
        output_tps=number(row["output_tps"]),
        ttft_s=number(row["ttft_s"]),
    )


def _hardware(row: Row) -> Hardware:
    dense = row["fp16_basis"] == "tensor/matrix dense"
    rate = number(row["peak_fp16_tflops"]) if dense else None
    return Hardware(
        id=row["hardware_id"],
        name=row["name"],
        kind=row["kind"],
        row=row,
        tdp_w=number(row["tdp_w"]),
        idle_w=number(row["idle_w"]),
        peak_flop_per_s=None if rate is None else rate * 1e12,
    )


def _hardware_key(name: str) -> str:
    """Return a hardware name for comparison: one space between words, no leading count (``8 x``)."""
    return re.sub(r"^\d+\s*x\s+", "", " ".join(name.casefold().split()))


def _cpu_key(name: str) -> str:
    """
    Return a CPU name for comparison, without trademarks, clock and the word for what it is.

    >>> _cpu_key("Intel(R) Xeon(R) Platinum 8175M CPU @ 2.50GHz")
    'intel xeon platinum 8175m'
    """
    bare = re.sub(r"\((r|tm)\)|@.*$|\d+-core|\b(cpu|processor)\b", " ", name.casefold())
    return " ".join(bare.split())


def _region_spellings(region: str) -> tuple[str, ...]:
    """
    Return the codes that a reported region may mean: itself, without spaces, without its availability zone.

    >>> _region_spellings("us-east-1a"), _region_spellings("East US")
    (('us-east-1a', 'us-east-1'), ('east us', 'eastus'))
    """
    code = region.strip().casefold()
    spellings = [code, re.sub(r"[\s()]", "", code)]
    spellings.append(re.sub(r"(?<=\d)-?[a-z]$", "", spellings[1]))
    return tuple(dict.fromkeys(spellings))
