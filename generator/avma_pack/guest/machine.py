"""A simulated machine: WMI, registry and network, reached only as the module's cmdlets reach a real one.

It is described as `machine` and `methods` of a scenario are; its clock stands still but for sleeps.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from avma_pack.guest.wql import parse_filter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from avma_pack.guest.wql import Condition, Value

CIM_EXCEPTION_HRESULT = -0x7FECEB00
"""`HResult` of every exception of the CIM cmdlets (0x80131500), whatever went wrong."""

INVALID_QUERY = "0x80041017"
NO_SUCH_CLASS = "0x80041010"
TIMED_OUT = "0x80041069"

_KEY = {
    "Win32_OperatingSystem": "Name",
    "Win32_SystemEnclosure": "Tag",
    "SoftwareLicensingService": "Version",
    "SoftwareLicensingProduct": "ID",
}
_UINT32 = frozenset(
    {
        "OperatingSystemSKU",
        "ProductType",
        "LicenseStatus",
        "LicenseStatusReason",
        "GracePeriodRemaining",
        "KeyManagementServicePort",
        "VLActivationType",
        "VLActivationTypeEnabled",
    }
)
_BOOLEAN = frozenset({"LicenseIsAddon"})
_ENDPOINT_METHODS: dict[str, tuple[str, ...]] = {
    "ClearKeyManagementServiceMachine": (),
    "ClearKeyManagementServicePort": (),
    "SetKeyManagementServiceMachine": ("MachineName",),
    "SetKeyManagementServicePort": ("PortNumber",),
}
_METHODS: dict[str, dict[str, tuple[str, ...]]] = {
    "SoftwareLicensingService": {
        "InstallProductKey": ("ProductKey",),
        "RefreshLicenseStatus": (),
        **_ENDPOINT_METHODS,
    },
    "SoftwareLicensingProduct": {"Activate": (), **_ENDPOINT_METHODS},
}


class MisuseError(Exception):
    """A request that the module must never make: no property list, no time-out, an unfiltered product query.

    Nothing in the model catches it.
    """


class CimError(Exception):
    """An error of the CIM cmdlets: the HRESULT stands in the error's id only."""

    def __init__(self, hresult: str, message: str) -> None:
        super().__init__(message)
        self.fully_qualified_error_id = f"HRESULT {hresult.lower()},Microsoft.Management.Infrastructure.CimCmdlets"
        self.hresult = CIM_EXCEPTION_HRESULT


@dataclass(slots=True)
class Clock:
    """The machine's time, which passes by sleeping only."""

    now: dt.datetime = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def sleep(self, seconds: float) -> None:
        """Lets so many seconds pass, at once."""
        self.now += dt.timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Instance:
    """What a query returned: the properties that were asked for; the others are empty."""

    class_name: str
    properties: Mapping[str, Value]

    def __getitem__(self, name: str) -> Value:
        return self.properties.get(name)

    @property
    def key(self) -> Value:
        """The value of the class's key property; None where it was not asked for."""
        return self[_KEY[self.class_name]]


@dataclass(slots=True)
class _CimClass:
    """The state of a WMI class: its instances, or how it fails. `delay` is in seconds."""

    instances: list[dict[str, Value]] = field(default_factory=list)
    delay: float = 0
    error: tuple[str, str] | None = None


class Machine:
    """One machine. `calls` lists the changing method calls in order, `sleeps` the pauses in seconds.

    Args:
        description: `cim`, `registry` and `tcp` of a scenario's `machine`.
        methods: Outcomes by `Class.Method`, first call first; the last one repeats.
        clock: Whence the machine has its time.

    Raises:
        ValueError: a property has a value that is not of its WMI type.
    """

    def __init__(
        self,
        description: Mapping[str, Any],
        methods: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.calls: list[str] = []
        self.sleeps: list[float] = []
        self._classes = {name: _cim_class(state) for name, state in description.get("cim", {}).items()}
        self._outcomes = {name: list(outcomes) for name, outcomes in (methods or {}).items()}
        self._registry: dict[str, dict[str, str]] = {}
        self._replace_registry(description.get("registry", {}))
        self._tcp = {address.casefold(): state for address, state in description.get("tcp", {}).items()}

    def get_cim_instance(
        self,
        class_name: str,
        *,
        properties: Sequence[str] | None,
        operation_timeout_sec: int | None,
        filter_text: str | None = None,
    ) -> list[Instance]:
        """The instances that the filter selects, with the properties that were asked for.

        Raises:
            CimError: the class does not exist, fails or does not answer in time, or the filter is malformed.
            MisuseError: property list or time-out is missing, or products were asked for unfiltered.
        """
        if not properties or not operation_timeout_sec:
            raise MisuseError(f"{class_name}: a query needs a property list and a time-out")
        try:
            conditions = parse_filter(filter_text) if filter_text else ()
        except ValueError as error:
            raise CimError(INVALID_QUERY, f"Invalid query: {error}") from error
        filtered = {condition.property for condition in conditions}
        if class_name == "SoftwareLicensingProduct" and not (
            "id" in filtered or {"applicationid", "partialproductkey"} <= filtered
        ):
            raise MisuseError("SoftwareLicensingProduct: unfiltered, this query takes minutes")
        state = self._classes.get(class_name) or _CimClass(error=(NO_SUCH_CLASS, "Invalid class"))
        if state.error:
            raise CimError(*state.error)
        if state.delay > operation_timeout_sec:
            raise CimError(TIMED_OUT, "Timed out")
        asked = {name.lower(): name for name in properties}
        return [
            Instance(
                class_name,
                MappingProxyType({asked[name.lower()]: row[name] for name in row if name.lower() in asked}),
            )
            for row in state.instances
            if _selects(conditions, row)
        ]

    def invoke_cim_method(
        self,
        instance: Instance,
        method_name: str,
        arguments: Mapping[str, str | int] | None = None,
        *,
        operation_timeout_sec: int | None,
    ) -> int:
        """Calls a method and gives its ReturnValue, an unsigned number.

        Raises:
            CimError: the method fails, or the instance was read without its key.
            MisuseError: no time-out, or the class has no such method or arguments.
        """
        arguments = arguments or {}
        signature = _METHODS.get(instance.class_name, {}).get(method_name)
        if not operation_timeout_sec or signature is None or tuple(arguments) != signature:
            raise MisuseError(f"{instance.class_name}.{method_name}: no time-out, or no such method or arguments")
        if not instance.key:
            raise CimError("0x80041008", "Invalid parameter")
        self.calls.append(_call_text(instance, method_name, arguments))
        outcomes = self._outcomes.get(f"{instance.class_name}.{method_name}")
        if not outcomes:
            self._change_endpoint(instance, method_name, arguments)
            return 0
        outcome = outcomes.pop(0) if len(outcomes) > 1 else outcomes[0]
        for name, state in outcome.get("then", {}).items():
            if name == "registry":
                self._replace_registry(state)
            else:
                self._classes[name] = _cim_class(state)
        if "hresult" in outcome:
            raise CimError(outcome["hresult"], outcome.get("message", ""))
        return int(outcome["returns"])

    def get_item_property_value(self, path: str, name: str) -> str:
        """A registry value. `KeyError` where key or value does not exist; names ignore case."""
        return self._registry[path.casefold()][name.casefold()]

    def set_item_property(self, path: str, name: str, value: str) -> None:
        """Writes a registry value. `KeyError` where the key does not exist."""
        self._registry[path.casefold()][name.casefold()] = value

    def test_path(self, path: str) -> bool:
        """Whether a registry key exists."""
        return path.casefold() in self._registry

    def new_item(self, path: str) -> None:
        """Makes an empty registry key."""
        self._registry[path.casefold()] = {}

    def test_tcp_port(self, computer_name: str, port: int) -> bool:
        """Whether a TCP connection opens; a host that is not listed is silent."""
        return self._tcp.get(f"{computer_name}:{port}".casefold()) == "open"

    def start_sleep(self, seconds: float) -> None:
        """Lets the machine's clock run."""
        self.sleeps.append(seconds)
        self.clock.sleep(seconds)

    def _replace_registry(self, keys: Mapping[str, Mapping[str, str]]) -> None:
        for path, values in keys.items():
            self._registry[path.casefold()] = {name.casefold(): value for name, value in values.items()}

    def _change_endpoint(self, instance: Instance, method: str, arguments: Mapping[str, str | int]) -> None:
        """The field of the same name takes the argument, or is emptied; on other methods nothing changes."""
        if method not in _ENDPOINT_METHODS:
            return
        name = method.removeprefix("Clear").removeprefix("Set")
        value: Value = next(iter(arguments.values()), 0 if name in _UINT32 else "")
        for row in self._classes.get(instance.class_name, _CimClass()).instances:
            if row.get(_KEY[instance.class_name]) == instance.key:
                row[name] = _typed(name, value)


def _cim_class(state: Any) -> _CimClass:
    if isinstance(state, list):
        return _CimClass([{name: _typed(name, value) for name, value in row.items()} for row in state])
    if "hresult" in state:
        return _CimClass(error=(state["hresult"], state.get("message", "")))
    return _CimClass(_cim_class(state["instances"]).instances, delay=state["delaySeconds"])


def _typed(name: str, value: Any) -> Value:
    """The value, checked against its WMI type; NULL is of every type."""
    if name in _UINT32:
        fits = type(value) is int and 0 <= value < 2**32
    else:
        fits = isinstance(value, bool if name in _BOOLEAN else str)
    if value is not None and not fits:
        raise ValueError(f"{name}: {value!r} is not of its WMI type")
    checked: Value = value
    return checked


def _selects(conditions: Sequence[Condition], row: Mapping[str, Value]) -> bool:
    lowered = {name.lower(): value for name, value in row.items()}
    return all(condition.holds(lowered) for condition in conditions)


def _call_text(instance: Instance, method: str, arguments: Mapping[str, str | int]) -> str:
    target = instance.class_name
    if target == "SoftwareLicensingProduct":
        target = f"{target}[{instance.key}]"
    return f"{target}.{method}({', '.join(f'{name}={value}' for name, value in arguments.items())})"
