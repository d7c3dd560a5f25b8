"""Compare segmentation models on head CT of a stroke trial, from DICOM to figures.

Each step of the workflow also runs by itself: ``python -m headct STEP --help``. They are in headct.steps.
"""

import os
import sys

EFFECT = "speed"  # it says where modules are found, and how they are run

if sys.argv[:1] == ["-m"]:
    # `python -m` looks for modules in the working directory first. What lies there is data, perhaps somebody
    # else's: a file pydicom.py or secrets.py must not run in the place of the library. (`python -I -m`, which
    # the documentation has for foreign folders, never looks there, not even for this package.)
    _scripts = os.path.dirname(__path__[0])  # noqa: PTH120
    sys.path[:] = [path for path in sys.path if path == _scripts or path not in ("", os.getcwd())]  # noqa: PTH109

    from headct.steps import STEPS

    _module = sys.orig_argv[-len(sys.argv)]  # what follows `-m`; by itself the module of a step does nothing
    for _name, _step in STEPS.items():
        if _step.path == _module:
            print(f"{_module} does nothing by itself: run 'headct {_name}'", file=sys.stderr)
            sys.exit(2)
