"""A frozen evaluation as files for the tender: XLSX at full precision in English, PDF in the reader's language."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import xlsxwriter
from django.utils.translation import gettext as _

from reporting import figures
from reporting.charts.chart import nice_top
from reporting.procurement import words
from reporting.procurement.metrics import GRADES
from reporting.rendering.pdf import Attachment, pdf

WIDEST: Final = 60
FIGURES: Final = (
    *("energy_it_kwh", "energy_facility_kwh", "location_kg_co2e", "market_kg_co2e", "upstream_kg_co2e"),
    *("embodied_kg_co2e", "total_kg_co2e", "water_l"),
)

Row = Sequence[object]


# --- XLSX -------------------------------------------------------------------------------------------------------------


def evaluation_xlsx(document: Mapping[str, Any], about: Mapping[str, str]) -> bytes:
    """
    Write every sheet of an evaluation; the same document gives the same bytes.

    Args:
        about: what the file is of, such as the organization and the hash of what was frozen.
    """
    buffer = io.BytesIO()
    made = datetime.fromisoformat(document["frozen_at"]).replace(tzinfo=None)
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as workbook:
        workbook.set_properties({"title": document["name"], "created": made})
        styles = {
            "head": workbook.add_format({"bold": True, "bottom": 1}),
            "strong": workbook.add_format({"bold": True}),
        }
        for name, rows in sheets_of(document, about).items():
            _sheet(workbook, name, rows, styles)
    return buffer.getvalue()


def sheets_of(document: Mapping[str, Any], about: Mapping[str, str]) -> dict[str, list[Row]]:
    """Lay an evaluation out as tables, the header first."""
    return {
        "About": _about(document, about),
        "Ranking": _ranking(document),
        "Answers": _answers(document),
        "Figures": _figures(document),
        "Offers": _terms(document),
        "Prices": _prices(document),
        "Evidence": _evidence(document),
        "Factors": _factors(document),
    }


def _about(document: Mapping[str, Any], about: Mapping[str, str]) -> list[Row]:
    workload = document["workload"]
    rows: list[Row] = [("name", "value")]
    rows += [*about.items()]
    rows += [
        (name, document[name])
        for name in ("name", "note", "verdict", "as_of", "evidence_as_of", "frozen_at", "frozen_by")
    ]
    rows += [(name, document[name]) for name in ("factor_set", "methodology", "currency")]
    rows += [("parts left out", ", ".join(document["left_out"]))]
    rows += [
        (f"workload {name}", _text(value)) for name, value in sorted(workload.items()) if not isinstance(value, dict)
    ]
    rows += [(f"workload {name}", value) for name, value in sorted(workload["amounts_held"].items())]
    rows += [(f"filter {name}", _text(value)) for name, value in sorted(workload["filter"].items())]
    rows += [(f"simulation {name}", value) for name, value in sorted(document["simulation"].items())]
    return rows


def _ranking(document: Mapping[str, Any]) -> list[Row]:
    head = (
        "place",
        "offer",
        "points (0-100)",
        "low",
        "high",
        "leads (share of cases)",
        "cannot be told apart from",
        "knocked out by",
    )
    rows: list[Row] = [head]
    for each in document["offers"]:
        out = [f"{document['criteria'][int(number)]['subject']}: {why}" for number, why in each["out"].items()]
        points = [None if each[name] is None else 100.0 * each[name] for name in ("total", "low", "high")]
        rows.append((each["place"], each["name"], *points, each["leads"], ", ".join(each["rivals"]), "; ".join(out)))
    return rows


def _answers(document: Mapping[str, Any]) -> list[Row]:
    head = (
        *(
            "criterion",
            "weight",
            "share of all weights",
            "better",
            "at most",
            "at least",
            "must be known",
            "unit",
            "offer",
        ),
        *("state", "value", "low", "high", "score (0-1)", "why", "detail", "source"),
    )
    rows: list[Row] = [head]
    for number, criterion in enumerate(document["criteria"]):
        for each in document["offers"]:
            answer = each["answers"][number]
            rows.append(
                (
                    *(criterion.get(name) for name in ("subject", "weight", "share", "better", "at_most", "at_least")),
                    str(bool(criterion.get("must_be_known"))).lower(),
                    criterion["unit"],
                    each["name"],
                    *(answer[name] for name in ("state", "value", "low", "high")),
                    each["scores"][number],
                    *(answer[name] for name in ("why", "detail", "source")),
                )
            )
    return rows


def _figures(document: Mapping[str, Any]) -> list[Row]:
    names = [name + suffix for name in FIGURES for suffix in ("", "_low", "_high")]
    rows: list[Row] = [("offer", "requests", *names, "unchanged_kg_co2e", "notes")]
    return rows + [
        (
            each["name"],
            each["figures"].get("requests"),
            *(each["figures"].get(name) for name in names),
            each["unchanged_kg_co2e"],
            ", ".join(each["notes"]),
        )
        for each in document["offers"]
    ]


def _terms(document: Mapping[str, Any]) -> list[Row]:
    names = ("hosting", "provider", "region", "zone", "model", "hardware", "instance_type", "tier", "source", "note")
    rows: list[Row] = [("offer", "supplier", *names, "promised factors", "dossier")]
    return rows + [
        (
            each["name"],
            each["supplier"],
            *(each["terms"].get(name) for name in names),
            _text(each["terms"].get("factors", {})),
            "without evidence" if each["without_evidence"] else "",
        )
        for each in document["offers"]
    ]


def _prices(document: Mapping[str, Any]) -> list[Row]:
    rows: list[Row] = [("offer", "unit", "per", "price", "currency")]
    return rows + [
        (each["name"], *(line[name] for name in ("unit", "per", "price", "currency")))
        for each in document["offers"]
        for line in each["terms"].get("prices", [])
    ]


def _evidence(document: Mapping[str, Any]) -> list[Row]:
    names = ("metric", "value", "text", "boundary", "document", "url", "dated", "expires_on", "grade")
    rows: list[Row] = [("offer", *names, "claim checker", "id")]
    return rows + [
        (
            offer["name"],
            *(each[name] for name in names),
            "; ".join(f"{one['code']} {one['detail']}".strip() for one in each["findings"]),
            each["id"],
        )
        for offer in document["offers"]
        for each in offer["evidence"]
    ]


def _factors(document: Mapping[str, Any]) -> list[Row]:
    names = ("name", "value", "unit", "match", "valid_from", "source", "id")
    rows: list[Row] = [("offer", *names)]
    return rows + [
        (offer["name"], *(each[name] for name in names)) for offer in document["offers"] for each in offer["factors"]
    ]


def _sheet(workbook: Any, name: str, rows: Sequence[Row], styles: Mapping[str, Any]) -> None:
    """Write a table; text stays text whatever it begins with, what is not known is an empty cell."""
    sheet = workbook.add_worksheet(name)
    sheet.freeze_panes(1, 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    for at, row in enumerate(rows):
        for column, value in enumerate(row):
            if value is None or value == "":
                continue
            style = styles["head"] if not at else None
            if isinstance(value, int | float) and not isinstance(value, bool):
                sheet.write_number(at, column, value, style)
            else:
                sheet.write_string(at, column, str(value)[:32_000], style)
    for column in range(len(rows[0])):
        longest = max(
            (len(str(row[column])) for row in rows if column < len(row) and row[column] is not None), default=8
        )
        sheet.set_column(column, column, min(max(longest + 2, 10), WIDEST))


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


# --- PDF --------------------------------------------------------------------------------------------------------------


def evaluation_pdf(
    document: Mapping[str, Any], content: str, about: Sequence[tuple[str, str]], *, language: str, organization: str
) -> bytes:
    """
    Print an evaluation: outcome, order, every answer with its range and source, what was not disclosed and what to ask.

    Args:
        content: the frozen text, attached to the file.
        about: pairs of what the file is of.
        language: of its text and numbers; the active one.
    """
    with figures.written_in(language):
        data = printed(document, about, organization)
    return pdf(
        "evaluation",
        data,
        title=document["name"],
        language=language,
        made_at=datetime.fromisoformat(document["frozen_at"]),
        attachments=[Attachment("evaluation.json", "application/json", _("All values at full precision"), content)],
    )


def printed(document: Mapping[str, Any], about: Sequence[tuple[str, str]], organization: str) -> dict[str, Any]:
    """Give everything that the layout shows, as text."""
    workload = words.workload_said(document["workload"])
    columns = [
        words.column_said(criterion, [each["answers"][number] for each in document["offers"]])
        for number, criterion in enumerate(document["criteria"])
    ]
    return {
        "organization": organization,
        "note": document["note"],
        "finding": words.finding(document),
        "about": [
            [_("Workload"), workload["name"] + (f" ({workload['about']})" if workload["about"] else "")],
            *([name, text] for name, text in words.amounts_said(document["workload"]["amounts_held"])),
            *([name, text] for name, text in about),
        ],
        "remarks": [
            each
            for each in (words.emissions_said(document), words.left_out_said(document), *words.turns_said(document))
            if each
        ],
        "words": {
            "order": _("Order"),
            "emissions": _("Emissions of the workload at each offer"),
            "answers": _("Every criterion"),
            "asks": _("What nobody can say yet, and what to ask"),
            "evidence": _("Evidence"),
            "factors": _("Factors behind the figures"),
            "nothing": _("Every criterion is answered for every offer."),
            "no_evidence": _("No claim of a dossier was used."),
            "hash": _("SHA-256 of the attached values"),
        },
        "ranking": _printed_ranking(document),
        "chart": _chart(document),
        "criteria": [
            {
                "name": words.subject_said(criterion["subject"]),
                "weight": figures.percent(criterion["share"]),
                "limit": _limit(criterion),
                "columns": [
                    {"label": _("Offer")},
                    {"label": _("Value"), "number": True},
                    {"label": _("Range"), "number": True},
                    {"label": _("Score"), "number": True},
                    {"label": _("Source, or what stands in the way")},
                ],
                "rows": [
                    [
                        offer["name"],
                        cell["text"] or cell["state_text"],
                        cell["range"],
                        figures.number(100.0 * offer["scores"][number], figures.plain_scale([100.0])),
                        _source(criterion, cell),
                    ]
                    for offer, cell in zip(document["offers"], columns[number], strict=True)
                ],
            }
            for number, criterion in enumerate(document["criteria"])
        ],
        "asks": [
            [offer["name"], words.subject_said(criterion["subject"]), cell["state_text"], cell["ask"]]
            for number, criterion in enumerate(document["criteria"])
            for offer, cell in zip(document["offers"], columns[number], strict=True)
            if cell["ask"]
        ],
        "asks_columns": [{"label": each} for each in (_("Offer"), _("Criterion"), _("State"), _("Question"))],
        "evidence": _printed_evidence(document),
        "evidence_columns": [
            {"label": each} for each in (_("Offer"), _("Claim"), _("About"), _("Document"), _("Grade"), _("Check"))
        ],
        "factors": _printed_factors(document),
        "factors_columns": [{"label": each} for each in (_("Factor"), _("Value"), _("Offers"), _("Source"))],
        "footer": f"{organization}: {document['name']}",
    }


def _printed_ranking(document: Mapping[str, Any]) -> dict[str, Any]:
    rows = []
    scale = figures.plain_scale([100.0])
    for each in document["offers"]:
        out = [words.out_said(why, document["criteria"][int(number)]) for number, why in each["out"].items()]
        same = _("not distinguishable from {names}").format(names=", ".join(each["rivals"])) if each["rivals"] else ""
        points = [None if each[name] is None else 100.0 * each[name] for name in ("total", "low", "high")]
        bare = _("dossier without evidence") if each["without_evidence"] else ""
        rows.append(
            [
                str(each["place"] or "–"),
                each["name"],
                figures.number(points[0], scale),
                figures.interval(points[1], points[2], scale),
                figures.percent(each["leads"]) if each["place"] else "–",
                "; ".join(part for part in (*out, same, bare) if part),
            ]
        )
    return {
        "columns": [
            {"label": _("Place"), "number": True},
            {"label": _("Offer")},
            {"label": _("Points"), "number": True},
            {"label": _("Range"), "number": True},
            {"label": _("Leads"), "number": True},
            {"label": _("Remark")},
        ],
        "rows": rows,
    }


def _chart(document: Mapping[str, Any]) -> dict[str, Any]:
    """Lay emissions out on an axis from zero, as shares of it."""
    number = next((at for at, each in enumerate(document["criteria"]) if each["subject"] == "emissions"), None)
    if number is None:
        return {"rows": [], "ticks": [], "alt": ""}
    answers = [(each["name"], each["answers"][number]) for each in document["offers"]]
    edges = [edge for _name, each in answers for edge in (each["value"], each["high"]) if edge is not None]
    if not edges:
        return {"rows": [], "ticks": [], "alt": ""}
    scale = figures.scale_for("mass", edges)
    top, step = nice_top(max(scale.shown(edge) for edge in edges))
    texts = words.column_said(document["criteria"][number], [each for _name, each in answers])

    def share(value: float | None) -> float | None:
        return None if value is None else scale.shown(value) / top

    said = [f"{name}: {cell['text'] or cell['state_text']}" for (name, _each), cell in zip(answers, texts, strict=True)]
    return {
        "rows": [
            {
                "label": name,
                **{end: share(each[end]) for end in ("low", "value", "high")},
                "text": cell["text"] + (f" ({cell['range']})" if cell["range"] else "") or cell["state_text"],
            }
            for (name, each), cell in zip(answers, texts, strict=True)
        ],
        "ticks": [
            [at * step / top, f"{figures.number(at * step, figures.plain_scale([top]))} {scale.unit}"]
            for at in range(round(top / step) + 1)
        ],
        "alt": "; ".join(said),
    }


def _limit(criterion: Mapping[str, Any]) -> str:
    parts = []
    if "at_most" in criterion:
        parts.append(_("at most {limit}").format(limit=words.value_said(criterion, criterion["at_most"])))
    if "at_least" in criterion:
        parts.append(_("at least {limit}").format(limit=words.value_said(criterion, criterion["at_least"])))
    if criterion.get("must_be_known"):
        parts.append(_("must be shown"))
    return ", ".join(parts)


def _printed_factors(document: Mapping[str, Any]) -> list[list[str]]:
    """List each factor once, with the offers that it is behind."""
    found: dict[tuple[str, str, float], tuple[Mapping[str, Any], list[str]]] = {}
    for offer in document["offers"]:
        for each in offer["factors"]:
            found.setdefault((each["name"], each["id"], each["value"]), (each, []))[1].append(offer["name"])
    whole = sum(bool(offer["factors"]) for offer in document["offers"])
    return [
        [
            str(each["name"]),
            f"{each['value']:.5g} {'' if each['unit'] == '1' else each['unit']}".strip(),
            _("all") if len(names) == whole > 1 else ", ".join(names),
            str(each["source"]),
        ]
        for each, names in sorted(found.values(), key=lambda one: (one[0]["name"], one[1], one[0]["value"]))
    ]


def _source(criterion: Mapping[str, Any], cell: Mapping[str, str]) -> str:
    """Say where a value comes from, or what stands in the way of one."""
    if cell["why"] or cell["detail"] or cell["source"]:
        return cell["why"] or cell["detail"] or cell["source"]
    kinds = {"cost": _("price sheet")}
    if criterion["subject"].startswith("rating:"):
        return _("points given by the evaluators")
    return kinds.get(criterion["subject"], _("derived from the workload"))


def _printed_evidence(document: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for offer in document["offers"]:
        for each in offer["evidence"]:
            criterion = {"subject": f"claim:{each['metric']}", "unit": ""}
            value = each["text"] or figures.number(each["value"], figures.plain_scale([each["value"]]))
            until = _("until {day}").format(day=each["expires_on"]) if each["expires_on"] else ""
            rows.append(
                [
                    offer["name"],
                    f"{words.subject_said(criterion['subject'])}: {value}",
                    each["boundary"],
                    ", ".join(part for part in (each["document"], each["dated"], until) if part),
                    _(GRADES.get(each["grade"], each["grade"])),
                    "; ".join(words.finding_said(one["code"], one["detail"]) for one in each["findings"]),
                ]
            )
    return rows
