"""Builds, reads and judges Guest Configuration packages.

Data comes from `packages/` and the OS catalog; `build.build_packages` makes archives of it, `inspection` looks
into any package, `manifest` says what a pack consists of.
"""
