"""A report as text of at most 80 columns, and as a table in a notebook."""

from __future__ import annotations

from collections import Counter
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
    lines = wrap(_headline(report), WIDTH, subsequent_indent="  ")
    if report.second is None or report.first is None:
        return "\n".join([*lines, *_body(report)])
    second = as_text(report.second)
    return "\n".join([*lines, *_body(report.first), "", second])


def _body(report: GradientReport) -> list[str]:
    """Write what follows the headline."""
    lines = list(_rows(report))
    here = f"{Path.cwd()}/"
    for heading, items in _sections(report):
        lines.append("")
        lines += wrap(heading.replace(here, ""), WIDTH)
        for item in items:
            lines += _indented(item.replace(here, ""))
    return [line.rstrip() for line in lines]


def _indented(text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _headline(report: GradientReport) -> str:
    count = f"{report.evaluations:,} evaluation{'s'[: report.evaluations != 1]}"
    how = f"({report.mode} mode, {report.estimator}, {count})"
    if report.second is not None and report.first is not None:
        first, second = _verdict(report.first), _verdict(report.second)
        return f"Gradient {first}; second derivatives {second} {how}"
    what = "Gradient" if report.order == 1 else "Second derivatives"
    return f"{what} {_verdict(report)} {how}"


def _verdict(report: GradientReport) -> str:
    """Say what was found, with how much of it could not be."""
    counts: Counter[str] = Counter()
    for row in report.inputs:
        counts.update(row.counts)
    total = sum(counts.values())
    things = ("entry" if total == 1 else "entries") if report.mode == "full" else "comparisons"
    wrong = sum(row.verdict == "WRONG" for row in report.inputs)
    if wrong:
        of = len(report.inputs)
        return "WRONG" if of == 1 else f"WRONG for {wrong} of {of} inputs"
    if not total:
        return "NOT CHECKED" if report.guilty is None else "FAILED"
    left = []
    if counts["unresolved"]:
        left.append(f"{counts['unresolved']:,} of {total:,} {things} could not be resolved")
    if counts["skipped"]:
        of_all = "" if left else f" of {total:,} {things}"
        left.append(f"{counts['skipped']:,}{of_all} skipped at kinks")
    if report.ok:
        return f"ok, but {' and '.join(left)}" if left else "ok"
    word = "NOT RESOLVED" if counts["unresolved"] else "NOT CHECKED"
    return f"{word}: {' and '.join(left)}"


def _rows(report: GradientReport) -> list[str]:
    cells = [_HEADINGS, *map(_cells, report.inputs)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(_HEADINGS))]
    for i, least in ((0, 14), (1, 9), (3, 10)):  # names and shapes give way, down to this
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
    return f"{_shorten(entry.name, 40)}{_where(entry) if entry.index else ''}"


def _sections(report: GradientReport) -> list[tuple[str, list[str]]]:
    """Collect what follows the table: a heading and its items."""
    sections: list[tuple[str, list[str]]] = []
    if report.guilty is not None:
        items = []
        if report.guilty.others:
            others = report.guilty.others
            items = [f"and more at {others} other {'line' if others == 1 else 'lines'}"]
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
    headline = f"<p><b>{escape(_headline(report))}</b></p>"
    if report.second is None or report.first is None:
        return f"<div>{headline}{_html_body(report)}</div>"
    return f"<div>{headline}{_html_body(report.first)}{as_html(report.second)}</div>"


def _html_body(report: GradientReport) -> str:
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
    parts = [f"<table>{''.join(rows)}</table>"]
    for heading, items in _sections(report):
        body = "".join(f"<li>{escape(item)}</li>" for item in items)
        parts.append(f"<p>{escape(heading)}</p>" + (f"<ul>{body}</ul>" if body else ""))
    return "".join(parts)


def _html_row(cells: Any, tag: str) -> str:
    def cell(text: str) -> str:
        strong = ";font-weight:bold;color:#c0392b" if text == "WRONG" else ""
        return f'<{tag} style="{_STYLE}{strong}">{escape(str(text))}</{tag}>'

    return f"<tr>{''.join(map(cell, cells))}</tr>"
