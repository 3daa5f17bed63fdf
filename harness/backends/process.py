"""One worker process seen from the parent: bytes go in, messages come out, nothing ever blocks."""

import contextlib
import fcntl
import mmap
import os
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from corpus.case import Array
from harness.backends import protocol

WORKER = Path(__file__).with_name("worker.py")
PIPE_BYTES = 1 << 20
TAIL_LINES = 12
MOST_HEADER_BYTES = 1 << 26
MOST_BODY_BYTES = 1 << 31
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SINGLE_THREADED = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)

Message = tuple[dict[str, Any], list[tuple[str, Array]]]


class Ended(Exception):  # noqa: N818 - an event, seen by the pool
    """The worker closed its pipe: it crashed, exited or was killed."""


class Process:
    """A running worker with its three pipes; it needs the descriptor ``shares`` when it starts.

    ``foreign`` interpreters do not inherit PYTHONPATH and PYTHONHOME, which are about ours.
    ``environment`` is set besides. It shares a page with the worker, which tells there what it works on.
    """

    def __init__(
        self, python: str, *, foreign: bool, environment: Mapping[str, str] | None = None
    ) -> None:
        inherited = {**os.environ, **SINGLE_THREADED, **(environment or {})}
        if foreign:
            for name in ("PYTHONPATH", "PYTHONHOME"):
                inherited.pop(name, None)
        self._stderr = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by end()
        fcntl.fcntl(self._stderr, fcntl.F_SETFL, os.O_APPEND)
        with tempfile.TemporaryFile() as shared:
            shared.truncate(protocol.NUMBER.size)
            self._at, self.shares = mmap.mmap(shared.fileno(), 0), shared.fileno()
            self._popen = self._opened([python, str(WORKER)], inherited)
        self.forget()
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._in, self._out = self._popen.stdin, self._popen.stdout
        self.writes_to, self.reads_from = self._in.fileno(), self._out.fileno()
        for descriptor in (self.writes_to, self.reads_from):
            _widen(descriptor)
        self._outgoing: deque[memoryview] = deque()
        self._incoming = bytearray()
        self._ending: tuple[str, str] | None = None

    def _opened(
        self, command: list[str], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the parent alone
                pass_fds=(self.shares,),
            )
        except OSError:
            self._stderr.close()
            raise

    @property
    def pid(self) -> int:
        """The operating system's number of the process."""
        return self._popen.pid

    def is_alive(self) -> bool:
        """Whether the process has not ended yet."""
        return self._popen.poll() is None

    def resident(self) -> int:
        """Bytes that it, or a child of it, holds; 0 where the system does not tell (it has no /proc)."""
        return max(map(_resident, (self.pid, *_children(self.pid))))

    def at(self) -> int:
        """Number of the answer that it works on, or worked on when it ended; -1 before the first."""
        number: int = protocol.NUMBER.unpack(self._at)[0]
        return number

    def forget(self) -> None:
        """Before new questions are sent: it works on none of them yet."""
        self._at[:] = protocol.NUMBER.pack(-1)

    def send(self, message: bytes) -> None:
        """Queue a message and write what the pipe takes."""
        self._outgoing.append(memoryview(message))
        self.flush()

    def has_unsent(self) -> bool:
        """Whether `flush` must be called again when the pipe takes more."""
        return bool(self._outgoing)

    def flush(self) -> None:
        """Write what the pipe takes; a worker that has gone is noticed when reading."""
        try:
            while self._outgoing:
                written = os.write(self.writes_to, self._outgoing[0])
                self._outgoing[0] = self._outgoing[0][written:]
                if not self._outgoing[0]:
                    self._outgoing.popleft()
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._outgoing.clear()

    def messages(self) -> Iterator[Message]:
        """Every whole message that has arrived.

        Raises:
            Ended: the worker closed its pipe; whole messages before that were yielded.
            Garbage: something else than a message arrived.
        """
        is_open = self._fill()
        while len(self._incoming) >= protocol.PREFIX.size:
            head = protocol.PREFIX.size
            header_size, body_size = protocol.sizes(self._incoming[:head])
            if header_size > MOST_HEADER_BYTES or body_size > MOST_BODY_BYTES:
                raise protocol.Garbage("a reply of more than 2 GiB")
            middle = head + header_size
            if len(self._incoming) < middle + body_size:
                break
            text, body = (
                self._incoming[head:middle],
                self._incoming[middle : middle + body_size],
            )
            del self._incoming[: middle + body_size]
            yield from protocol.decode(bytes(text), body)
        if not is_open:
            raise Ended

    def _fill(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.reads_from, 1 << 16):
                self._incoming += chunk
                if len(chunk) < 1 << 16:
                    return True
            return False
        return True

    def hang_up(self) -> None:
        """Close its stdin, upon which an idle worker ends by itself."""
        self._outgoing.clear()
        with contextlib.suppress(BrokenPipeError):
            self._in.close()

    def end(self, patience: float = 0.0) -> tuple[str, str]:
        """Kill it if it does not end by itself within ``patience`` seconds.

        Returns how it ended (``"signal SIGSEGV"``, ``"exit 3"``) and its last lines on stderr.
        """
        if self._ending is None:
            self._ending = self._end(patience)
        return self._ending

    def _end(self, patience: float) -> tuple[str, str]:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(patience)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)  # and whatever the engine started
        code = self._popen.wait()
        tail = self._tail()
        self.hang_up()
        self._out.close()
        self._stderr.close()
        return _how(code), tail

    def _tail(self) -> str:
        size = os.fstat(self._stderr.fileno()).st_size
        text = os.pread(self._stderr.fileno(), 1 << 14, max(0, size - (1 << 14)))
        return "\n".join(text.decode(errors="replace").splitlines()[-TAIL_LINES:])


def _resident(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * PAGE_BYTES


def _children(pid: int) -> list[int]:
    try:
        return [
            int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except OSError:
        return []


def _widen(descriptor: int) -> None:
    os.set_blocking(descriptor, False)
    with contextlib.suppress(OSError, AttributeError):  # the system's limit, or not Linux
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _how(code: int) -> str:
    return f"exit {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
