"""What others do for a campaign: judge the cases of a task, or look for the law of a finding."""

import traceback
from dataclasses import dataclass

from corpus.case import Case
from harness.bench import Bench
from harness.campaign.judge import JudgedTask, Task, judge
from harness.campaign.plan import Plan
from harness.law import Law
from harness.law.bug import NO_LAW, law_of
from harness.suspect import Suspect


@dataclass(frozen=True, slots=True)
class LawWanted:
    """The law of a finding, by its id: of a shrunk suspect, over the case in its folder."""

    id: str
    suspect: Suspect
    case: Case


@dataclass(frozen=True, slots=True)
class LawFound:
    """What became of it: ``failure`` is the traceback of a fault of ours, for which there is none."""

    id: str
    law: Law = NO_LAW
    failure: str = ""


Work = Task | LawWanted
Result = JudgedTask | LawFound


def done(bench: Bench, plan: Plan, work: Work) -> Result:
    """The result of a piece of work; it depends on nothing else, but that laws have limited time."""
    if isinstance(work, Task):
        return judge(bench, plan, work, deep=True)
    return explained(bench, plan, work)


def explained(bench: Bench, plan: Plan, wanted: LawWanted) -> LawFound:
    """The law that was wanted; a fault of ours costs it alone."""
    try:
        law = law_of(bench, wanted.suspect, wanted.case, plan.seed)
    except Exception:
        return LawFound(wanted.id, failure=traceback.format_exc())
    return LawFound(wanted.id, law)
