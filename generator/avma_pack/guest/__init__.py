"""The DSC module `AvmaActivation` in Python, on simulated machines.

It follows `packages/AvmaActivation/AvmaActivation.psm1` function by function, so that the two can be read
side by side. The module is what runs in guests; this runs where there is no Windows.

`read_package` a zip, describe a `Machine`, and ask `WindowsActivationChannel` to test, get or set it.
"""

from avma_pack.guest.codes import Failure
from avma_pack.guest.machine import CimError, Clock, Instance, Machine, MisuseError
from avma_pack.guest.package import GuestPackage, Parameters, read_package, read_parameters
from avma_pack.guest.resource import WindowsActivationChannel
from avma_pack.guest.wording import Reason

__all__ = [
    "CimError",
    "Clock",
    "Failure",
    "GuestPackage",
    "Instance",
    "Machine",
    "MisuseError",
    "Parameters",
    "Reason",
    "WindowsActivationChannel",
    "read_package",
    "read_parameters",
]
