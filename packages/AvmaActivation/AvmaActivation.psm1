<#
    AvmaActivation: the DSC resource WindowsActivationChannel.

    It looks at the Windows product key of one machine and, where its policy allows it, replaces an AVMA key
    with the KMS client key of the machine's edition, points Windows at a KMS host and activates it. AVMA is
    not supported in Azure: Windows stops being activated there with 0xC004FD01 or 0xC004FD02.

    Reading order: the class at the top says what Test, Get and Set do; below it stand, in this order, the
    verdict (what was found), the blockers (what stands in the way of Set), the changes, and at the end
    everything that touches the machine.

    What Set changes, and nothing else: the Windows product key, the KMS host and port of the licensing
    service, the activation itself, and a record of that under HKLM:\SOFTWARE\avma-pack.
    No full product key is ever written to a stream, a reason or the record: the last five characters are.

    Beside this file: catalog.json (releases, editions and KMS client keys), reasons.json (every reason's
    wording) and hresults.json (what an error code means).
#>

Set-StrictMode -Version 3.0

# An error that nothing below expects ends the step that it happens in: no step runs on after one.
$ErrorActionPreference = 'Stop'

# ApplicationID of Windows itself, as slmgr.vbs selects it.
$script:WindowsApplicationId = '55c92734-d682-4d71-983e-d6ec3f16059f'

# Chassis asset tag of a virtual machine in Azure.
$script:AzureAssetTag = '7783-7084-3265-9085-8269-3286-77'

# Windows Enterprise multi-session calls itself a server, but is a client.
$script:MultiSessionSku = '175'
$script:MultiSessionEditionId = 'ServerRdsh'

# Build 17763 is Windows Server 2019 and version 1809; these SKUs (Datacenter and Standard) are the latter.
$script:SemiAnnualSku = @('145', '146')

$script:CurrentVersionPath = 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
$script:RecordPath = 'HKLM:\SOFTWARE\avma-pack'
$script:RecordValue = @('TimeUtc', 'Step', 'Result', 'Code', 'OldKey', 'NewKey', 'PackVersion')

# The agent runs every 15 minutes, one configuration after the other: no step may hold it up.
$script:QueryTimeoutSeconds = 15
$script:ProbeTimeoutMilliseconds = 5000
$script:MethodTimeoutSeconds = 120
$script:SetTimeoutSeconds = 360

# A KMS host that did not answer in time, or a name that could not be looked up, may do so a moment later.
$script:TransientHResult = @('0xC004F074', '0x800705B4', '0x8007232B')

$script:LicenseStatusName = @(
    'unlicensed', 'licensed', 'in initial grace', 'in additional grace', 'in non-genuine grace',
    'in notification mode', 'in extended grace'
)

class AvmaActivationReason
{
    [DscProperty()]
    [System.String] $Code

    [DscProperty()]
    [System.String] $Phrase
}

[DscResource()]
class WindowsActivationChannel
{
    [DscProperty(Key)]
    [ValidateSet('Yes')]
    [System.String] $IsSingleInstance

    # What makes the machine compliant: NoAvma (no AVMA key), AvmaReplaced (that, and a KMS client is
    # activated), KmsClientOnly (the key is a KMS client key), Activated (that, and it is activated).
    [DscProperty()]
    [ValidateSet('NoAvma', 'AvmaReplaced', 'KmsClientOnly', 'Activated')]
    [System.String] $ActivationPolicy = 'NoAvma'

    [DscProperty()]
    [ValidatePattern('^[A-Za-z0-9._-]+\z')]
    [System.String] $KmsServer = 'azkms.core.windows.net'

    [DscProperty()]
    [ValidatePattern('^([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])\z')]
    [System.String] $KmsPort = '1688'

    # Yes: Set also replaces a key that is neither AVMA nor KMS client (a MAK that was bought, for example).
    [DscProperty()]
    [ValidateSet('No', 'Yes')]
    [System.String] $ReplaceOtherKeys = 'No'

    # When an unanswered TCP probe of the KMS host keeps Set from going on: only while Windows is licensed
    # (it must not be left worse), always, or never (then nothing is probed).
    [DscProperty()]
    [ValidateSet('WhenLicensed', 'Always', 'Never')]
    [System.String] $KmsProbe = 'WhenLicensed'

    # Not read here. It makes Azure Policy deploy again when the remediation mode or the pack version changes.
    [DscProperty()]
    [System.String] $RolloutTag = ''

    [DscProperty(NotConfigurable)]
    [System.String] $OperatingSystem

    [DscProperty(NotConfigurable)]
    [System.String] $InstalledKey

    [DscProperty(NotConfigurable)]
    [System.String] $InstalledChannel

    [DscProperty(NotConfigurable)]
    [System.String] $LicenseStatus

    [DscProperty(NotConfigurable)]
    [System.String] $ExpectedKey

    [DscProperty(NotConfigurable)]
    [AvmaActivationReason[]] $Reasons

    [System.Boolean] Test()
    {
        return (Get-Verdict -ActivationPolicy $this.ActivationPolicy).Compliant
    }

    [WindowsActivationChannel] Get()
    {
        $verdict = Get-Verdict -ActivationPolicy $this.ActivationPolicy
        $blocker = @(Get-Blocker -Verdict $verdict -Parameter $this)
        $field = Get-PhraseField -Verdict $verdict -Parameter $this

        $this.OperatingSystem = $field.system
        $this.InstalledKey = $field.key
        $this.InstalledChannel = $field.channel
        $this.LicenseStatus = $field.status
        $this.ExpectedKey = $field.expectedKey
        $this.Reasons = [AvmaActivationReason[]] @(Get-Reason -Id (@($verdict.Finding) + $blocker) -Field $field)

        return $this
    }

    [void] Set()
    {
        $deadline = (Get-Date).ToUniversalTime().AddSeconds($script:SetTimeoutSeconds)
        $verdict = Get-Verdict -ActivationPolicy $this.ActivationPolicy

        if ($verdict.Compliant)
        {
            return
        }

        if ($verdict.Finding -eq 'QueryFailed')
        {
            throw (ConvertTo-Exception -Message $verdict.Failure -Code '')
        }

        $blocker = @(Get-Blocker -Verdict $verdict -Parameter $this)
        $refusal = @(Select-Refusal -Blocker $blocker -KmsProbe $this.KmsProbe -Licensed $verdict.Machine.Licensed)

        if ($refusal.Count -gt 0)
        {
            Write-Refusal -Id $refusal -Field (Get-PhraseField -Verdict $verdict -Parameter $this)
            return
        }

        Invoke-Remediation -Machine $verdict.Machine -Parameter $this -Deadline $deadline
    }
}

#region Verdict: what was found, and whether that is compliant

# Judges the machine. Never throws: what cannot be read is the finding QueryFailed, with the cause in Failure
# and no Machine.
function Get-Verdict
{
    [CmdletBinding()]
    param ([System.String] $ActivationPolicy)

    $verdict = [PSCustomObject] @{
        Finding   = 'QueryFailed'
        Compliant = $false
        Failure   = ''
        Machine   = $null
    }

    try
    {
        $machine = Get-Machine
        $finding = Get-Finding -Machine $machine -ActivationPolicy $ActivationPolicy
        $verdict.Compliant = [System.Boolean] (Get-ReasonDefinition -Id $finding).compliant
        $verdict.Finding = $finding
        $verdict.Machine = $machine
    }
    catch
    {
        $verdict.Failure = $_.Exception.Message
    }

    return $verdict
}

# Reads the operating system and, on a Windows Server that this pack judges, its Windows products. Throws
# where a query fails. Edition is the catalog's entry whose KMS client key belongs on the machine, $null where
# there is none; Product is the Windows product that counts, $null where no key is installed.
function Get-Machine
{
    [CmdletBinding()]
    param ()

    $catalog = Get-PackFile -Name 'catalog.json'
    $property = @('Name', 'BuildNumber', 'OperatingSystemSKU', 'ProductType', 'Caption')
    $system = @(Get-CimRow -ClassName 'Win32_OperatingSystem' -Property $property)

    if ($system.Count -eq 0)
    {
        throw 'Win32_OperatingSystem has no instance.'
    }

    $build = [System.String] $system[0].BuildNumber
    $sku = [System.String] $system[0].OperatingSystemSKU
    $editionId = Get-RegistryText -Path $script:CurrentVersionPath -Name 'EditionID'
    $release = Find-Release -Catalog $catalog -Build $build -Sku $sku -EditionId $editionId

    $machine = [PSCustomObject] @{
        Caption         = [System.String] $system[0].Caption
        Build           = $build
        Sku             = $sku
        EditionId       = $editionId
        Release         = $release
        Edition         = Find-Edition -Release $release -Sku $sku -EditionId $editionId
        PackRelease     = @($catalog.releases | ForEach-Object -Process { $_.name })
        IsClient        = [System.String] $system[0].ProductType -eq '1' -or
            $sku -eq $script:MultiSessionSku -or $editionId -eq $script:MultiSessionEditionId
        IsOutOfScope    = $catalog.limited -and $null -eq $release
        IsEvaluation    = $sku -in $catalog.evaluationSkus -or (Get-BareEditionId -EditionId $editionId) -like '*Eval'
        Product         = $null
        Licensed        = $false
        ForeignAssetTag = ''
    }

    if (-not $machine.IsClient -and -not $machine.IsOutOfScope)
    {
        $machine.Product = Select-Product -Product @(Get-WindowsProduct)
        $machine.Licensed = Test-Licensed -Product $machine.Product
    }

    return $machine
}

# The catalog's release with this build, or nothing. Where two releases share a build, the SKU or the
# EditionID of the semi-annual channel decides.
function Find-Release
{
    [CmdletBinding()]
    param ([System.Object] $Catalog, [System.String] $Build, [System.String] $Sku, [System.String] $EditionId)

    $semiAnnual = $Sku -in $script:SemiAnnualSku -or $EditionId -like '*ACor'

    foreach ($release in $Catalog.releases)
    {
        if ($Build -in $release.builds -and ($null -eq $release.semiAnnual -or $release.semiAnnual -eq $semiAnnual))
        {
            return $release
        }
    }

    return $null
}

# The release's edition with this SKU, or nothing; nothing also where the EditionID contradicts the SKU, for
# then nobody knows which key is right. An EditionID that is not known contradicts nothing.
function Find-Edition
{
    [CmdletBinding()]
    param ([System.Object] $Release, [System.String] $Sku, [System.String] $EditionId)

    if ($null -eq $Release)
    {
        return $null
    }

    $found = Get-BareEditionId -EditionId $EditionId

    foreach ($edition in $Release.editions)
    {
        foreach ($entry in $edition.skus)
        {
            $expected = Get-BareEditionId -EditionId $entry.editionId

            if ($entry.sku -eq $Sku -and ($found -eq '' -or $expected -eq '' -or $found -eq $expected))
            {
                return $edition
            }
        }
    }

    return $null
}

# An EditionID without the ending that marks Server Core, which Windows sometimes leaves out itself.
function Get-BareEditionId
{
    [CmdletBinding()]
    param ([System.String] $EditionId)

    return ($EditionId -replace 'Core?$', '')
}

# The activation channel that a product's Description names. The order matters: VOLUME_KMS is also the
# beginning of VOLUME_KMSCLIENT.
function Get-Channel
{
    [CmdletBinding()]
    param ([System.String] $Description)

    switch -Wildcard ($Description)
    {
        '*VIRTUAL_MACHINE_ACTIVATION*' { return 'AVMA' }
        '*VOLUME_KMSCLIENT*' { return 'KMS client' }
        '*VOLUME_KMS*' { return 'KMS host' }
        '*TIMEBASED_*' { return 'evaluation' }
        '*MAK*' { return 'MAK' }
        '*RETAIL*' { return 'retail' }
        '*OEM*' { return 'OEM' }
    }

    return 'other'
}

# The product that counts: the AVMA one, else the KMS client, else the first; nothing where there is none.
function Select-Product
{
    [CmdletBinding()]
    param ([System.Object[]] $Product)

    foreach ($channel in @('AVMA', 'KMS client'))
    {
        foreach ($candidate in $Product)
        {
            if ((Get-Channel -Description $candidate.Description) -eq $channel)
            {
                return $candidate
            }
        }
    }

    foreach ($candidate in $Product)
    {
        return $candidate
    }

    return $null
}

function Test-Licensed
{
    [CmdletBinding()]
    param ([System.Object] $Product)

    return ($null -ne $Product -and [System.String] $Product.LicenseStatus -eq '1')
}

# The id of the one finding: the first that applies.
function Get-Finding
{
    [CmdletBinding()]
    param ([System.Object] $Machine, [System.String] $ActivationPolicy)

    if ($Machine.IsClient)
    {
        return 'WindowsClient'
    }

    if ($Machine.IsOutOfScope)
    {
        return 'OutOfScope'
    }

    $channel = ''

    if ($null -ne $Machine.Product)
    {
        $channel = Get-Channel -Description $Machine.Product.Description
    }

    if ($channel -eq 'AVMA')
    {
        return 'AvmaKeyInstalled'
    }

    $mustBeKmsClient = $ActivationPolicy -in @('KmsClientOnly', 'Activated')
    $mustBeLicensed = $ActivationPolicy -in @('AvmaReplaced', 'Activated')

    if ($mustBeKmsClient -and $channel -eq '')
    {
        return 'NoProductKey'
    }

    if ($mustBeKmsClient -and $channel -ne 'KMS client')
    {
        return 'UnsupportedChannel'
    }

    if ($mustBeLicensed -and $channel -eq 'KMS client')
    {
        if ($Machine.Licensed)
        {
            return 'WindowsActivated'
        }

        return 'NotActivated'
    }

    if ($ActivationPolicy -eq 'KmsClientOnly')
    {
        return 'KmsClientKeyInstalled'
    }

    return 'NoAvmaKey'
}

#endregion

#region Blockers: what stands in the way of Set

# The ids of everything that stands in the way, in the order in which reasons list them. Nothing on a
# compliant machine, where nothing is asked of the network either, and nothing where the machine could not be
# read. Notes a foreign asset tag on the machine, for the wording.
function Get-Blocker
{
    [CmdletBinding()]
    param ([System.Object] $Verdict, [System.Object] $Parameter)

    if ($Verdict.Compliant -or $null -eq $Verdict.Machine)
    {
        return
    }

    $machine = $Verdict.Machine
    $machine.ForeignAssetTag = Get-ForeignAssetTag

    if ($machine.ForeignAssetTag -ne '')
    {
        'NotAzureVirtualMachine'
    }

    if ($machine.IsEvaluation)
    {
        'EvaluationEdition'
    }
    elseif ($null -eq $machine.Edition)
    {
        'NoKmsClientKey'
    }

    if (Test-OtherKeyKept -Machine $machine -ReplaceOtherKeys $Parameter.ReplaceOtherKeys)
    {
        'OtherKeyKept'
    }

    if (Test-ActivationTypeBlock -Machine $machine)
    {
        'ActivationTypeBlocksKms'
    }

    if ($Parameter.KmsProbe -ne 'Never')
    {
        $probe = @{
            ComputerName        = $Parameter.KmsServer
            Port                = [System.Int32] $Parameter.KmsPort
            TimeoutMilliseconds = $script:ProbeTimeoutMilliseconds
        }

        if (-not (Test-TcpPort @probe))
        {
            'KmsUnreachable'
        }
    }

    $record = Get-Record

    if ($null -ne $record -and $record.Result -eq 'Failed')
    {
        'LastAttemptFailed'
    }
}

# A chassis asset tag that is not Azure's; '' where one enclosure has Azure's tag, where no tag is set, and
# where none can be read, for none of that says that the machine is elsewhere.
function Get-ForeignAssetTag
{
    [CmdletBinding()]
    param ()

    try
    {
        $enclosure = @(Get-CimRow -ClassName 'Win32_SystemEnclosure' -Property @('Tag', 'SMBIOSAssetTag'))
    }
    catch
    {
        return ''
    }

    $foreign = ''

    foreach ($row in $enclosure)
    {
        $tag = ([System.String] $row.SMBIOSAssetTag).Trim()

        if ($tag -eq $script:AzureAssetTag)
        {
            return ''
        }

        if ($tag -ne '')
        {
            $foreign = $tag
        }
    }

    return $foreign
}

# Whether a key stands that is neither AVMA nor KMS client and that the parameters do not let Set replace.
function Test-OtherKeyKept
{
    [CmdletBinding()]
    param ([System.Object] $Machine, [System.String] $ReplaceOtherKeys)

    if ($null -eq $Machine.Product -or $ReplaceOtherKeys -eq 'Yes')
    {
        return $false
    }

    return ((Get-Channel -Description $Machine.Product.Description) -notin @('AVMA', 'KMS client'))
}

# Whether the key would stay and its product is restricted to Active Directory (1) or token (3) activation. A
# key that Set installs is another product, with a setting of its own.
function Test-ActivationTypeBlock
{
    [CmdletBinding()]
    param ([System.Object] $Machine)

    if ($null -eq $Machine.Product -or $null -eq $Machine.Edition)
    {
        return $false
    }

    $keyStays = $Machine.Product.PartialProductKey -eq (Get-LastFive -ProductKey $Machine.Edition.kmsClientKey)

    return ($keyStays -and [System.String] $Machine.Product.VLActivationTypeEnabled -in @('1', '3'))
}

# Those blockers for which Set changes nothing. A failed attempt is tried again; an unreachable KMS host stops
# Set as KmsProbe says: by default only while Windows is licensed, for an unlicensed machine can only gain.
function Select-Refusal
{
    [CmdletBinding()]
    param ([System.String[]] $Blocker, [System.String] $KmsProbe, [System.Boolean] $Licensed)

    foreach ($id in $Blocker)
    {
        if ($id -eq 'LastAttemptFailed')
        {
            continue
        }

        if ($id -eq 'KmsUnreachable' -and $KmsProbe -eq 'WhenLicensed' -and -not $Licensed)
        {
            continue
        }

        $id
    }
}

function Write-Refusal
{
    [CmdletBinding()]
    param ([System.String[]] $Id, [System.Collections.Hashtable] $Field)

    foreach ($blocker in $Id)
    {
        Write-Warning -Message "Nothing was changed. $(Get-ReasonPhrase -Id $blocker -Field $Field)"
    }
}

#endregion

#region Changes: key, KMS host, activation

# Brings the machine to its KMS client key, the KMS host and an activated Windows, leaving what is already
# right. Throws where a change fails; leaves a record of what it changed or tried to.
function Invoke-Remediation
{
    [CmdletBinding()]
    param ([System.Object] $Machine, [System.Object] $Parameter, [System.DateTime] $Deadline)

    $product = $Machine.Product
    $lastFive = Get-LastFive -ProductKey $Machine.Edition.kmsClientKey

    $attempt = @{
        Service   = Get-LicensingService
        KmsServer = $Parameter.KmsServer
        KmsPort   = $Parameter.KmsPort
        Deadline  = $Deadline
        Step      = ''
        Tried     = $false
        OldKey    = ''
        NewKey    = $lastFive
    }

    if ($null -ne $product)
    {
        $attempt.OldKey = $product.PartialProductKey
    }

    try
    {
        if ($attempt.OldKey -ne $lastFive)
        {
            $product = Install-KmsClientKey -Attempt $attempt -ProductKey $Machine.Edition.kmsClientKey
        }

        if (-not (Test-KmsEndpoint -Attempt $attempt -Product $product))
        {
            $product = Register-KmsEndpoint -Attempt $attempt
        }

        $attempt.Step = 'Activate'

        if (-not (Test-Licensed -Product $product))
        {
            Invoke-Activation -Attempt $attempt -Product $product
        }

        Confirm-Activation -Attempt $attempt
    }
    catch
    {
        $code = [System.String] $_.Exception.Data['Code']
        $message = "Step $($attempt.Step): $($_.Exception.Message)"

        if ($attempt.Tried)
        {
            Write-Record -Attempt $attempt -Result 'Failed' -Code $code
        }

        throw (ConvertTo-Exception -Message $message -Code $code)
    }

    Write-Record -Attempt $attempt -Result 'Success' -Code '0x00000000'
}

# Installs the key as slmgr /ipk does and returns the product that it belongs to: another instance than
# before.
function Install-KmsClientKey
{
    [CmdletBinding()]
    param ([System.Collections.Hashtable] $Attempt, [System.String] $ProductKey)

    $Attempt.Step = 'InstallProductKey'
    $argument = @{ ProductKey = $ProductKey }
    Invoke-LicensingMethod -Attempt $Attempt -Target $Attempt.Service -Name 'InstallProductKey' -Argument $argument
    Invoke-LicensingMethod -Attempt $Attempt -Target $Attempt.Service -Name 'RefreshLicenseStatus'

    return (Get-KmsClientProduct -LastFive $Attempt.NewKey)
}

# Whether the KMS host and port in force are the wanted ones: the product's where it names a host, else the
# service's. Port 0 is the default port.
function Test-KmsEndpoint
{
    [CmdletBinding()]
    param ([System.Collections.Hashtable] $Attempt, [System.Object] $Product)

    $setting = $Attempt.Service

    if ([System.String] $Product.KeyManagementServiceMachine -ne '')
    {
        $setting = $Product
    }

    $server = [System.String] $setting.KeyManagementServiceMachine
    $port = [System.String] $setting.KeyManagementServicePort

    if ($port -in @('', '0'))
    {
        $port = '1688'
    }

    return ($server -eq $Attempt.KmsServer -and $port -eq $Attempt.KmsPort)
}

# Sets KMS host and port on the licensing service, as slmgr /ckms and /skms do, and removes a setting of the
# product's own that would still outrank it. Returns the product as it is then.
function Register-KmsEndpoint
{
    [CmdletBinding()]
    param ([System.Collections.Hashtable] $Attempt)

    $service = $Attempt.Service
    $name = @{ MachineName = $Attempt.KmsServer }
    $port = @{ PortNumber = [System.UInt32] $Attempt.KmsPort }

    $Attempt.Step = 'SetKeyManagementServiceMachine'
    Invoke-LicensingMethod -Attempt $Attempt -Target $service -Name 'ClearKeyManagementServiceMachine'
    Invoke-LicensingMethod -Attempt $Attempt -Target $service -Name 'ClearKeyManagementServicePort'
    Invoke-LicensingMethod -Attempt $Attempt -Target $service -Name 'SetKeyManagementServiceMachine' -Argument $name
    Invoke-LicensingMethod -Attempt $Attempt -Target $service -Name 'SetKeyManagementServicePort' -Argument $port

    $product = Get-KmsClientProduct -LastFive $Attempt.NewKey

    # Where the product names no host, the service's holds, which was set just now.
    if ([System.String] $product.KeyManagementServiceMachine -eq '')
    {
        return $product
    }

    if (-not (Test-KmsEndpoint -Attempt $Attempt -Product $product))
    {
        Invoke-LicensingMethod -Attempt $Attempt -Target $product -Name 'ClearKeyManagementServiceMachine'
        Invoke-LicensingMethod -Attempt $Attempt -Target $product -Name 'ClearKeyManagementServicePort'
    }

    return $product
}

# Activates the product as slmgr /ato does; after a transient error again, 10 and then 20 seconds later.
function Invoke-Activation
{
    [CmdletBinding()]
    param ([System.Collections.Hashtable] $Attempt, [System.Object] $Product)

    # 0: the last try.
    foreach ($pauseSeconds in @(10, 20, 0))
    {
        try
        {
            Invoke-LicensingMethod -Attempt $Attempt -Target $Product -Name 'Activate'
            return
        }
        catch
        {
            $isTransient = $_.Exception.Data['Code'] -in $script:TransientHResult

            if ($pauseSeconds -eq 0 -or -not $isTransient -or (Get-SecondsLeft -Attempt $Attempt) -le $pauseSeconds)
            {
                throw
            }
        }

        Start-Sleep -Seconds $pauseSeconds
    }
}

# Whole seconds that are left of Set's time.
function Get-SecondsLeft
{
    [CmdletBinding()]
    param ([System.Collections.Hashtable] $Attempt)

    return [System.Math]::Floor(($Attempt.Deadline - (Get-Date).ToUniversalTime()).TotalSeconds)
}

# Reads back whether Windows is licensed now; throws with the reason that Windows gives where it is not.
function Confirm-Activation
{
    [CmdletBinding()]
    param ([System.Collections.Hashtable] $Attempt)

    Invoke-LicensingMethod -Attempt $Attempt -Target $Attempt.Service -Name 'RefreshLicenseStatus'
    $product = Get-KmsClientProduct -LastFive $Attempt.NewKey

    if (-not (Test-Licensed -Product $product))
    {
        $code = ConvertTo-HResult -Value $product.LicenseStatusReason
        throw (ConvertTo-Exception -Message "Windows is still not licensed: $(Get-CodeText -Code $code)." -Code $code)
    }
}

# The Windows product whose key ends in these five characters; throws where there is none.
function Get-KmsClientProduct
{
    [CmdletBinding()]
    param ([System.String] $LastFive)

    foreach ($product in @(Get-WindowsProduct))
    {
        if ($product.PartialProductKey -eq $LastFive)
        {
            return $product
        }
    }

    throw (ConvertTo-Exception -Message "No Windows product has the key that ends in $LastFive." -Code '')
}

# Calls a method of a licensing object, within what is left of Set's time; returns nothing. Throws where it
# fails, with the HRESULT in the exception's Data.
function Invoke-LicensingMethod
{
    [CmdletBinding()]
    param
    (
        [System.Collections.Hashtable] $Attempt,
        [System.Object] $Target,
        [System.String] $Name,
        [System.Collections.Hashtable] $Argument = @{}
    )

    $secondsLeft = Get-SecondsLeft -Attempt $Attempt

    if ($secondsLeft -lt 1)
    {
        throw (ConvertTo-Exception -Message "No time is left for $Name." -Code '')
    }

    $call = @{
        InputObject         = $Target.Instance
        MethodName          = $Name
        OperationTimeoutSec = [System.UInt32] [System.Math]::Min($script:MethodTimeoutSeconds, $secondsLeft)
        ErrorAction         = 'Stop'
        Verbose             = $false
    }

    if ($Argument.Count -gt 0)
    {
        $call.Arguments = $Argument
    }

    $Attempt.Tried = $true

    try
    {
        $result = Invoke-CimMethod @call
    }
    catch
    {
        $code = Get-ErrorCode -ErrorRecord $_
        $text = Get-CodeText -Code $code -Default $_.Exception.Message
        throw (ConvertTo-Exception -Message "$Name failed with $text." -Code $code)
    }

    # A ReturnValue other than 0 is the HRESULT itself.
    $code = ConvertTo-HResult -Value $result.ReturnValue

    if ($code -ne '0x00000000')
    {
        throw (ConvertTo-Exception -Message "$Name failed with $(Get-CodeText -Code $code)." -Code $code)
    }
}

# Leaves in the registry what was done, for Get to quote. A record that cannot be written does not change how
# Set ends.
function Write-Record
{
    [CmdletBinding()]
    param ([System.Collections.Hashtable] $Attempt, [System.String] $Result, [System.String] $Code)

    try
    {
        $invariant = [System.Globalization.CultureInfo]::InvariantCulture

        $record = @{
            TimeUtc     = (Get-Date).ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ', $invariant)
            Step        = $Attempt.Step
            Result      = $Result
            Code        = $Code
            OldKey      = $Attempt.OldKey
            NewKey      = $Attempt.NewKey
            PackVersion = [System.String] (Get-PackFile -Name 'catalog.json').packVersion
        }

        if (-not (Test-Path -LiteralPath $script:RecordPath))
        {
            $null = New-Item -Path $script:RecordPath -ErrorAction Stop
        }

        foreach ($name in $script:RecordValue)
        {
            Set-ItemProperty -LiteralPath $script:RecordPath -Name $name -Value $record[$name] -ErrorAction Stop
        }
    }
    catch
    {
        Write-Warning -Message "The record under $script:RecordPath could not be written: $($_.Exception.Message)"
    }
}

# What was last written there, by the names of its values; $null where this pack never changed the machine.
function Get-Record
{
    [CmdletBinding()]
    param ()

    # Asked first, so that a machine without a record raises no error seven times over.
    if (-not (Test-Path -LiteralPath $script:RecordPath -ErrorAction SilentlyContinue))
    {
        return $null
    }

    $record = @{}

    foreach ($name in $script:RecordValue)
    {
        $record[$name] = Get-RegistryText -Path $script:RecordPath -Name $name
    }

    if ($record.Result -eq '')
    {
        return $null
    }

    return $record
}

#endregion

#region Wording: reasons, codes, keys

# The reasons with these ids. The first, the finding, ends with what this pack last did to the machine.
function Get-Reason
{
    [CmdletBinding()]
    param ([System.String[]] $Id, [System.Collections.Hashtable] $Field)

    $suffix = ''

    if ($Field.record -ne '')
    {
        $suffix = " $($Field.record)"
    }

    foreach ($reasonId in $Id)
    {
        $reason = [AvmaActivationReason]::new()
        $reason.Code = "WindowsActivationChannel:WindowsActivationChannel:$reasonId"
        $reason.Phrase = (Get-ReasonPhrase -Id $reasonId -Field $Field) + $suffix
        $reason
        $suffix = ''
    }
}

function Get-ReasonDefinition
{
    [CmdletBinding()]
    param ([System.String] $Id)

    foreach ($definition in @(Get-PackFile -Name 'reasons.json'))
    {
        if ($definition.id -eq $Id)
        {
            return $definition
        }
    }

    throw "reasons.json does not know the reason $Id."
}

# The wording of a reason, its {fields} filled in. Whatever else it says, it holds no full product key.
function Get-ReasonPhrase
{
    [CmdletBinding()]
    param ([System.String] $Id, [System.Collections.Hashtable] $Field)

    $phrase = (Get-ReasonDefinition -Id $Id).phrase

    foreach ($name in $Field.Keys)
    {
        $phrase = $phrase.Replace("{$name}", $Field[$name])
    }

    return (Hide-ProductKey -Text $phrase)
}

# What reasons may quote, by the name of the field; every value is a string.
function Get-PhraseField
{
    [CmdletBinding()]
    param ([System.Object] $Verdict, [System.Object] $Parameter)

    $field = @{
        policy      = $Parameter.ActivationPolicy
        server      = $Parameter.KmsServer
        port        = $Parameter.KmsPort
        failure     = $Verdict.Failure
        record      = Get-RecordSentence
        system      = ''
        build       = ''
        sku         = ''
        editionId   = 'unknown'
        scope       = ''
        assetTag    = ''
        expectedKey = 'not known'
        key         = 'unknown'
        channel     = 'unknown'
        status      = 'unknown'
        statusCode  = 'no code'
    }

    $machine = $Verdict.Machine

    if ($null -eq $machine)
    {
        return $field
    }

    $field.system = $machine.Caption
    $field.build = $machine.Build
    $field.sku = $machine.Sku
    $field.scope = $machine.PackRelease -join '; '
    $field.assetTag = $machine.ForeignAssetTag

    if ($machine.EditionId -ne '')
    {
        $field.editionId = $machine.EditionId
    }

    if ($null -ne $machine.Edition)
    {
        $field.expectedKey = Get-LastFive -ProductKey $machine.Edition.kmsClientKey
    }

    $product = $machine.Product

    if ($null -ne $product)
    {
        $field.key = [System.String] $product.PartialProductKey
        $field.channel = Get-Channel -Description $product.Description
        $field.status = Get-LicenseStatusName -Status $product.LicenseStatus
        $field.statusCode = Get-CodeText -Code (ConvertTo-HResult -Value $product.LicenseStatusReason)
    }
    elseif (-not $machine.IsClient -and -not $machine.IsOutOfScope)
    {
        $field.key = 'none'
        $field.channel = 'none'
        $field.status = 'unlicensed'
    }

    return $field
}

function Get-LicenseStatusName
{
    [CmdletBinding()]
    param ([System.Object] $Status)

    $number = [System.Int64] $Status

    if ($number -ge 0 -and $number -lt $script:LicenseStatusName.Count)
    {
        return $script:LicenseStatusName[$number]
    }

    return "in an unknown state ($number)"
}

# What this pack last did to the machine, in one sentence; '' where it never did anything.
function Get-RecordSentence
{
    [CmdletBinding()]
    param ()

    $record = Get-Record

    if ($null -eq $record)
    {
        return ''
    }

    $outcome = $record.Result

    if ($record.Result -eq 'Failed' -and $record.Code -ne '')
    {
        $outcome = "Failed with $(Get-CodeText -Code $record.Code)"
    }

    $oldKey = $record.OldKey

    if ($oldKey -eq '')
    {
        $oldKey = 'none'
    }

    $sentence = 'Last change by avma-pack {0} at {1}: step {2}, {3}; key ending in {4} before, {5} after.' -f @(
        $record.PackVersion, $record.TimeUtc, $record.Step, $outcome, $oldKey, $record.NewKey
    )

    return (Hide-ProductKey -Text $sentence)
}

# An HRESULT with its meaning; where the pack knows none, with the text that Windows gave.
function Get-CodeText
{
    [CmdletBinding()]
    param ([System.String] $Code, [System.String] $Default = '')

    $meaning = (Hide-ProductKey -Text $Default).Trim().TrimEnd('.')

    # Azure drops reasons above 8 KB, and Windows may say anything.
    if ($meaning.Length -gt 300)
    {
        $meaning = $meaning.Substring(0, 300) + '...'
    }

    foreach ($known in @(Get-PackFile -Name 'hresults.json'))
    {
        if ($known.code -eq $Code)
        {
            $meaning = $known.meaning
        }
    }

    if ($meaning -eq '')
    {
        return $Code
    }

    return "$Code ($meaning)"
}

# A code as 0x and eight upper-case hex digits, from a signed or an unsigned number. Codes are compared as
# such strings only: 0xC004FD02 is negative in PowerShell and equals no uint32 that WMI returns.
function ConvertTo-HResult
{
    [CmdletBinding()]
    param ([System.Object] $Value)

    return ('0x{0:X8}' -f ([System.Int64] $Value -band [System.Int64] [System.UInt32]::MaxValue))
}

# The HRESULT of an error of the CIM cmdlets. It stands in the error's id: the exception's own HResult is the
# same for all of them.
function Get-ErrorCode
{
    [CmdletBinding()]
    param ([System.Management.Automation.ErrorRecord] $ErrorRecord)

    if ($ErrorRecord.FullyQualifiedErrorId -match '^HRESULT 0x([0-9a-f]{8})')
    {
        return '0x' + $Matches[1].ToUpperInvariant()
    }

    return (ConvertTo-HResult -Value $ErrorRecord.Exception.HResult)
}

# The exception for a failure: its message holds no full product key, its Data the HRESULT ('' where there is none).
function ConvertTo-Exception
{
    [CmdletBinding()]
    param ([System.String] $Message, [System.String] $Code)

    $text = Hide-ProductKey -Text $Message
    $exception = New-Object -TypeName 'System.InvalidOperationException' -ArgumentList $text
    $exception.Data['Code'] = $Code

    return $exception
}

function Get-LastFive
{
    [CmdletBinding()]
    param ([System.String] $ProductKey)

    return $ProductKey.Substring($ProductKey.Length - 5)
}

# The text with every full product key cut down to its last five characters.
function Hide-ProductKey
{
    [CmdletBinding()]
    param ([System.String] $Text)

    return ($Text -replace '(?:[A-Z0-9]{5}-){4}([A-Z0-9]{5})', '*****-$1')
}

#endregion

#region The machine: nothing above touches it by any other way

# Reads one of the JSON files beside this module.
function Get-PackFile
{
    [CmdletBinding()]
    param ([System.String] $Name)

    $path = Join-Path -Path $PSScriptRoot -ChildPath $Name

    return ([System.IO.File]::ReadAllText($path) | ConvertFrom-Json)
}

# Queries a class. Each row has the properties that were asked for, present even where they are empty, and
# Instance, the object that methods are called on. Throws where the query fails.
function Get-CimRow
{
    [CmdletBinding()]
    param ([System.String] $ClassName, [System.String[]] $Property, [System.String] $Filter = '')

    $query = @{
        Namespace           = 'root/cimv2'
        ClassName           = $ClassName
        Property            = $Property
        OperationTimeoutSec = [System.UInt32] $script:QueryTimeoutSeconds
        ErrorAction         = 'Stop'
    }

    if ($Filter -ne '')
    {
        $query.Filter = $Filter
    }

    $instance = @{
        Name       = 'Instance'
        Expression = { $_ }
    }

    try
    {
        Get-CimInstance @query | Select-Object -Property (@($Property) + @($instance))
    }
    catch
    {
        $code = Get-ErrorCode -ErrorRecord $_
        $text = Get-CodeText -Code $code -Default $_.Exception.Message
        throw (ConvertTo-Exception -Message "The query of $ClassName failed with $text." -Code $code)
    }
}

# The Windows products that have a key, without add-ons. Unfiltered, this query takes minutes.
function Get-WindowsProduct
{
    [CmdletBinding()]
    param ()

    $query = @{
        ClassName = 'SoftwareLicensingProduct'
        Filter    = "ApplicationID = '$script:WindowsApplicationId' AND PartialProductKey IS NOT NULL"
        Property  = @(
            'ID', 'Description', 'PartialProductKey', 'LicenseIsAddon', 'LicenseStatus', 'LicenseStatusReason',
            'VLActivationTypeEnabled', 'KeyManagementServiceMachine', 'KeyManagementServicePort'
        )
    }

    foreach ($row in @(Get-CimRow @query))
    {
        if ([System.String] $row.PartialProductKey -ne '' -and -not $row.LicenseIsAddon)
        {
            $row
        }
    }
}

function Get-LicensingService
{
    [CmdletBinding()]
    param ()

    $property = @('Version', 'KeyManagementServiceMachine', 'KeyManagementServicePort')

    foreach ($row in @(Get-CimRow -ClassName 'SoftwareLicensingService' -Property $property))
    {
        return $row
    }

    throw 'SoftwareLicensingService has no instance.'
}

# A registry value as text; '' where it cannot be read.
function Get-RegistryText
{
    [CmdletBinding()]
    param ([System.String] $Path, [System.String] $Name)

    try
    {
        return [System.String] (Get-ItemPropertyValue -LiteralPath $Path -Name $Name -ErrorAction Stop)
    }
    catch
    {
        return ''
    }
}

# Whether a TCP connection opens in time. A refusal, a silence and a name that is not known are all no.
function Test-TcpPort
{
    [CmdletBinding()]
    param ([System.String] $ComputerName, [System.Int32] $Port, [System.Int32] $TimeoutMilliseconds)

    $client = $null

    try
    {
        $client = New-Object -TypeName 'System.Net.Sockets.TcpClient'
        return $client.ConnectAsync($ComputerName, $Port).Wait($TimeoutMilliseconds)
    }
    catch
    {
        return $false
    }
    finally
    {
        if ($null -ne $client)
        {
            $client.Close()
        }
    }
}

#endregion
