"""Resident satisfaction surveys: questionnaire-driven rates and indices, design-based errors, ranks with certainty.

What the package offers is listed in `__init__.pyi`; each name is imported when it is first asked for, so that no command
waits for libraries it does not need.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.6.0"
