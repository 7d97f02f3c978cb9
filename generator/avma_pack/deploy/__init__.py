"""Brings a pack into Azure: packages to a storage container, policies to a management group."""
