"""Times whole commands against their floors, in the same run: `make bench`.

Every command is a fresh process. Command and floor take turns, so that a slow moment of the machine meets both; the
best of the runs counts, since noise only ever adds.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

RUNS = 10
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Comparison:
    """A command, the program that it is measured against, and how many times as long it may take."""

    name: str
    command: list[str]
    floor: list[str]
    limit: float


def seconds(command: list[str], folder: str) -> float:
    """Wall-clock seconds of one run."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> int:
    avma_pack = str(Path(sys.executable).with_name("avma-pack"))
    comparisons = [
        Comparison(
            "build --each-os",
            [avma_pack, "build", "--each-os", "--out", "packs"],
            [sys.executable, str(HERE / "floor_build.py")],
            5.0,
        ),
        Comparison("--help", [avma_pack, "--help"], [sys.executable, str(HERE / "floor_help.py"), "--help"], 1.6),
    ]
    missed = 0
    for each in comparisons:
        with tempfile.TemporaryDirectory() as folder:
            pairs = [(seconds(each.command, folder), seconds(each.floor, folder)) for _ in range(RUNS + 1)][1:]
        ours, floor = ([pair[side] * 1000 for pair in pairs] for side in (0, 1))
        ratio = min(ours) / min(floor)
        missed += ratio >= each.limit
        print(
            f"{each.name}: {min(ours):.0f} ms (to {max(ours):.0f}), floor {min(floor):.0f} ms (to {max(floor):.0f}), "
            f"ratio {ratio:.2f}, limit {each.limit}: {'ok' if ratio < each.limit else 'TOO SLOW'}"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
