"""How fast machines are decided against the pack's audit rule, next to the plain decoding of their JSON.

100,000 VM documents are streamed, one a line, from a file that is written before the clock runs. Decoding alone and
decoding with deciding take turns, so that a slow moment of the machine meets both; the best of the runs counts, since
noise only ever adds.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avma_pack.catalog import load_catalog
from avma_pack.rendering.pack import build_pack
from avma_pack.rules import compile_condition
from avma_pack.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

MACHINES = 100_000
RUNS = 3
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000"
PUBLISHERS = {
    "2019-datacenter-gensecond": ("MicrosoftWindowsServer", "WindowsServer"),
    "22_04-lts": ("Canonical", "0001-com-ubuntu-server-jammy"),
}
LINUX, MIGRATED, AKS_NODE = range(12, 20), range(8, 12), 8
"""Of 20 machines; the rest are Windows from the marketplace. The node is a migrated one, so that it gets that far."""

EXPECTED = MACHINES * 11 // 20


def machine(number: int) -> dict[str, Any]:
    """A VM as Azure returns it: marketplace image or migrated disk, Windows or Linux, now and then a node of AKS."""
    name, kind = f"vm{number:06}", number % 20
    group = f"{SUBSCRIPTION}/resourceGroups/rg-{number % 500:03}/providers"
    disk: dict[str, Any] = {
        "osType": "Linux" if kind in LINUX else "Windows",
        "name": f"{name}_OsDisk",
        "createOption": "Attach" if kind in MIGRATED else "FromImage",
        "caching": "ReadWrite",
        "managedDisk": {"storageAccountType": "Premium_LRS", "id": f"{group}/Microsoft.Compute/disks/{name}_OsDisk"},
        "deleteOption": "Detach",
        "diskSizeGB": 127,
    }
    profile: dict[str, Any] = {"osDisk": disk, "dataDisks": [{"lun": 0, "diskSizeGB": 64, "toBeDetached": False}]}
    properties: dict[str, Any] = {
        "vmId": f"11111111-2222-3333-4444-{number:012}",
        "hardwareProfile": {"vmSize": "Standard_D4s_v5"},
        "provisioningState": "Succeeded",
        "storageProfile": profile,
        "networkProfile": {"networkInterfaces": [{"id": f"{group}/Microsoft.Network/networkInterfaces/{name}"}]},
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
        "timeCreated": "2024-05-03T09:21:44.1523874+00:00",
    }
    if kind not in MIGRATED:
        sku = "22_04-lts" if kind in LINUX else "2019-datacenter-gensecond"
        publisher, offer = PUBLISHERS[sku]
        profile["imageReference"] = {"publisher": publisher, "offer": offer, "sku": sku, "version": "latest"}
        guest = "linuxConfiguration" if kind in LINUX else "windowsConfiguration"
        properties["osProfile"] = {"computerName": name, "adminUsername": "azure", guest: {"provisionVMAgent": True}}
    tags = {"costCenter": f"{number % 97}", "environment": "prod"}
    return {
        "name": name,
        "id": f"{group}/Microsoft.Compute/virtualMachines/{name}",
        "type": "Microsoft.Compute/virtualMachines",
        "location": "westeurope",
        "tags": {**tags, "aks-managed-poolName": "pool1"} if kind == AKS_NODE else tags,
        "identity": {"type": "SystemAssigned", "principalId": f"33333333-2222-1111-0000-{number:012}"},
        "properties": properties,
    }


def seconds(path: Path, judge: Callable[[Any], bool] | None) -> tuple[float, int]:
    """Seconds to decode every line, and to decide it where there is a judge; and how many it picked."""
    decode, picked = json.loads, 0
    with path.open("rb") as lines:
        start = time.perf_counter()
        if judge is None:
            for line in lines:
                decode(line)
        else:
            for line in lines:
                picked += judge(decode(line))
        return time.perf_counter() - start, picked


def main() -> int:
    pack = build_pack(Settings(), load_catalog())
    rule = compile_condition(pack.policies["definitions/audit.json"]["properties"]["policyRule"]["if"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "machines.ndjson"
        with path.open("wb") as stream:
            for number in range(MACHINES):
                stream.write(json.dumps(machine(number)).encode() + b"\n")
        size = path.stat().st_size / MACHINES
        plain, both = [], []
        for _ in range(RUNS):
            plain.append(seconds(path, None)[0])
            spent, picked = seconds(path, rule.matches)
            both.append(spent)
            if picked != EXPECTED:
                print(f"the rule picked {picked} machines, not {EXPECTED}")
                return 1
    decode, total = min(plain), min(both)
    print(f"{MACHINES:,} machines of {size:,.0f} bytes of JSON, {picked:,} in scope of the audit rule")
    print(f"  json decoding alone   {MACHINES / decode:>12,.0f} a second")
    print(f"  decoded and decided   {MACHINES / total:>12,.0f} a second, {total / decode:.2f} x decoding alone")
    print(f"  deciding alone        {MACHINES / (total - decode):>12,.0f} a second (the difference)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
