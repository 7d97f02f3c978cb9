@{
    # Below a warning are, among others, rules that look for a resource's examples and tests in other folders.
    Severity = @('Error', 'Warning')

    Rules    = @{
        # A brace on a line of its own; short blocks may stay on one line.
        PSPlaceOpenBrace                   = @{
            Enable             = $true
            OnSameLine         = $false
            NewLineAfter       = $true
            IgnoreOneLineBlock = $true
        }

        PSPlaceCloseBrace                  = @{
            Enable             = $true
            NewLineAfter       = $true
            IgnoreOneLineBlock = $true
            NoEmptyLineBefore  = $true
        }

        # Operators are not checked: the values of a hashtable are aligned.
        PSUseConsistentWhitespace          = @{
            Enable          = $true
            CheckInnerBrace = $true
            CheckOpenBrace  = $true
            CheckOpenParen  = $true
            CheckOperator   = $false
            CheckPipe       = $true
            CheckSeparator  = $true
        }

        PSAlignAssignmentStatement         = @{
            Enable         = $true
            CheckHashtable = $true
        }

        PSAvoidSemicolonsAsLineTerminators = @{
            Enable = $true
        }

        # The agent runs PowerShell 7; the module must parse in Windows PowerShell as well.
        PSUseCompatibleSyntax              = @{
            Enable         = $true
            TargetVersions = @('5.1', '7.0')
        }
    }
}
