"""Pictures of recorded graphs, and their passes as text. They read graphs, and never change one.

>>> import autodiff as ad
>>> from autodiff import draw
>>> x = ad.tensor(2.0, requires_grad=True, name="x")
>>> y = ad.exp(x * 3)
>>> print(draw.svg(y)[:39])
<svg xmlns="http://www.w3.org/2000/svg"
>>> draw.graph(y).source.splitlines()[0]
'digraph autodiff {'
>>> draw.text(y).splitlines()[0]
'forward'
"""

from autodiff.draw.description import Description, Edge, Source, Vertex, describe_graph
from autodiff.draw.explorer import Exploration, explore
from autodiff.draw.pictures import graph, save, svg
from autodiff.draw.recording import record
from autodiff.draw.statistics import Statistics, statistics
from autodiff.draw.steps import (
    BackwardStep,
    Contribution,
    backward_steps,
    forward_steps,
    gradients,
)
from autodiff.draw.text import text

__all__ = [
    "BackwardStep", "Contribution", "Description", "Edge", "Exploration", "Source", "Statistics",
    "Vertex", "backward_steps", "describe_graph", "explore", "forward_steps", "gradients", "graph",
    "record", "save", "statistics", "svg", "text",
]  # fmt: skip
