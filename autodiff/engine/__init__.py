"""Nodes, recording and the topological backward pass.

In the order in which they are best read:

``node``        the graph: nodes that point to nodes, and the one clock
``primitive``   how operations are declared: start here to write one
``definition``  what a primitive is: a forward function, operands, options, rules
``plan``        what a node keeps for its rules, and how they are called
``apply``       applying an operation and recording it
``outputs``     operations with several results
``backward``    upstream gradient times local gradient, newest node first
``checks``      what a backward pass refuses
``handover``    gradients on their way to hooks and into ``.grad``
``modes``       what a thread is doing: recording or not, in which scope
``operands``    what may stand beside a tensor
``origin``      which line of the user's source called
``allocator``   why freed memory stays with the process
"""
