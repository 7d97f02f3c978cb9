<#
    SimulatedMachine: a machine made out of one scenario of scenarios.json.

    It holds WMI, registry, network and clock, and it records every method that changes it. The module under
    test reaches it through functions that have the names of the cmdlets by which it reaches a real machine.
    They are defined in that module's session state only: Pester itself needs the real Get-Date and Test-Path.

    Reading order: the machine, the filters and values of its WMI, the functions that stand in for cmdlets.
#>

[System.Diagnostics.CodeAnalysis.SuppressMessageAttribute(
    'PSAvoidOverwritingBuiltInCmdlets', '', Justification = 'Its functions stand in for cmdlets.'
)]
[System.Diagnostics.CodeAnalysis.SuppressMessageAttribute(
    'PSUseShouldProcessForStateChangingFunctions', '', Justification = 'Only a simulated machine is changed.'
)]
[System.Diagnostics.CodeAnalysis.SuppressMessageAttribute(
    'PSReviewUnusedParameter', '', Justification = 'Script Analyzer does not see uses in inner script blocks.'
)]
param ()

Set-StrictMode -Version 3.0

$script:KeyProperty = @{
    SoftwareLicensingService = 'Version'
    SoftwareLicensingProduct = 'ID'
}

# Arguments in the order of the WMI method's signature, in which calls are written down.
$script:MethodArgument = @{
    'SoftwareLicensingService.InstallProductKey'                = @('ProductKey')
    'SoftwareLicensingService.RefreshLicenseStatus'             = @()
    'SoftwareLicensingService.SetKeyManagementServiceMachine'   = @('MachineName')
    'SoftwareLicensingService.SetKeyManagementServicePort'      = @('PortNumber')
    'SoftwareLicensingService.ClearKeyManagementServiceMachine' = @()
    'SoftwareLicensingService.ClearKeyManagementServicePort'    = @()
    'SoftwareLicensingProduct.Activate'                         = @()
    'SoftwareLicensingProduct.SetKeyManagementServiceMachine'   = @('MachineName')
    'SoftwareLicensingProduct.SetKeyManagementServicePort'      = @('PortNumber')
    'SoftwareLicensingProduct.ClearKeyManagementServiceMachine' = @()
    'SoftwareLicensingProduct.ClearKeyManagementServicePort'    = @()
}

$script:UInt32Property = @(
    'OperatingSystemSKU', 'ProductType', 'LicenseStatus', 'LicenseStatusReason', 'GracePeriodRemaining',
    'KeyManagementServicePort', 'VLActivationType', 'VLActivationTypeEnabled'
)
$script:BooleanProperty = @('LicenseIsAddon')

$script:InvalidClass = '0x80041010'
$script:InvalidParameter = '0x80041008'
$script:InvalidQuery = '0x80041017'
$script:TypeMismatch = '0x80041005'
$script:TimedOut = '0x80041069'

#region The machine

# What fails is answered with an ErrorRecord instead of being thrown: an error of the CIM cmdlets does not
# terminate, and only the function that stands in for a cmdlet can write one.
class SimulatedMachine
{
    # The methods that were called, oldest first.
    [System.Collections.Generic.List[System.String]] $Call

    # What the module under test must never do: each entry fails the scenario.
    [System.Collections.Generic.List[System.String]] $Violation

    # Errors that reached the error stream, because their caller did not ask for -ErrorAction Stop.
    [System.Collections.Generic.List[System.String]] $StrayError

    # The virtual clock: only Start-Sleep moves it.
    [System.DateTime] $Now

    hidden [System.Collections.Hashtable] $CimClass = @{}
    hidden [System.Collections.Hashtable] $Outcome = @{}
    hidden [System.Collections.Hashtable] $Registry = @{}
    hidden [System.Collections.Hashtable] $Tcp = @{}

    SimulatedMachine([System.Object] $Scenario)
    {
        $this.Call = [System.Collections.Generic.List[System.String]]::new()
        $this.Violation = [System.Collections.Generic.List[System.String]]::new()
        $this.StrayError = [System.Collections.Generic.List[System.String]]::new()
        $this.Now = [System.DateTime]::new(2026, 1, 1, 0, 0, 0, [System.DateTimeKind]::Utc)

        $machine = $Scenario.machine
        $this.ReplaceCimClass($machine.cim)

        foreach ($property in @(Get-JsonProperty -InputObject $machine -Name 'registry'))
        {
            $this.ReplaceRegistry($property.Value)
        }

        foreach ($property in @(Get-JsonProperty -InputObject $machine -Name 'tcp'))
        {
            foreach ($endpoint in $property.Value.PSObject.Properties)
            {
                $this.Tcp[$endpoint.Name] = $endpoint.Value
            }
        }

        foreach ($property in @(Get-JsonProperty -InputObject $Scenario -Name 'methods'))
        {
            foreach ($method in $property.Value.PSObject.Properties)
            {
                $this.Outcome[$method.Name] = [System.Collections.ArrayList] @($method.Value)
            }
        }
    }

    # The instances that a query gives, or the error with which it fails.
    [System.Object[]] GetInstance(
        [System.String] $ClassName,
        [System.String] $Filter,
        [System.String[]] $Property,
        [System.UInt32] $TimeoutSeconds
    )
    {
        if ($null -eq $Property -or $Property.Count -eq 0 -or $TimeoutSeconds -eq 0)
        {
            return @($this.Refuse("A query of $ClassName has no property list or no time-out."))
        }

        $condition = @()

        try
        {
            $condition = @(ConvertFrom-WqlFilter -Filter $Filter)
        }
        catch
        {
            return @(ConvertTo-CimError -HResult $script:InvalidQuery -Message $_.Exception.Message)
        }

        $filtered = @($condition | ForEach-Object -Process { $_.Name })
        $isNarrow = 'ID' -in $filtered -or
            ('ApplicationID' -in $filtered -and 'PartialProductKey' -in $filtered)

        if ($ClassName -eq 'SoftwareLicensingProduct' -and -not $isNarrow)
        {
            return @($this.Refuse('A query of SoftwareLicensingProduct would run through every product.'))
        }

        $state = $this.CimClass[$ClassName]

        if ($null -eq $state)
        {
            return @(ConvertTo-CimError -HResult $script:InvalidClass -Message 'Invalid class')
        }

        if ($state.HResult -ne '')
        {
            return @(ConvertTo-CimError -HResult $state.HResult -Message $state.Message)
        }

        if ($state.DelaySeconds -gt $TimeoutSeconds)
        {
            return @(ConvertTo-CimError -HResult $script:TimedOut -Message 'Timed out')
        }

        $instance = @(
            foreach ($row in $state.Row)
            {
                if (Test-Row -Row $row -Condition $condition)
                {
                    ConvertTo-Instance -ClassName $ClassName -Row $row -Property $Property
                }
            }
        )

        return $instance
    }

    # The result of a method, or the error with which it fails. What comes of it is the next outcome that the
    # scenario lists for the method; the last one repeats.
    [System.Object[]] InvokeMethod(
        [System.Object] $Instance,
        [System.String] $MethodName,
        [System.Collections.IDictionary] $Argument,
        [System.UInt32] $TimeoutSeconds
    )
    {
        $className = $Instance.CimSystemProperties.ClassName
        $method = "$className.$MethodName"
        $given = @()

        if ($null -ne $Argument)
        {
            $given = @($Argument.Keys)
        }

        if ($TimeoutSeconds -eq 0)
        {
            return @($this.Refuse("A call of $method has no time-out."))
        }

        if (-not $script:MethodArgument.ContainsKey($method))
        {
            return @($this.Refuse("There is no method $method, or none that may be called."))
        }

        $signature = @($script:MethodArgument[$method])

        if ((($given | Sort-Object) -join ', ') -ne (($signature | Sort-Object) -join ', '))
        {
            return @($this.Refuse("$method was called with the arguments ($($given -join ', '))."))
        }

        if ('PortNumber' -in $signature -and $Argument['PortNumber'] -isnot [System.UInt32])
        {
            return @(ConvertTo-CimError -HResult $script:TypeMismatch -Message 'Type mismatch')
        }

        $key = $Instance.PSObject.Properties[$script:KeyProperty[$className]].Value

        if ([System.String]::IsNullOrEmpty($key))
        {
            return @(ConvertTo-CimError -HResult $script:InvalidParameter -Message 'Invalid parameter')
        }

        $target = $className

        if ($className -eq 'SoftwareLicensingProduct')
        {
            $target = "$className[$key]"
        }

        $text = @($signature | ForEach-Object -Process { "$_=$($Argument[$_])" }) -join ', '
        $this.Call.Add("$target.$MethodName($text)")

        if (-not $this.Outcome.ContainsKey($method))
        {
            $this.ChangeKmsField($className, $key, $MethodName, $Argument)
            return @(ConvertTo-MethodResult -ReturnValue 0)
        }

        $next = $this.Outcome[$method][0]

        if ($this.Outcome[$method].Count -gt 1)
        {
            $this.Outcome[$method].RemoveAt(0)
        }

        foreach ($property in @(Get-JsonProperty -InputObject $next -Name 'then'))
        {
            $this.ReplaceCimClass($property.Value)

            foreach ($registryProperty in @(Get-JsonProperty -InputObject $property.Value -Name 'registry'))
            {
                $this.ReplaceRegistry($registryProperty.Value)
            }
        }

        if ($null -ne $next.PSObject.Properties['hresult'])
        {
            $message = Get-JsonText -InputObject $next -Name 'message'
            return @(ConvertTo-CimError -HResult $next.hresult -Message $message)
        }

        return @(ConvertTo-MethodResult -ReturnValue $next.returns)
    }

    [System.Boolean] HasRegistryKey([System.String] $Path)
    {
        return $this.Registry.ContainsKey($Path)
    }

    # A registry value, or the error with which reading it fails.
    [System.Object[]] GetRegistryValue([System.String] $Path, [System.String] $Name)
    {
        if (-not $this.Registry.ContainsKey($Path))
        {
            return @(ConvertTo-RegistryError -Id 'PathNotFound' -Message "Cannot find path '$Path'.")
        }

        if (-not $this.Registry[$Path].ContainsKey($Name))
        {
            $id = 'System.Management.Automation.PSArgumentException'
            return @(ConvertTo-RegistryError -Id $id -Message "Property $Name does not exist at path $Path.")
        }

        return @($this.Registry[$Path][$Name])
    }

    # Nothing, or the error with which writing fails.
    [System.Object[]] SetRegistryValue([System.String] $Path, [System.String] $Name, [System.Object] $Value)
    {
        if (-not $this.Registry.ContainsKey($Path))
        {
            return @(ConvertTo-RegistryError -Id 'PathNotFound' -Message "Cannot find path '$Path'.")
        }

        $this.Registry[$Path][$Name] = $Value

        return @()
    }

    # Nothing, or the error with which making the key fails.
    [System.Object[]] AddRegistryKey([System.String] $Path)
    {
        if ($this.Registry.ContainsKey($Path))
        {
            $message = 'A key in this path already exists.'
            return @(ConvertTo-RegistryError -Id 'System.IO.IOException' -Message $message)
        }

        $this.Registry[$Path] = @{}

        return @()
    }

    [System.Boolean] TestTcpPort(
        [System.String] $HostName,
        [System.Int32] $Port,
        [System.Int32] $TimeoutMilliseconds
    )
    {
        if ($TimeoutMilliseconds -le 0)
        {
            $this.Violation.Add("The probe of ${HostName}:$Port has no time-out.")
        }

        return $this.Tcp["${HostName}:$Port"] -eq 'open'
    }

    # The error, noted where its caller lets it reach the error stream.
    [System.Management.Automation.ErrorRecord] Report(
        [System.Management.Automation.ErrorRecord] $ErrorRecord,
        [System.String] $Preference
    )
    {
        if ($Preference -notin @('Stop', 'SilentlyContinue', 'Ignore'))
        {
            $this.StrayError.Add($ErrorRecord.Exception.Message)
        }

        return $ErrorRecord
    }

    hidden [System.Management.Automation.ErrorRecord] Refuse([System.String] $Message)
    {
        $this.Violation.Add($Message)

        return (ConvertTo-CimError -HResult $script:InvalidParameter -Message $Message)
    }

    hidden [void] ReplaceCimClass([System.Object] $Description)
    {
        foreach ($property in $Description.PSObject.Properties)
        {
            if ($property.Name -ne 'registry')
            {
                $this.CimClass[$property.Name] = ConvertTo-ClassState -Description $property.Value
            }
        }
    }

    hidden [void] ReplaceRegistry([System.Object] $Description)
    {
        foreach ($registryKey in $Description.PSObject.Properties)
        {
            $content = @{}

            foreach ($registryValue in $registryKey.Value.PSObject.Properties)
            {
                $content[$registryValue.Name] = ConvertFrom-JsonDate -Value $registryValue.Value
            }

            $this.Registry[$registryKey.Name] = $content
        }
    }

    # What a Set... or Clear...KeyManagementService... method does when the scenario says nothing about it.
    hidden [void] ChangeKmsField(
        [System.String] $ClassName,
        [System.String] $Key,
        [System.String] $MethodName,
        [System.Collections.IDictionary] $Argument
    )
    {
        if ($MethodName -notmatch '^(Set|Clear)KeyManagementService(Machine|Port)$' -or
            -not $this.CimClass.ContainsKey($ClassName))
        {
            return
        }

        $field = $MethodName -replace '^(Set|Clear)', ''
        $value = ''

        if ($field -in $script:UInt32Property)
        {
            $value = 0
        }

        if ($MethodName -like 'Set*')
        {
            $value = @($Argument.Values)[0]
        }

        foreach ($row in $this.CimClass[$ClassName].Row)
        {
            if ($row[$script:KeyProperty[$ClassName]] -eq $Key)
            {
                $row[$field] = ConvertTo-CimValue -Name $field -Value $value
            }
        }
    }
}

#endregion

#region WMI: filters, values, errors

# The property of a JSON object with this name, or nothing.
function Get-JsonProperty
{
    [CmdletBinding()]
    param ([System.Object] $InputObject, [System.String] $Name)

    $property = $InputObject.PSObject.Properties[$Name]

    if ($null -ne $property)
    {
        $property
    }
}

# The text of the property of a JSON object with this name; '' where it has none.
function Get-JsonText
{
    [CmdletBinding()]
    param ([System.Object] $InputObject, [System.String] $Name)

    $text = ''

    foreach ($property in @(Get-JsonProperty -InputObject $InputObject -Name $Name))
    {
        $text = [System.String] $property.Value
    }

    return $text
}

# ConvertFrom-Json of PowerShell 7 makes a date of a text that looks like one; this makes it the text again.
function ConvertFrom-JsonDate
{
    [CmdletBinding()]
    param ([System.Object] $Value)

    if ($Value -is [System.DateTime])
    {
        $invariant = [System.Globalization.CultureInfo]::InvariantCulture
        return $Value.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ', $invariant)
    }

    return $Value
}

# The state of a class: its instances, or how a query of it fails.
function ConvertTo-ClassState
{
    [CmdletBinding()]
    param ([System.Object] $Description)

    $state = @{
        Row          = @()
        DelaySeconds = 0
        HResult      = ''
        Message      = ''
    }

    if ($Description -is [System.Array])
    {
        $state.Row = @($Description | ForEach-Object -Process { ConvertTo-Row -Instance $_ })
    }
    elseif ($null -ne $Description.PSObject.Properties['hresult'])
    {
        $state.HResult = $Description.hresult
        $state.Message = Get-JsonText -InputObject $Description -Name 'message'
    }
    else
    {
        $state.DelaySeconds = $Description.delaySeconds
        $state.Row = @($Description.instances | ForEach-Object -Process { ConvertTo-Row -Instance $_ })
    }

    return $state
}

function ConvertTo-Row
{
    [CmdletBinding()]
    param ([System.Object] $Instance)

    $row = [ordered] @{}

    foreach ($property in $Instance.PSObject.Properties)
    {
        $row[$property.Name] = ConvertTo-CimValue -Name $property.Name -Value $property.Value
    }

    return $row
}

# The value with the type that WMI gives it; NULL is of every type.
function ConvertTo-CimValue
{
    [CmdletBinding()]
    param ([System.String] $Name, [System.Object] $Value)

    if ($null -eq $Value)
    {
        return $null
    }

    if ($Name -in $script:UInt32Property)
    {
        return [System.UInt32] $Value
    }

    if ($Name -in $script:BooleanProperty)
    {
        return [System.Boolean] $Value
    }

    return [System.String] $Value
}

# The row as an instance: a property that was not asked for is there, but empty.
function ConvertTo-Instance
{
    [CmdletBinding()]
    param ([System.String] $ClassName, [System.Object] $Row, [System.String[]] $Property)

    $instance = [ordered] @{
        CimSystemProperties = [PSCustomObject] @{
            ClassName = $ClassName
            Namespace = 'root/cimv2'
        }
    }

    foreach ($name in @($Row.Keys) + $Property)
    {
        $instance[$name] = $null

        if ($name -in $Property)
        {
            $instance[$name] = $Row[$name]
        }
    }

    return [PSCustomObject] $instance
}

function ConvertTo-MethodResult
{
    [CmdletBinding()]
    param ([System.Int64] $ReturnValue)

    return [PSCustomObject] @{
        ReturnValue = [System.UInt32] $ReturnValue
    }
}

# The conditions of a filter, all of which must hold; none for an empty filter. Throws where it is malformed,
# or uses more of WQL than comparisons and AND.
function ConvertFrom-WqlFilter
{
    [CmdletBinding()]
    param ([System.String] $Filter)

    $pattern = '\G\s*(?<name>\w+)\b\s*' +
        '(?:IS\s+(?<not>NOT\s+)?(?<null>NULL)\b|(?<operator>=|<>)\s*(?:''(?<text>(?:[^''\\]|\\.)*)''|' +
        '"(?<text>(?:[^"\\]|\\.)*)"|(?<number>-?\d+)\b|(?<boolean>TRUE|FALSE)\b))\s*(?<and>AND\b|$)'
    $ignoreCase = [System.Text.RegularExpressions.RegexOptions]::IgnoreCase
    $expression = [System.Text.RegularExpressions.Regex]::new($pattern, $ignoreCase)
    $position = 0
    $more = $Filter -ne ''

    while ($more)
    {
        $match = $expression.Match($Filter, $position)

        if (-not $match.Success)
        {
            throw "The filter is malformed: $Filter"
        }

        $condition = @{
            Name     = $match.Groups['name'].Value
            Operator = $match.Groups['operator'].Value
            Value    = $null
        }

        if ($match.Groups['null'].Success)
        {
            $condition.Operator = 'IS NULL'

            if ($match.Groups['not'].Success)
            {
                $condition.Operator = 'IS NOT NULL'
            }
        }
        elseif ($match.Groups['text'].Success)
        {
            $condition.Value = $match.Groups['text'].Value -replace '\\(.)', '$1'
        }
        elseif ($match.Groups['number'].Success)
        {
            $condition.Value = [System.Int64] $match.Groups['number'].Value
        }
        else
        {
            $condition.Value = $match.Groups['boolean'].Value -eq 'TRUE'
        }

        [PSCustomObject] $condition
        $position += $match.Length
        $more = $match.Groups['and'].Value -ne ''
    }
}

function Test-Row
{
    [CmdletBinding()]
    param ([System.Object] $Row, [System.Object[]] $Condition)

    foreach ($each in $Condition)
    {
        if (-not (Test-WqlCondition -Value $Row[$each.Name] -Condition $each))
        {
            return $false
        }
    }

    return $true
}

# Whether the condition is true of a value. Text is compared without regard to case; NULL equals nothing, nor
# does it differ from anything.
function Test-WqlCondition
{
    [CmdletBinding()]
    param ([System.Object] $Value, [System.Object] $Condition)

    if ($Condition.Operator -eq 'IS NULL')
    {
        return ($null -eq $Value)
    }

    if ($Condition.Operator -eq 'IS NOT NULL')
    {
        return ($null -ne $Value)
    }

    if ($null -eq $Value)
    {
        return $false
    }

    $found = $Value

    if ($found -is [System.UInt32])
    {
        $found = [System.Int64] $found
    }

    $isSame = $found.GetType() -eq $Condition.Value.GetType() -and $found -eq $Condition.Value

    return ($isSame -eq ($Condition.Operator -eq '='))
}

# An error as the CIM cmdlets give it: the HRESULT stands in the error's id, in lower case. The HResult of the
# exception is 0x80131500 whatever went wrong, as it is for a plain exception.
function ConvertTo-CimError
{
    [CmdletBinding()]
    param ([System.String] $HResult, [System.String] $Message)

    return [System.Management.Automation.ErrorRecord]::new(
        [System.Exception]::new($Message),
        "HRESULT $($HResult.ToLowerInvariant())",
        [System.Management.Automation.ErrorCategory]::NotSpecified,
        $null
    )
}

function ConvertTo-RegistryError
{
    [CmdletBinding()]
    param ([System.String] $Id, [System.String] $Message)

    return [System.Management.Automation.ErrorRecord]::new(
        [System.Management.Automation.ItemNotFoundException]::new($Message),
        $Id,
        [System.Management.Automation.ErrorCategory]::ObjectNotFound,
        $null
    )
}

#endregion

#region Functions that stand in for cmdlets

# Run in the session state of the module under test, where a function precedes the cmdlet of its name. What
# is not among the parameters here may not be used: the call fails.
$script:StandIn = {
    param ([System.Object] $Machine)

    $script:SimulatedMachine = $Machine

    # Whoever runs the tests may have other preferences; every stream is heard. What becomes of errors is the
    # module's own choice.
    $script:WarningPreference = 'Continue'
    $script:VerbosePreference = 'Continue'
    $script:DebugPreference = 'Continue'
    $script:InformationPreference = 'Continue'

    function script:Get-CimInstance
    {
        [CmdletBinding()]
        param
        (
            [System.String] $Namespace,
            [System.String] $ClassName,
            [System.String] $Filter,
            [System.String[]] $Property,
            [System.UInt32] $OperationTimeoutSec
        )

        if ($Namespace -ne 'root/cimv2')
        {
            $script:SimulatedMachine.Violation.Add("A query of $ClassName asks the namespace '$Namespace'.")
        }

        $machine = $script:SimulatedMachine

        foreach ($answer in $machine.GetInstance($ClassName, $Filter, $Property, $OperationTimeoutSec))
        {
            if ($answer -is [System.Management.Automation.ErrorRecord])
            {
                $PSCmdlet.WriteError($machine.Report($answer, $ErrorActionPreference))
            }
            else
            {
                $answer
            }
        }
    }

    function script:Invoke-CimMethod
    {
        [CmdletBinding()]
        param
        (
            [System.Object] $InputObject,
            [System.String] $MethodName,
            [System.Collections.IDictionary] $Arguments,
            [System.UInt32] $OperationTimeoutSec
        )

        $machine = $script:SimulatedMachine
        $result = $machine.InvokeMethod($InputObject, $MethodName, $Arguments, $OperationTimeoutSec)

        foreach ($answer in $result)
        {
            if ($answer -is [System.Management.Automation.ErrorRecord])
            {
                $PSCmdlet.WriteError($machine.Report($answer, $ErrorActionPreference))
            }
            else
            {
                $answer
            }
        }
    }

    function script:Get-ItemPropertyValue
    {
        [CmdletBinding()]
        param ([System.String] $LiteralPath, [System.String] $Name)

        $machine = $script:SimulatedMachine

        foreach ($answer in $machine.GetRegistryValue($LiteralPath, $Name))
        {
            if ($answer -is [System.Management.Automation.ErrorRecord])
            {
                $PSCmdlet.WriteError($machine.Report($answer, $ErrorActionPreference))
            }
            else
            {
                $answer
            }
        }
    }

    function script:Get-ItemProperty
    {
        [CmdletBinding()]
        param ([System.String] $LiteralPath, [System.String] $Name)

        $machine = $script:SimulatedMachine

        foreach ($answer in $machine.GetRegistryValue($LiteralPath, $Name))
        {
            if ($answer -is [System.Management.Automation.ErrorRecord])
            {
                $PSCmdlet.WriteError($machine.Report($answer, $ErrorActionPreference))
            }
            else
            {
                [PSCustomObject] @{ $Name = $answer }
            }
        }
    }

    function script:Test-Path
    {
        [CmdletBinding()]
        param ([System.String] $LiteralPath)

        return $script:SimulatedMachine.HasRegistryKey($LiteralPath)
    }

    function script:New-Item
    {
        [CmdletBinding()]
        param ([System.String] $Path)

        $machine = $script:SimulatedMachine

        foreach ($answer in $machine.AddRegistryKey($Path))
        {
            $PSCmdlet.WriteError($machine.Report($answer, $ErrorActionPreference))
        }
    }

    function script:Set-ItemProperty
    {
        [CmdletBinding()]
        param ([System.String] $LiteralPath, [System.String] $Name, [System.Object] $Value)

        $machine = $script:SimulatedMachine

        foreach ($answer in $machine.SetRegistryValue($LiteralPath, $Name, $Value))
        {
            $PSCmdlet.WriteError($machine.Report($answer, $ErrorActionPreference))
        }
    }

    function script:Get-Date
    {
        [CmdletBinding()]
        param ()

        return $script:SimulatedMachine.Now
    }

    function script:Start-Sleep
    {
        [CmdletBinding()]
        param ([System.Double] $Seconds)

        $script:SimulatedMachine.Now = $script:SimulatedMachine.Now.AddSeconds($Seconds)
    }

    function script:Test-TcpPort
    {
        [CmdletBinding()]
        param
        (
            [System.String] $ComputerName,
            [System.Int32] $Port,
            [System.Int32] $TimeoutMilliseconds
        )

        return $script:SimulatedMachine.TestTcpPort($ComputerName, $Port, $TimeoutMilliseconds)
    }
}

#endregion

<#
    .SYNOPSIS
        Makes a machine out of a scenario, as ConvertFrom-Json reads it.
#>
function ConvertTo-SimulatedMachine
{
    [CmdletBinding()]
    param ([System.Object] $Scenario)

    return [SimulatedMachine]::new($Scenario)
}

<#
    .SYNOPSIS
        Puts a machine under a module, in the place of the one before.
#>
function Connect-SimulatedMachine
{
    [CmdletBinding()]
    param ([System.Object] $Machine, [System.Management.Automation.PSModuleInfo] $Module)

    & $Module $script:StandIn $Machine
}

Export-ModuleMember -Function @(
    'ConvertTo-SimulatedMachine', 'Connect-SimulatedMachine', 'ConvertFrom-JsonDate'
)
