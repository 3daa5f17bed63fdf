"""Where the findings of one run of pytest go, whatever number of processes it has."""

import os
import shutil
from pathlib import Path

FINDINGS = "findings"
MOST_ALIKE = 10_000  # runs of pytest that write to one folder


class Claims:
    """Gives each finding of a run one folder below ``out``, and one process that writes it.

    ``run`` is the same for all processes of the run and no other's. Findings of earlier runs stay.
    """

    def __init__(self, out: Path, run: str) -> None:
        self.out, self._place = out, out / f".{run}"

    def claim(self, name: str) -> tuple[str, bool]:
        """The finding's folder, relative to ``out``, and whether the caller is to write it.

        The claim appears with its text or not at all, since a link to a whole file is made.
        """
        self._place.mkdir(parents=True, exist_ok=True)
        claim, draft = self._place / name, self._place / f"{name}.{os.getpid()}"
        folder = self._free(name)
        draft.write_text(folder, encoding="utf-8")
        try:
            os.link(draft, claim)
        except FileExistsError:
            return claim.read_text(encoding="utf-8"), False
        finally:
            draft.unlink()
        return folder, True

    def _free(self, name: str) -> str:
        names = (name, *(f"{name}-{number}" for number in range(2, MOST_ALIKE)))
        folders = (f"{FINDINGS}/{each}" for each in names)
        return next(each for each in folders if not (self.out / each).exists())

    def close(self) -> None:
        """Forget all claims; for the run's last process."""
        shutil.rmtree(self._place, ignore_errors=True)
