"""Make a copy of setpriv that may keep CAP_DAC_OVERRIDE, for the Dockerfile.

    python3 privilege.py TARGET

A file capability is written as Linux stores it (struct vfs_cap_data, revision 2), so that the image
needs no package for it. It grants nothing where the container may not have the capability
(--cap-drop) or may not gain any (no-new-privileges).
"""

import os
import shutil
import struct
import sys

CAP_DAC_OVERRIDE = 1 << 1
REVISION_2_EFFECTIVE = 0x02000001


def main(target: str) -> None:
    """Copy setpriv to TARGET and mark it."""
    shutil.copy("/usr/bin/setpriv", target)
    permitted, inheritable = CAP_DAC_OVERRIDE, 0
    words = (REVISION_2_EFFECTIVE, permitted, inheritable, 0, 0)
    os.setxattr(target, "security.capability", struct.pack("<5I", *words))


if __name__ == "__main__":
    main(sys.argv[1])
