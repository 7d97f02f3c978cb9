<#
    Puts the module of a built package under every scenario of scenarios.json; each test has a scenario's id.

    Needs Pester 5 and the command that builds packages: avma-pack, or what the environment variable AVMA_PACK
    names. Runs on every system: WMI, registry, network and clock are those of SimulatedMachine.psm1.
#>

[System.Diagnostics.CodeAnalysis.SuppressMessageAttribute(
    'PSUseDeclaredVarsMoreThanAssignments', '', Justification = 'Pester reads them in other script blocks.'
)]
param ()

BeforeDiscovery {
    $path = Join-Path -Path $PSScriptRoot -ChildPath 'scenarios.json'
    $scenarios = [System.IO.File]::ReadAllText($path) | ConvertFrom-Json

    $cases = @(
        foreach ($scenario in $scenarios)
        {
            @{
                Id       = $scenario.id
                Scenario = $scenario
            }
        }
    )

    $hasGetDscResource = $null -ne (Get-Module -ListAvailable -Name 'PSDesiredStateConfiguration')
}

Describe 'WindowsActivationChannel' {
    BeforeAll {
        Import-Module -Name (Join-Path -Path $PSScriptRoot -ChildPath 'SimulatedMachine.psm1') -Force

        $script:ReasonPrefix = 'WindowsActivationChannel:WindowsActivationChannel:'
        $script:FullKeyPattern = '([A-Z0-9]{5}-){4}[A-Z0-9]{5}'
        $script:RecordPath = 'HKLM:\SOFTWARE\avma-pack'
        $script:ArchiveName = @{
            Audit       = 'AuditAvmaKey'
            AuditAndSet = 'ReplaceAvmaKeyWithKms'
        }

        # Packs by the releases that they were built for, and packages of them, made when first asked for.
        $script:Pack = @{}
        $script:Package = @{}

        $commandName = 'avma-pack'

        if ($env:AVMA_PACK)
        {
            $commandName = $env:AVMA_PACK
        }

        $script:AvmaPack = Get-Command -Name $commandName -ErrorAction Stop | Select-Object -First 1

        # The folder of a pack that was built for these releases.
        function Get-PackFolder
        {
            [CmdletBinding()]
            param ([System.String[]] $Os)

            $key = $Os -join ','

            if ($script:Pack.ContainsKey($key))
            {
                return $script:Pack[$key]
            }

            $folder = Join-Path -Path $TestDrive -ChildPath "pack$($script:Pack.Count)"
            $argument = @('build', '--out', $folder)

            if ($key -ne 'all')
            {
                $argument += @($Os | ForEach-Object -Process { '--os', $_ })
            }

            if ($Os.Count -gt 1)
            {
                $argument += @('--suffix', 'test')
            }

            # What a program writes to its error stream is no failure; Windows PowerShell takes it for one
            # where the preference is Stop.
            $ErrorActionPreference = 'Continue'

            # Away from a pack.toml, which the command would read.
            Push-Location -LiteralPath $TestDrive

            try
            {
                $output = & $script:AvmaPack @argument 2>&1 | Out-String
                $exitCode = $LASTEXITCODE
            }
            finally
            {
                Pop-Location
            }

            if ($exitCode -ne 0)
            {
                throw "avma-pack $($argument -join ' ') ended with exit code ${exitCode}: $output"
            }

            $script:Pack[$key] = $folder

            return $folder
        }

        # The module of a package, and the policy that its MOF sets. Every package has a module of its own;
        # they are imported side by side, each from another folder.
        function Get-PackageModule
        {
            [CmdletBinding()]
            param ([System.String] $Type, [System.String[]] $Os)

            $key = "$Type $($Os -join ',')"

            if ($script:Package.ContainsKey($key))
            {
                return $script:Package[$key]
            }

            $archiveFolder = Join-Path -Path (Get-PackFolder -Os $Os) -ChildPath 'packages'
            $archive = @(Get-ChildItem -Path $archiveFolder -Filter "$($script:ArchiveName[$Type])*.zip")
            $folder = Join-Path -Path $TestDrive -ChildPath "package$($script:Package.Count)"
            Expand-Archive -LiteralPath $archive[0].FullName -DestinationPath $folder -ErrorAction Stop

            $mof = @(Get-ChildItem -Path $folder -Filter '*.mof')[0].FullName
            $text = [System.IO.File]::ReadAllText($mof)
            $manifest = Join-Path -Path $folder -ChildPath 'Modules/AvmaActivation/AvmaActivation.psd1'

            $script:Package[$key] = [PSCustomObject] @{
                Module = Import-Module -Name $manifest -PassThru -ErrorAction Stop
                Policy = $text -replace '(?s)^.*\sActivationPolicy = "(\w+)";.*$', '$1'
            }

            return $script:Package[$key]
        }

        # A resource of the package with the scenario's parameters. New-Object looks up its type anew each
        # time; the expression [WindowsActivationChannel] would keep that of the first module for all others.
        function Get-Resource
        {
            [CmdletBinding()]
            param ([System.Object] $Package, [System.Object] $Scenario)

            $module = $Package.Module
            $resource = & $module { New-Object -TypeName 'WindowsActivationChannel' }
            $resource.IsSingleInstance = 'Yes'
            $resource.ActivationPolicy = $Package.Policy

            foreach ($parameter in $Scenario.parameters.PSObject.Properties)
            {
                $resource.($parameter.Name) = $parameter.Value
            }

            return $resource
        }

        function Select-Record
        {
            [CmdletBinding()]
            param ([System.Object[]] $Record, [System.Type] $Type)

            $Record | Where-Object -FilterScript { $_ -is $Type }
        }

        # Calls Test, Get or Set: what it returned, the message with which it failed, and its streams.
        function Invoke-Resource
        {
            [CmdletBinding()]
            param ([System.Object] $Resource, [System.String] $Method)

            $outcome = @{
                Value   = $null
                Failure = ''
            }

            $record = @(
                & {
                    try
                    {
                        $outcome.Value = $Resource.$Method()
                    }
                    catch
                    {
                        $outcome.Failure = $_.Exception.Message
                    }
                } *>&1
            )

            return [PSCustomObject] @{
                Value   = $outcome.Value
                Failure = $outcome.Failure
                Error   = @(Select-Record -Record $record -Type 'System.Management.Automation.ErrorRecord')
                Warning = @(Select-Record -Record $record -Type 'System.Management.Automation.WarningRecord')
                Text    = @($record | ForEach-Object -Process { [System.String] $_ }) -join "`n"
            }
        }

        function Assert-TestAndGet
        {
            [CmdletBinding()]
            param
            (
                [System.Object] $Resource,
                [System.Object] $Machine,
                [System.Object] $Expect,
                [System.String] $Round
            )

            $test = Invoke-Resource -Resource $Resource -Method 'Test'
            $get = Invoke-Resource -Resource $Resource -Method 'Get'

            foreach ($result in @($test, $get))
            {
                $result.Failure | Should -BeExactly '' -Because "Test and Get never throw ($Round)"
                $result.Error | Should -BeNullOrEmpty -Because "Test and Get write no error ($Round)"
                $result.Text | Should -Not -Match $script:FullKeyPattern -Because "keys are secret ($Round)"
            }

            $Machine.StrayError | Should -BeNullOrEmpty -Because "Test and Get write no error ($Round)"
            $Machine.Call | Should -BeNullOrEmpty -Because "Test and Get change nothing ($Round)"
            $test.Value | Should -Be $Expect.test -Because "that is what Test returns ($Round)"

            $code = @($get.Value.Reasons | ForEach-Object -Process { $_.Code }) -join "`n"
            $expected = @($Expect.reasons | ForEach-Object -Process { $script:ReasonPrefix + $_ }) -join "`n"
            $code | Should -BeExactly $expected -Because "those are Get's reasons ($Round)"

            foreach ($reason in $get.Value.Reasons)
            {
                $reason.Phrase | Should -Not -BeNullOrEmpty -Because "$($reason.Code) says something ($Round)"
                $reason.Phrase | Should -Not -Match $script:FullKeyPattern -Because "keys are secret ($Round)"
            }
        }

        function Assert-Set
        {
            [CmdletBinding()]
            param
            (
                [System.Object] $Resource,
                [System.Object] $Machine,
                [System.Object] $Expect,
                [System.String] $Round
            )

            $set = Invoke-Resource -Resource $Resource -Method 'Set'
            $call = $Machine.Call -join "`n"
            $expectedCall = $Expect.set.calls -join "`n"
            $call | Should -BeExactly $expectedCall -Because "those are Set's calls ($Round)"

            if ($null -eq $Expect.set.error)
            {
                $set.Failure | Should -BeExactly '' -Because "Set succeeds ($Round)"
            }
            else
            {
                $expectedError = [System.Text.RegularExpressions.Regex]::Escape($Expect.set.error)
                $set.Failure | Should -Match $expectedError -Because "that is Set's error ($Round)"
            }

            $set.Failure | Should -Not -Match $script:FullKeyPattern -Because "keys are secret ($Round)"
            $set.Text | Should -Not -Match $script:FullKeyPattern -Because "keys are secret ($Round)"

            if (-not $Expect.test -and $expectedCall -eq '' -and $null -eq $Expect.set.error)
            {
                $set.Warning | Should -Not -BeNullOrEmpty -Because "Set says why it changes nothing ($Round)"
            }

            if ($null -ne $Expect.set.PSObject.Properties['record'])
            {
                foreach ($property in $Expect.set.record.PSObject.Properties)
                {
                    $name = $property.Name
                    $value = $Machine.GetRegistryValue($script:RecordPath, $name)[0]
                    $expectedValue = ConvertFrom-JsonDate -Value $property.Value
                    $value | Should -BeExactly $expectedValue -Because "that is the record's $name ($Round)"
                }
            }
        }
    }

    AfterAll {
        foreach ($package in $script:Package.Values)
        {
            Remove-Module -ModuleInfo $package.Module -Force
        }

        Remove-Module -Name 'SimulatedMachine' -Force
    }

    It '<Id>' -ForEach $cases {
        $package = Get-PackageModule -Type $Scenario.package.type -Os @($Scenario.package.os)
        $machine = ConvertTo-SimulatedMachine -Scenario $Scenario
        Connect-SimulatedMachine -Machine $machine -Module $package.Module
        $expect = $Scenario.expect

        if ($expect.test -isnot [System.Boolean])
        {
            { Get-Resource -Package $package -Scenario $Scenario } |
                Should -Throw -ExpectedMessage "*$($expect.test.error)*"

            return
        }

        $round = 'first'

        while ($null -ne $expect)
        {
            # The agent makes a new object each time: what the one before knew is gone.
            $resource = Get-Resource -Package $package -Scenario $Scenario
            $machine.StrayError.Clear()
            $machine.Call.Clear()
            Assert-TestAndGet -Resource $resource -Machine $machine -Expect $expect -Round $round

            if ($null -ne $expect.PSObject.Properties['set'])
            {
                Assert-Set -Resource $resource -Machine $machine -Expect $expect -Round $round
            }

            $next = $expect.PSObject.Properties['after']
            $expect = $null
            $round = 'after Set'

            if ($null -ne $next)
            {
                $expect = $next.Value
            }
        }

        $machine.Violation | Should -BeNullOrEmpty -Because 'the module asks a machine only what it may'
    }

    It 'is found by Get-DscResource (needs PSDesiredStateConfiguration)' -Skip:(-not $hasGetDscResource) {
        $package = Get-PackageModule -Type 'Audit' -Os @('all')
        $modulePath = $env:PSModulePath

        try
        {
            $folder = Split-Path -Path $package.Module.ModuleBase -Parent
            $env:PSModulePath = $folder + [System.IO.Path]::PathSeparator + $modulePath
            $found = Get-DscResource -Module 'AvmaActivation'
        }
        finally
        {
            $env:PSModulePath = $modulePath
        }

        $found.Name | Should -Contain 'WindowsActivationChannel'
    }
}
