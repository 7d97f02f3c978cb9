"""The floor of a build: a process that imports what every build needs, and no more."""

import jinja2  # noqa: F401 - importing is what is timed
import typer  # noqa: F401 - likewise
