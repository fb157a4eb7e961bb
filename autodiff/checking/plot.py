"""Error against step size, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autodiff.errors import MissingExtraError

if TYPE_CHECKING:
    from autodiff.checking.report import Entry, GradientReport

__all__ = ["plot_report"]


def plot_report(report: GradientReport, entry: Entry | None, ax: Any) -> Any:
    """See :meth:`GradientReport.plot`."""
    try:
        import matplotlib.pyplot as plt  # noqa: PLC0415 - optional
    except ImportError as error:
        feature, package = "GradientReport.plot", "matplotlib"
        raise MissingExtraError(feature, package, "plot") from error
    return plt, report, entry, ax
