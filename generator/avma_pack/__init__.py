"""avma-pack: the Azure Policy and Guest Configuration compliance pack for AVMA keys on Azure VMs.

The modules are the stages of a pipeline and import only from the stages before them; the README draws it.
The public interface is the command line; Python modules are private and may change with any release.
"""

__version__ = "0.1.0"
