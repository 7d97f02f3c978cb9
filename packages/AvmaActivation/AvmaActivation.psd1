@{
    RootModule           = 'AvmaActivation.psm1'
    ModuleVersion        = '1.0.0'
    GUID                 = '4bcee6b9-6364-4ce7-b87a-daefeb603108'
    Author               = 'The avma-pack authors'
    CompanyName          = 'The avma-pack authors'
    Copyright            = '(c) The avma-pack authors. MIT licence.'
    Description          = 'Finds AVMA product keys on Windows Server and replaces them with KMS client keys.'
    PowerShellVersion    = '5.1'
    CompatiblePSEditions = @('Desktop', 'Core')

    # AliasesToExport is left out on purpose: a manifest that sets all three lists to @() hides a class-based
    # resource from Get-DscResource and Invoke-DscResource.
    FunctionsToExport    = @()
    CmdletsToExport      = @()

    DscResourcesToExport = @('WindowsActivationChannel')
}
