"""Nodes, recording and the topological backward pass.

``modes``      what a thread is doing: recording or not, in which scope
``node``       the graph: nodes that point to nodes, and the one clock
``primitive``  how operations are declared, applied and recorded
``backward``   upstream gradient times local gradient, newest node first
``origin``     which line of the user's source called
"""
