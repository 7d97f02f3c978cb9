"""Types of the resources that more than one provider knows."""

VIRTUAL_MACHINE = "Microsoft.Compute/virtualMachines"
EXTENSION = f"{VIRTUAL_MACHINE}/extensions"
GUEST_ASSIGNMENT = "Microsoft.GuestConfiguration/guestConfigurationAssignments"
DEFINITIONS = "Microsoft.Authorization/policyDefinitions"
SETS = "Microsoft.Authorization/policySetDefinitions"
ASSIGNMENTS = "Microsoft.Authorization/policyAssignments"
EXEMPTIONS = "Microsoft.Authorization/policyExemptions"
