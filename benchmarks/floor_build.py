"""The floor of a build: a process that imports what every build needs, and no more."""

import jinja2  # noqa: F401
import typer  # noqa: F401
