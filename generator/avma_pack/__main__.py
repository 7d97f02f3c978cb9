"""Where the program starts: `avma-pack`, or `python -m avma_pack`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the program. The imports are inside, so that Ctrl-C ends it quietly from its first moment on."""
    try:
        from avma_pack.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
