"""The OS catalog: which Windows Server releases and editions exist, and which KMS client key belongs on each.

Data comes from `packages/catalog/*.toml`, one file a release. It goes to the guest as `catalog.json`
(`guest_catalog`), and to the reader as `avma-pack os`.
"""

from avma_pack.catalog.guest import guest_catalog
from avma_pack.catalog.load import load_catalog
from avma_pack.catalog.model import Catalog, Edition, Lifecycle, Release, Sku

__all__ = ["Catalog", "Edition", "Lifecycle", "Release", "Sku", "guest_catalog", "load_catalog"]
