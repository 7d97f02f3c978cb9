"""Renders what Azure Policy gets: definitions, initiative and assignment, checked before they are written.

Data comes from the settings, the built packages and the templates in `policies/`; `pack.build_pack` joins it all
into the files of a pack.
"""
