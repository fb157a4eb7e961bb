"""A report as text of at most 80 columns, and as a table in a notebook."""

from __future__ import annotations

from html import escape
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autodiff.checking.report import Entry, GradientReport, InputRow

__all__ = ["as_html", "as_text"]

WIDTH = 80
_MANY = 12  # with more inputs than this, those that are right take one line
_LISTED = 6  # how many entries of a kind are written out

_HEADINGS = ("input", "shape", "dtype", "checked", "error", "allowed", "verdict")


def as_text(report: GradientReport) -> str:
    """Write a report as text."""
    lines = [_headline(report), *_rows(report)]
    here = f"{Path.cwd()}/"
    for heading, items in _sections(report):
        lines.append("")
        lines += wrap(heading.replace(here, ""), WIDTH)
        for item in items:
            lines += _indented(item.replace(here, ""))
    if report.second is not None:
        lines += ["", as_text(report.second)]
    return "\n".join(line.rstrip() for line in lines)


def _indented(text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _headline(report: GradientReport) -> str:
    what = "Gradient" if report.order == 1 else "Second derivatives"
    count = f"{report.evaluations:,} evaluations"
    how = f"{report.mode} mode, {report.estimator}, {count}"
    return f"{what} {_verdict(report)} ({how})"


def _verdict(report: GradientReport) -> str:
    if report.ok:
        return "ok"
    wrong = sum(row.verdict == "WRONG" for row in report.inputs)
    if wrong:
        of = len(report.inputs)
        return "WRONG" if of == 1 else f"WRONG for {wrong} of {of} inputs"
    return "NOT CHECKED" if report.notes else "NOT RESOLVED"


def _rows(report: GradientReport) -> list[str]:
    cells = [_HEADINGS, *map(_cells, report.inputs)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(_HEADINGS))]
    for i, least in ((0, 16), (1, 10)):  # names and shapes give way, down to this
        excess = sum(widths) + 2 * (len(widths) - 1) - WIDTH
        widths[i] = max(min(widths[i], least), widths[i] - max(0, excess))
    right = {3, 4, 5}
    lines = []
    for row, source in zip(cells, [None, *report.inputs], strict=True):
        fitted = [_shorten(text, width) for text, width in zip(row, widths, strict=True)]
        aligned = [
            text.rjust(width) if i in right else text.ljust(width)
            for i, (text, width) in enumerate(zip(fitted, widths, strict=True))
        ]
        lines.append("  ".join(aligned))
        if source is None:
            lines.append("-" * min(WIDTH, sum(widths) + 2 * (len(widths) - 1)))
        elif source.worst is not None and (source.verdict != "ok" or len(report.inputs) <= _MANY):
            lines += _indented(_worst(source.worst))
    return lines


def _cells(row: InputRow) -> tuple[str, ...]:
    entry = row.worst
    error = "" if entry is None else f"{entry.error:.1e}"
    allowed = "" if entry is None else f"{entry.tolerance:.1e}"
    return (row.name, _shape(row.shape), row.dtype, row.checked, error, allowed, row.verdict)


def _shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _shorten(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    keep = width - 1
    return f"{text[: keep // 3]}…{text[len(text) - (keep - keep // 3) :]}"


def _where(entry: Entry) -> str:
    if entry.index is None:
        return "a random projection"
    return f"[{', '.join(map(str, entry.index))}]" if entry.index else "the number"


def _worst(entry: Entry) -> str:
    digits = _digits(entry.computed, entry.expected)
    text = f"worst at {_where(entry)}: computed {entry.computed:.{digits}g}, "
    text += f"differences {entry.expected:.{digits}g}"
    return f"{text} ({entry.reason})" if entry.reason else text


def _digits(a: float, b: float) -> int:
    """Return how many digits tell two numbers apart, at least six."""
    for digits in range(6, 15):
        if f"{a:.{digits}g}" != f"{b:.{digits}g}":
            return digits
    return 9


def _named(entry: Entry) -> str:
    return f"{entry.name}{_where(entry) if entry.index else ''}"


def _sections(report: GradientReport) -> list[tuple[str, list[str]]]:
    """Collect what follows the table: a heading and its items."""
    sections: list[tuple[str, list[str]]] = []
    if report.guilty is not None:
        items = []
        if report.guilty.others:
            items = [f"and more at {report.guilty.others} other lines"]
        sections.append((f"Where: {report.guilty}", items))
    wrong = sorted(report.wrong, key=lambda entry: entry.ratio, reverse=True)
    if len(wrong) > 1:
        items = [_item(entry) for entry in wrong[:_LISTED]]
        if len(wrong) > _LISTED:
            items.append(f"and {len(wrong) - _LISTED:,} more (report.wrong)")
        sections.append((f"{len(wrong):,} comparisons failed:", items))
    unresolved = report.unresolvable
    if unresolved:
        heading = (
            f"{len(unresolved):,} unresolvable: the true value is drowned in the differences' "
            "own error, so this is neither right nor wrong:"
        )
        items = [_item(entry) for entry in unresolved[:_LISTED]]
        if len(unresolved) > _LISTED:
            items.append(f"and {len(unresolved) - _LISTED:,} more (report.unresolvable)")
        sections.append((heading, items))
    if report.kinks:
        items = [
            f"{kink.operation} at {kink.origin}: {kink.entries:,} "
            f"{'entry' if kink.entries == 1 else 'entries'}, e.g. {kink.example}"
            for kink in report.kinks
        ]
        sections.append(("Kinks at this point:", items))
    sections += [(note, []) for note in report.notes]
    return sections


def _item(entry: Entry) -> str:
    digits = _digits(entry.computed, entry.expected)
    text = f"{_named(entry)}: computed {entry.computed:.{digits}g}, "
    text += f"differences {entry.expected:.{digits}g}, off by {entry.error:.1e}"
    return f"{text} ({entry.reason})" if entry.reason else text


_STYLE = "text-align:left;padding:2px 10px;white-space:nowrap;vertical-align:top"


def as_html(report: GradientReport) -> str:
    """Write a report as an HTML fragment, in the colours of the page around it."""
    headings = (*_HEADINGS[:-1], "worst at", "computed", "differences", "verdict")
    rows = [_html_row(headings, "th")]
    for row in report.inputs:
        cells = list(_cells(row))
        entry = row.worst
        numbers = ["", "", ""]
        if entry is not None:
            digits = _digits(entry.computed, entry.expected)
            numbers = [
                _where(entry), f"{entry.computed:.{digits}g}", f"{entry.expected:.{digits}g}",
            ]  # fmt: skip
        rows.append(_html_row([*cells[:-1], *numbers, cells[-1]], "td"))
    parts = [f"<p><b>{escape(_headline(report))}</b></p>", f"<table>{''.join(rows)}</table>"]
    for heading, items in _sections(report):
        body = "".join(f"<li>{escape(item)}</li>" for item in items)
        parts.append(f"<p>{escape(heading)}</p>" + (f"<ul>{body}</ul>" if body else ""))
    if report.second is not None:
        parts.append(as_html(report.second))
    return f"<div>{''.join(parts)}</div>"


def _html_row(cells: Any, tag: str) -> str:
    def cell(text: str) -> str:
        strong = ";font-weight:bold;color:#c0392b" if text == "WRONG" else ""
        return f'<{tag} style="{_STYLE}{strong}">{escape(str(text))}</{tag}>'

    return f"<tr>{''.join(map(cell, cells))}</tr>"
