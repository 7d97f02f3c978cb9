"""The simulated machine under the Python model, and what the truth table's format cannot express."""

from __future__ import annotations

import re
from functools import cache

import pytest

from avma_pack.catalog import load_catalog
from avma_pack.guest import (
    CimError,
    Failure,
    GuestPackage,
    Instance,
    Machine,
    MisuseError,
    WindowsActivationChannel,
    read_package,
    read_parameters,
)
from avma_pack.guest.codes import get_error_code
from avma_pack.packaging.build import build_packages

WINDOWS = "55c92734-d682-4d71-983e-d6ec3f16059f"
AVMA = "Windows(R) Operating System, VIRTUAL_MACHINE_ACTIVATION channel"
KMS_CLIENT = "Windows(R) Operating System, VOLUME_KMSCLIENT channel"
FILTER = f"ApplicationID = '{WINDOWS}' AND PartialProductKey IS NOT NULL"
FULL_KEY = "VDYBN-27WPP-V4HQT-9VMD4-VMK7H"


def product(**values: object) -> dict:
    return {
        "ID": "A",
        "Description": AVMA,
        "ApplicationID": WINDOWS,
        "PartialProductKey": "WMBMW",
        "LicenseIsAddon": False,
        "LicenseStatus": 5,
        "LicenseStatusReason": 3221552386,
        "VLActivationTypeEnabled": 0,
        "KeyManagementServiceMachine": "",
        "KeyManagementServicePort": 0,
    } | values


def machine(products: object = None, methods: dict | None = None, **cim: object) -> Machine:
    system = {"BuildNumber": "17763", "OperatingSystemSKU": 8, "ProductType": 3, "Caption": "Server 2019"}
    service = {"Version": "10.0", "KeyManagementServiceMachine": "", "KeyManagementServicePort": 0}
    classes = {
        "Win32_OperatingSystem": [system],
        "SoftwareLicensingService": [service],
        "SoftwareLicensingProduct": [product()] if products is None else products,
    }
    return Machine({"cim": classes | cim, "tcp": {"azkms.core.windows.net:1688": "open"}}, methods)


def query(
    target: Machine,
    *properties: str,
    class_name: str = "SoftwareLicensingProduct",
    filter_text: str | None = FILTER,
) -> list[Instance]:
    return target.get_cim_instance(class_name, properties=properties, operation_timeout_sec=15, filter_text=filter_text)


def service(target: Machine) -> Instance:
    properties = ("Version", "KeyManagementServiceMachine", "KeyManagementServicePort")
    return query(target, *properties, class_name="SoftwareLicensingService", filter_text=None)[0]


def call(
    target: Machine, instance: Instance, method: str, arguments: dict | None = None, seconds: int | None = 120
) -> int:
    return target.invoke_cim_method(instance, method, arguments, operation_timeout_sec=seconds)


@cache
def package() -> GuestPackage:
    catalog = load_catalog()
    built = build_packages(catalog, catalog.releases, version="1.2.3", suffix="")
    return read_package(built[1].content)


def failure_of(target: Machine, **parameters: str) -> str:
    with pytest.raises(Failure) as failed:
        WindowsActivationChannel(package(), target, parameters).set()
    return str(failed.value)


class TestQueries:
    @pytest.mark.parametrize(
        ("filter_text", "ids"),
        [
            (FILTER, ["A", "C"]),
            (FILTER.lower().replace(" and ", " aNd "), ["A", "C"]),
            ("ID = 'b'", ["B"]),
            ("ID <> 'A'", ["B", "C"]),
            ("ID IS NOT NULL AND PartialProductKey IS NULL", ["B"]),
            ("ID IS NOT NULL AND PartialProductKey <> 'WMBMW'", ["C"]),
            ("ID IS NOT NULL AND LicenseStatus = 1", ["C"]),
            ("ID IS NOT NULL AND LicenseIsAddon = TRUE", ["C"]),
            ("ID IS NOT NULL AND LicenseIsAddon = 0", []),
            (
                'id is not null and licenseisaddon <> true and partialproductkey="wmbmw"',
                ["A"],
            ),
        ],
    )
    def test_filter_selects_as_wmi_does(self, filter_text, ids):
        rows = [
            product(),
            product(ID="B", PartialProductKey=None),
            product(ID="C", PartialProductKey="63DFG", LicenseStatus=1, LicenseIsAddon=True),
        ]
        assert [row["ID"] for row in query(machine(rows), "ID", filter_text=filter_text)] == ids

    @pytest.mark.parametrize(
        "filter_text", ["ID", "ID = ", "ID LIKE 'A'", "ID = 'A' OR ID = 'B'", "ID = 'A", "(ID = 1)"]
    )
    def test_other_filters_are_invalid_queries(self, filter_text):
        with pytest.raises(CimError) as failed:
            query(machine(), "ID", filter_text=filter_text)
        assert get_error_code(failed.value) == "0x80041017"

    def test_what_was_not_asked_for_comes_back_empty(self):
        [row] = query(machine(), "id", "LicenseStatus")
        assert (row["id"], row["LicenseStatus"], row["Description"]) == ("A", 5, None)

    @pytest.mark.parametrize(("properties", "seconds"), [((), 15), (None, 15), (("ID",), None), (("ID",), 0)])
    def test_property_list_and_time_out_are_a_must(self, properties, seconds):
        with pytest.raises(MisuseError):
            machine().get_cim_instance(
                "SoftwareLicensingProduct",
                properties=properties,
                operation_timeout_sec=seconds,
                filter_text=FILTER,
            )

    @pytest.mark.parametrize("filter_text", [None, f"ApplicationID = '{WINDOWS}'", "PartialProductKey IS NOT NULL"])
    def test_products_are_never_queried_unfiltered(self, filter_text):
        with pytest.raises(MisuseError):
            query(machine(), "ID", filter_text=filter_text)

    @pytest.mark.parametrize(("delay", "fails"), [(15, False), (16, True)])
    def test_a_slow_class_times_out_and_nobody_waits(self, delay, fails):
        target = machine({"delaySeconds": delay, "instances": [product()]})
        started = target.clock.now
        if fails:
            with pytest.raises(CimError) as failed:
                query(target, "ID")
            assert get_error_code(failed.value) == "0x80041069"
        else:
            assert len(query(target, "ID")) == 1
        assert target.clock.now == started

    @pytest.mark.parametrize(
        ("class_name", "code"),
        [("Win32_SystemEnclosure", "0x80041010"), ("SoftwareLicensingProduct", "0x800706BA")],
    )
    def test_errors_carry_their_code_in_the_id_only(self, class_name, code):
        target = machine({"hresult": "0x800706BA", "message": "The RPC server is unavailable."})
        with pytest.raises(CimError) as failed:
            query(target, "ID", class_name=class_name)
        assert failed.value.fully_qualified_error_id.startswith(f"HRESULT {code.lower()},")
        assert failed.value.hresult & 0xFFFFFFFF == 0x80131500
        assert get_error_code(failed.value) == code

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("LicenseStatus", "5"),
            ("LicenseStatus", True),
            ("LicenseStatusReason", -1073414910),
            ("LicenseStatusReason", 2**32),
            ("LicenseIsAddon", 0),
            ("PartialProductKey", 12345),
        ],
    )
    def test_values_have_their_wmi_type(self, name, value):
        with pytest.raises(ValueError, match=name):
            machine([product(**{name: value})])
        assert query(machine([product(**{name: None})]), name, filter_text="ID = 'A'")[0][name] is None


class TestMethods:
    def test_an_instance_without_its_key_takes_no_call(self):
        target = machine()
        [row] = query(target, "LicenseStatus")
        with pytest.raises(CimError):
            call(target, row, "Activate")
        assert target.calls == []

    @pytest.mark.parametrize(
        ("method", "arguments", "seconds"),
        [
            ("Activate", None, None),
            ("Uninstall", None, 120),
            ("SetKeyManagementServicePort", {"Port": 1688}, 120),
            ("Activate", {"ProductKey": FULL_KEY}, 120),
        ],
    )
    def test_time_out_and_signature_are_a_must(self, method, arguments, seconds):
        target = machine()
        with pytest.raises(MisuseError):
            call(target, query(target, "ID")[0], method, arguments, seconds)

    def test_calls_are_listed_as_the_truth_table_writes_them(self):
        target = machine()
        call(target, service(target), "SetKeyManagementServicePort", {"PortNumber": 1688})
        call(target, query(target, "ID")[0], "Activate")
        assert target.calls == [
            "SoftwareLicensingService.SetKeyManagementServicePort(PortNumber=1688)",
            "SoftwareLicensingProduct[A].Activate()",
        ]

    def test_kms_methods_change_the_row_they_are_called_on(self):
        target = machine([product(), product(ID="B")])
        row = query(target, "ID", filter_text="ID = 'B'")[0]
        call(target, row, "SetKeyManagementServiceMachine", {"MachineName": "kms.contoso.example"})
        call(target, row, "SetKeyManagementServicePort", {"PortNumber": 1690})
        found = query(target, "KeyManagementServiceMachine", "KeyManagementServicePort")
        assert [tuple(each.properties.values()) for each in found] == [("", 0), ("kms.contoso.example", 1690)]
        call(target, row, "ClearKeyManagementServiceMachine")
        call(target, row, "ClearKeyManagementServicePort")
        found = query(target, "KeyManagementServiceMachine", "KeyManagementServicePort")
        assert [tuple(each.properties.values()) for each in found] == [("", 0), ("", 0)]
        assert service(target)["KeyManagementServiceMachine"] == ""

    def test_outcomes_follow_one_another_and_the_last_repeats(self):
        then = {
            "SoftwareLicensingProduct": [product(LicenseStatus=1)],
            "registry": {"HKLM:\\X": {"Name": "value"}},
        }
        outcomes = [
            {"hresult": "0xC004F074", "message": "?"},
            {"returns": 2147942405},
            {"returns": 0, "then": then},
        ]
        target = machine(methods={"SoftwareLicensingProduct.Activate": outcomes})
        row = query(target, "ID")[0]
        with pytest.raises(CimError):
            call(target, row, "Activate")
        assert [call(target, row, "Activate") for _ in range(3)] == [2147942405, 0, 0]
        assert query(target, "LicenseStatus")[0]["LicenseStatus"] == 1
        assert target.get_item_property_value("hklm:\\x", "NAME") == "value"

    def test_an_outcome_of_its_own_replaces_the_change(self):
        outcome = {"SoftwareLicensingService.SetKeyManagementServiceMachine": [{"returns": 0}]}
        target = machine(methods=outcome)
        call(target, service(target), "SetKeyManagementServiceMachine", {"MachineName": "kms.contoso.example"})
        assert service(target)["KeyManagementServiceMachine"] == ""


class TestRegistryAndNetwork:
    def test_registry_ignores_case_and_knows_what_is_missing(self):
        target = machine()
        assert not target.test_path("HKLM:\\SOFTWARE\\avma-pack")
        with pytest.raises(KeyError):
            target.set_item_property("HKLM:\\SOFTWARE\\avma-pack", "Step", "Activate")
        target.new_item("HKLM:\\Software\\AVMA-pack")
        target.set_item_property("HKLM:\\SOFTWARE\\avma-pack", "Step", "Activate")
        assert target.get_item_property_value("HKLM:\\SOFTWARE\\avma-pack", "step") == "Activate"
        with pytest.raises(KeyError):
            target.get_item_property_value("HKLM:\\SOFTWARE\\avma-pack", "Result")

    @pytest.mark.parametrize(("state", "opens"), [("open", True), ("refused", False), ("silent", False)])
    def test_only_an_open_port_answers(self, state, opens):
        target = Machine({"tcp": {"kms.contoso.example:1690": state}})
        assert target.test_tcp_port("KMS.contoso.example", 1690) is opens
        assert not target.test_tcp_port("kms.contoso.example", 1688)


class TestPackage:
    def test_is_read_from_bytes_and_from_a_path(self, tmp_path):
        catalog = load_catalog()
        built = build_packages(catalog, catalog.select(["ws2019"]), version="1.2.3", suffix="-ws2019")[0]
        (tmp_path / built.file_name).write_bytes(built.content)
        found = read_package(tmp_path / built.file_name)
        assert found == read_package(built.content)
        assert (found.name, found.type, found.catalog.limited) == ("AuditAvmaKey_ws2019", "Audit", True)
        assert found.parameters["IsSingleInstance"] == "Yes"
        assert found.parameters["RolloutTag"] == ""

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("ActivationPolicy", "Everything"),
            ("KmsServer", "kms contoso"),
            ("KmsServer", ""),
            ("KmsPort", "65536"),
            ("KmsProbe", "Sometimes"),
            ("IsSingleInstance", "No"),
            ("Colour", "blue"),
        ],
    )
    def test_a_value_that_is_not_allowed_is_named(self, name, value):
        with pytest.raises(ValueError, match=name) as refused:
            read_parameters({name: value})
        assert name == "Colour" or repr(value) in str(refused.value)

    def test_sets_of_values_ignore_case(self):
        assert read_parameters({"KmsProbe": "never"}).kms_probe == "never"


class TestSet:
    KMS_CLIENT = (product(ID="B", Description=KMS_CLIENT, PartialProductKey="63DFG"),)
    TRANSIENT = ({"hresult": "0xC004F074", "message": "No KMS host could be contacted."},)

    def test_waits_10_then_20_seconds_after_a_transient_error(self):
        target = machine(list(self.KMS_CLIENT), {"SoftwareLicensingProduct.Activate": list(self.TRANSIENT)})
        started = target.clock.now
        assert "0xC004F074" in failure_of(target)
        assert target.sleeps == [10, 20]
        assert (target.clock.now - started).total_seconds() == 30

    def test_method_time_outs_end_with_the_time_of_set(self, monkeypatch):
        target = machine(list(self.KMS_CLIENT), {"SoftwareLicensingProduct.Activate": list(self.TRANSIENT)})
        granted = []
        plain = target.invoke_cim_method

        def slow(*arguments, operation_timeout_sec):
            granted.append(operation_timeout_sec)
            target.clock.sleep(64.5)
            return plain(*arguments, operation_timeout_sec=operation_timeout_sec)

        monkeypatch.setattr(target, "invoke_cim_method", slow)
        # 4 calls on the service, then Activate, 10 s, Activate; nothing is left for a pause of 20 s.
        assert "Step Activate: Activate failed with 0xC004F074" in failure_of(target)
        assert granted == [120, 120, 120, 120, 102, 27]
        assert target.sleeps == [10]
        assert target.get_item_property_value("HKLM:\\SOFTWARE\\avma-pack", "Code") == "0xC004F074"

    def test_nothing_is_called_when_no_time_is_left(self, monkeypatch):
        target = machine(list(self.KMS_CLIENT))
        plain = target.invoke_cim_method

        def slow(*arguments, operation_timeout_sec):
            target.clock.sleep(100)
            return plain(*arguments, operation_timeout_sec=operation_timeout_sec)

        monkeypatch.setattr(target, "invoke_cim_method", slow)
        assert failure_of(target) == "Step Activate: No time is left for Activate."
        assert not any("Activate" in call for call in target.calls)
        assert target.get_item_property_value("HKLM:\\SOFTWARE\\avma-pack", "Result") == "Failed"

    def test_a_full_key_in_an_unknown_error_is_cut_down(self):
        outcome = {"hresult": "0x8007ABCD", "message": f"The key {FULL_KEY.lower()} is not valid."}
        target = machine(methods={"SoftwareLicensingService.InstallProductKey": [outcome]})
        assert failure_of(target) == (
            "Step InstallProductKey: InstallProductKey failed with 0x8007ABCD (The key *****-vmk7h is not valid)."
        )

    def test_a_full_key_in_a_query_error_or_the_record_reaches_no_phrase(self):
        target = machine({"hresult": "0x8007ABCD", "message": f"{FULL_KEY}."})
        target.new_item("HKLM:\\SOFTWARE\\avma-pack")
        target.set_item_property("HKLM:\\SOFTWARE\\avma-pack", "Result", "Failed")
        target.set_item_property("HKLM:\\SOFTWARE\\avma-pack", "OldKey", FULL_KEY)
        [reason] = WindowsActivationChannel(package(), target).get()
        assert reason.phrase.count("*****-VMK7H") == 2
        assert FULL_KEY not in reason.phrase

    @pytest.mark.parametrize("class_name", ["Win32_OperatingSystem", "SoftwareLicensingService"])
    def test_a_class_without_instances_is_a_failure_before_any_change(self, class_name):
        target = machine(**{class_name: []})
        assert failure_of(target) == f"{class_name} has no instance."
        assert target.calls == []
        assert not target.test_path("HKLM:\\SOFTWARE\\avma-pack")

    def test_the_record_says_when_and_at_which_step(self):
        outcome = {"SoftwareLicensingService.ClearKeyManagementServicePort": [{"returns": 2147942405}]}
        target = machine(list(self.KMS_CLIENT), outcome)
        assert failure_of(target).startswith(
            "Step SetKeyManagementServiceMachine: ClearKeyManagementServicePort failed"
        )
        record = {
            name: target.get_item_property_value("HKLM:\\SOFTWARE\\avma-pack", name)
            for name in ("Step", "Result", "Code", "OldKey", "NewKey", "PackVersion")
        }
        assert list(record.values()) == [
            "SetKeyManagementServiceMachine",
            "Failed",
            "0x80070005",
            "63DFG",
            "63DFG",
            "1.2.3",
        ]
        written = target.get_item_property_value("HKLM:\\SOFTWARE\\avma-pack", "TimeUtc")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", written)
