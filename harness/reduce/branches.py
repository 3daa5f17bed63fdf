"""The pass for graphs in graphs: the nodes of one branch take the place of an If."""

from harness.opened import BRANCHES, with_branch
from harness.reduce.problem import Problem


def open_branches(problem: Problem) -> None:
    """Replace each If by one of its branches, which may show the bug without it."""
    place = 0
    while place < len(problem.best.proto().graph.node):
        place += not any(_offer(problem, place, branch) for branch in BRANCHES)


def _offer(problem: Problem, place: int, branch: str) -> bool:
    model = with_branch(problem.best.proto(), place, branch)
    return model is not None and problem.offer_graph(model, problem.best.inputs)
