"""What machines of a fleet are like: how many of each kind, and what is true of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from avma_pack.tenant.releases import Edition

Gap = Literal["running", "identity", "extension"]

KILL_SWITCH = {"CustomGuestConfigurationSetPolicy": "disable"}
AKS_NODE = {"aks-managed-orchestrator": "Kubernetes:1.33.2", "aks-managed-poolName": "win"}

_MOSTLY_MIGRATED = {"migrated": 60, "marketplace": 15, "upgraded": 15, "gallery": 10}
_MOSTLY_MARKETPLACE = {"marketplace": 70, "gallery": 15, "upgraded": 8, "migrated": 7}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a machine reports: the finding, and on a machine that does not comply what stands in the way."""

    compliant: bool
    finding: str
    blockers: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {"compliant": self.compliant, "finding": self.finding, "blockers": list(self.blockers)}


@dataclass(frozen=True, slots=True)
class Truth:
    """What must be found out about a machine.

    `applies`: it is a Windows machine that the pack judges. `lacks` is what keeps it from reporting. `audit` is what it
    answers to the audit with the policy NoAvma, `remediation` what it answers once it was remediated with AvmaReplaced
    and otherwise default parameters; both are None where there is no Windows.
    """

    audit: Answer | None
    remediation: Answer | None
    applies: bool = True
    exempt: bool = False
    lacks: tuple[Gap, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The truth as JSON."""
        return {
            "applies": self.applies,
            "exempt": self.exempt,
            "lacks": list(self.lacks),
            "audit": self.audit.to_json() if self.audit else None,
            "remediation": self.remediation.to_json() if self.remediation else None,
        }


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of machine. `share` is its weight in a fleet, `licensing` the state of its Windows (`windows.describe`).

    `identity` is what ARM calls the identity's type, '' for none.
    """

    name: str
    share: int
    licensing: str
    audit: Answer | None
    remediation: Answer | None
    identity: str = "SystemAssigned"
    extension: bool = True
    running: bool = True
    applies: bool = True
    exempt: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, int] = field(default_factory=lambda: _MOSTLY_MARKETPLACE)

    @property
    def truth(self) -> Truth:
        """What is true of every machine of this kind."""
        gaps: list[Gap] = []
        if not self.running:
            gaps.append("running")
        if "SystemAssigned" not in self.identity:
            gaps.append("identity")
        if not self.extension:
            gaps.append("extension")
        return Truth(self.audit, self.remediation, self.applies, self.exempt, tuple(gaps))

    def fits(self, edition: Edition) -> bool:
        """Whether this kind of machine can run an edition."""
        if edition.os in {"client", "multi-session"} or self.licensing in {"client", "multi-session", "linux"}:
            return edition.os == self.licensing
        if edition.evaluation != self.licensing.endswith("evaluation"):
            return False
        return bool(edition.avma_last_five) or self.finds("NoAvmaKey")

    def finds(self, finding: str) -> bool:
        """Whether the audit finds this."""
        return self.audit is not None and self.audit.finding == finding


_CLEAN = Answer(compliant=True, finding="NoAvmaKey")
_ACTIVATED = Answer(compliant=True, finding="WindowsActivated")
_CLIENT = Answer(compliant=True, finding="WindowsClient")
_AVMA = Answer(compliant=False, finding="AvmaKeyInstalled")


def _avma(*blockers: str) -> Answer:
    return Answer(compliant=False, finding="AvmaKeyInstalled", blockers=blockers)


def _not_activated(*blockers: str) -> Answer:
    return Answer(compliant=False, finding="NotActivated", blockers=blockers)


_UNREADABLE = Answer(compliant=False, finding="QueryFailed")

PROFILES: tuple[Profile, ...] = (
    Profile("avma-licensed", 160, "avma-licensed", _AVMA, _ACTIVATED, origins=_MOSTLY_MIGRATED),
    Profile("avma-lapsed", 150, "avma-lapsed", _AVMA, _ACTIVATED, origins=_MOSTLY_MIGRATED),
    Profile("avma-wrong-platform", 50, "avma-wrong-platform", _AVMA, _ACTIVATED, origins=_MOSTLY_MIGRATED),
    Profile("avma-slow-kms", 20, "avma-slow-kms", _AVMA, _ACTIVATED, origins=_MOSTLY_MIGRATED),
    Profile("kms", 220, "kms", _CLEAN, _ACTIVATED),
    Profile("kms-on-premises", 20, "kms-on-premises", _CLEAN, _ACTIVATED, origins=_MOSTLY_MIGRATED),
    Profile("kms-not-activated", 40, "kms-not-activated", _CLEAN, _ACTIVATED),
    Profile("mak", 30, "mak", _CLEAN, _CLEAN),
    Profile("retail", 15, "retail", _CLEAN, _CLEAN),
    Profile("no-key", 5, "no-key", _CLEAN, _CLEAN),
    Profile("evaluation", 15, "evaluation", _CLEAN, _CLEAN),
    Profile("client", 20, "client", _CLIENT, _CLIENT),
    Profile("multi-session", 15, "multi-session", _CLIENT, _CLIENT),
    Profile("linux", 60, "linux", None, None, applies=False),
    Profile("aks-node", 10, "kms", _CLEAN, _ACTIVATED, applies=False, tags=AKS_NODE, extension=False),
    Profile("stopped", 35, "avma-lapsed", _AVMA, _ACTIVATED, running=False, origins=_MOSTLY_MIGRATED),
    Profile("no-extension", 25, "avma-lapsed", _AVMA, _ACTIVATED, extension=False, origins=_MOSTLY_MIGRATED),
    Profile("no-identity", 25, "avma-licensed", _AVMA, _ACTIVATED, identity="", origins=_MOSTLY_MIGRATED),
    Profile(
        "user-identity-only", 15, "avma-licensed", _AVMA, _ACTIVATED, identity="UserAssigned", origins=_MOSTLY_MIGRATED
    ),
    Profile(
        "nothing-installed",
        10,
        "avma-lapsed",
        _AVMA,
        _ACTIVATED,
        identity="",
        extension=False,
        origins=_MOSTLY_MIGRATED,
    ),
    Profile("kms-unreachable-licensed", 12, "avma-licensed-no-route", _avma("KmsUnreachable"), _avma("KmsUnreachable")),
    Profile(
        "kms-unreachable-lapsed",
        12,
        "avma-lapsed-no-route",
        _avma("KmsUnreachable"),
        _not_activated("KmsUnreachable", "LastAttemptFailed"),
    ),
    Profile("activation-refused", 12, "avma-refused", _AVMA, _not_activated("LastAttemptFailed")),
    Profile("activation-type", 6, "kms-activation-type", _CLEAN, _not_activated("ActivationTypeBlocksKms")),
    Profile("exempt", 12, "avma-licensed", _AVMA, _ACTIVATED, exempt=True, origins=_MOSTLY_MIGRATED),
    Profile("switched-off", 10, "avma-lapsed", _AVMA, _AVMA, tags=KILL_SWITCH, origins=_MOSTLY_MIGRATED),
    Profile("other-cloud", 6, "avma-other-cloud", _avma("NotAzureVirtualMachine"), _avma("NotAzureVirtualMachine")),
    Profile("avma-evaluation", 5, "avma-evaluation", _avma("EvaluationEdition"), _avma("EvaluationEdition")),
    Profile("edition-in-doubt", 5, "edition-in-doubt", _avma("NoKmsClientKey"), _avma("NoKmsClientKey")),
    Profile("licensing-broken", 5, "unreadable", _UNREADABLE, _UNREADABLE),
)


def quotas(machines: int, dice: random.Random) -> list[tuple[Profile, int]]:
    """How many machines of each kind a fleet has: by share, give or take a fifth, and one of each where that fits."""
    least = 1 if machines >= len(PROFILES) else 0
    shares = [profile.share * dice.uniform(0.8, 1.2) for profile in PROFILES]
    total = sum(shares)
    rest = machines - least * len(PROFILES)
    exact = [rest * share / total for share in shares]
    counts = [least + int(each) for each in exact]
    by_remainder = sorted(range(len(PROFILES)), key=lambda index: int(exact[index]) - exact[index])
    for index in by_remainder[: machines - sum(counts)]:
        counts[index] += 1
    return list(zip(PROFILES, counts, strict=True))
