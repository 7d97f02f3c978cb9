"""The Windows editions that a fleet runs: numbers and names as Windows reports them."""

from __future__ import annotations

from dataclasses import dataclass

_VERSIONS = {"9200": "6.2.9200.16384", "9600": "6.3.9600.16384"}
"""Of releases before Windows 10, by build."""


@dataclass(frozen=True, slots=True)
class Edition:
    """An edition of a release. Of product keys only the last five characters are known here.

    `avma_last_five` is '' where Microsoft lists no AVMA key. `weight` says how common it is in a fleet.
    """

    os: str
    caption: str
    build: str
    name: str
    sku: int
    edition_id: str
    kms_last_five: str = ""
    avma_last_five: str = ""
    evaluation: bool = False
    product_type: int = 3
    weight: int = 1

    @property
    def version(self) -> str:
        """The version that Windows tells of itself."""
        return _VERSIONS.get(self.build, f"10.0.{self.build}.1")

    @property
    def image(self) -> dict[str, str]:
        """The marketplace image that it is made from."""
        year = self.os.removeprefix("ws")
        if self.os in {"client", "multi-session"}:
            sku = "win11-23h2-ent" if self.os == "client" else "win11-23h2-avd"
            return {"publisher": "MicrosoftWindowsDesktop", "offer": "windows-11", "sku": sku}
        if self.sku in {145, 146}:
            offer, sku = "WindowsServerSemiAnnual", f"Datacenter-Core-{year}-smalldisk"
        else:
            offer, sku = "WindowsServer", f"{year.replace('r2', '-R2')}-Datacenter"
        return {"publisher": "MicrosoftWindowsServer", "offer": offer, "sku": sku}


def _ltsc(os: str, build: str, weight: int, *rows: tuple[str, int, str, str, str]) -> list[Edition]:
    """Editions of a release with long-term servicing, each with its Server Core form and its evaluation."""
    caption = f"Microsoft Windows Server {os.removeprefix('ws').upper().replace('R2', ' R2')}"
    editions = []
    for name, sku, edition_id, kms, avma in rows:
        common = (os, f"{caption} {name}", build, name)
        editions.append(Edition(*common, sku, edition_id, kms, avma, weight=weight))
        core, evaluation = _VARIANTS.get(sku, (0, 0))
        if core:
            editions.append(Edition(*common, core, f"{edition_id}Cor", kms, avma, weight=max(1, weight // 4)))
        if evaluation:
            captioned = (os, f"{caption} {name} Evaluation", build, name)
            editions.append(Edition(*captioned, evaluation, f"{edition_id}Eval", kms, avma, evaluation=True))
    return editions


def _semi_annual(os: str, build: str, datacenter: tuple[str, str], standard: tuple[str, str]) -> list[Edition]:
    """The two editions of a semi-annual release."""
    return [
        Edition(os, f"Microsoft Windows Server {name}", build, name, sku, f"Server{name}ACor", *keys)
        for name, sku, keys in (("Datacenter", 145, datacenter), ("Standard", 146, standard))
    ]


_VARIANTS = {8: (147, 80), 7: (148, 79), 407: (408, 0)}
"""SKUs of Server Core and of the evaluation, by SKU."""

EDITIONS: tuple[Edition, ...] = (
    # The values are those of packages/catalog/*.toml, where their sources stand; a test compares the two.
    *_ltsc(
        "ws2025",
        "26100",
        8,
        ("Datacenter", 8, "ServerDatacenter", "YP6DF", "VCH67"),
        ("Standard", 7, "ServerStandard", "MY832", "9HPQ4"),
        ("Datacenter: Azure Edition", 407, "ServerTurbine", "8MCRC", "88J4F"),
    ),
    *_ltsc(
        "ws2022",
        "20348",
        16,
        ("Datacenter", 8, "ServerDatacenter", "6VM33", "DV9BG"),
        ("Standard", 7, "ServerStandard", "VMK7H", "78VHK"),
        ("Datacenter: Azure Edition", 407, "ServerTurbine", "KHMXV", "VMK3J"),
    ),
    *_ltsc(
        "ws2019",
        "17763",
        16,
        ("Datacenter", 8, "ServerDatacenter", "63DFG", "WMBMW"),
        ("Standard", 7, "ServerStandard", "J464C", "4GF74"),
        ("Essentials", 50, "ServerSolution", "YY726", "HFV28"),
    ),
    *_ltsc(
        "ws2016",
        "14393",
        12,
        ("Datacenter", 8, "ServerDatacenter", "8XDDG", "CWG3J"),
        ("Standard", 7, "ServerStandard", "KHKQY", "4RHYD"),
        ("Essentials", 50, "ServerSolution", "4M63B", "MHBKQ"),
    ),
    *_ltsc(
        "ws2012r2",
        "9600",
        8,
        ("Datacenter", 8, "ServerDatacenter", "Q3VJ9", "DV4TW"),
        ("Standard", 7, "ServerStandard", "MDVJX", "MTB6V"),
        ("Essentials", 50, "ServerSolution", "M4FWM", "P36R2"),
    ),
    *_ltsc(
        "ws2012",
        "9200",
        4,
        ("Datacenter", 8, "ServerDatacenter", "8W83P", ""),
        ("Standard", 7, "ServerStandard", "92BT4", ""),
        ("Essentials", 50, "ServerSolution", "J2MPV", ""),
    ),
    *_semi_annual("ws20h2", "19042", ("CWH2D", ""), ("724CC", "")),
    *_semi_annual("ws2004", "19041", ("CWH2D", ""), ("724CC", "")),
    *_semi_annual("ws1909", "18363", ("CWH2D", "WMBMW"), ("724CC", "4GF74")),
    *_semi_annual("ws1903", "18362", ("CWH2D", "WMBMW"), ("724CC", "4GF74")),
    *_semi_annual("ws1809", "17763", ("CWH2D", "WMBMW"), ("724CC", "4GF74")),
    *_semi_annual("ws1803", "17134", ("7FVDG", "CWG3J"), ("9W4KR", "4RHYD")),
    *_semi_annual("ws1709", "16299", ("BWTG6", "CWG3J"), ("GF6G4", "4RHYD")),
    # Windows 11 has no place in the catalog: win32-operatingsystem.md@47e64c18 for SKU 4 and 175.
    Edition("client", "Microsoft Windows 11 Enterprise", "22631", "Enterprise", 4, "Enterprise", product_type=1),
    Edition(
        "multi-session",
        "Microsoft Windows 11 Enterprise multi-session",
        "22631",
        "Enterprise multi-session",
        175,
        "ServerRdsh",
        product_type=3,
    ),
)
