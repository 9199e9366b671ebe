"""Which licences the packages of the prediction image are under, from what they say of themselves.

    python docker/licences.py            compare docker/licences.md with the locks (no network)
    python docker/licences.py --write    ask the package index and write it (needs pip 25 or later)

Listed is all that the build installs; docker/trim.sh takes some of it out again. Exit status: 0 all
known and allowed, 1 anything else.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
LIST = FOLDER / "licences.md"
LOCKS = ("requirements.txt", "torch==2.13.0.txt", "torch==2.13.0+cpu.txt")
# Licences by the words that packages use for them.
NAMES = {
    "Apache-2.0": "Apache-2.0|Apache 2.0|Apache|Apache Software License",
    "BSD-3-Clause": "BSD-3-Clause|3-Clause BSD License|BSD|BSD License",
    "MIT": "MIT|MIT License|MIT license",
    "MIT-CMU": "MIT-CMU",
    "MPL-2.0": "MPL-2.0",
    "PSF-2.0": "PSF-2.0|Python Software Foundation License",
    "LGPL-3.0-or-later": "LGPL-3.0-or-later",
    "LicenseRef-NVIDIA-Proprietary": "NVIDIA Proprietary Software|Other/Proprietary License",
}
KNOWN = {word: name for name, words in NAMES.items() for word in [name, *words.split("|")]}
# LGPL: unmodified libraries, imported, replaceable by their users. NVIDIA: may be passed on as part
# of an application (its EULA). Others may be embedded in numpy's and torch's own files.
ALLOWED = frozenset(
    (
        *NAMES,
        *("0BSD", "BSD-2-Clause", "BSL-1.0", "CC0-1.0", "ISC", "Unlicense", "Zlib", "HPND"),
        *("LicenseRef-NVIDIA-SOFTWARE-LICENSE", "Apache-2.0 WITH LLVM-exception"),
    )
)
# A name for a set of NVIDIA's packages, without files and without metadata of its own.
SILENT = {"cuda-toolkit": "LicenseRef-NVIDIA-Proprietary"}
SEPARATOR = re.compile(r"\s+(?:AND|OR)\s+|[()]")


def locked() -> dict[str, str]:
    """Name -> version of everything that either build of the prediction image installs."""
    texts = [(FOLDER / "locks" / lock).read_text() for lock in LOCKS]
    pairs = [pair for text in texts for pair in re.findall(r"^(\S+)==(\S+)", text, re.MULTILINE)]
    return {name: version.removesuffix("+cpu") for name, version in pairs}


def licence_of(metadata: dict[str, Any]) -> str:
    """What a package says of its licence, as an SPDX expression where it is known; else ``?``."""
    expression = metadata.get("license_expression")
    if expression:
        return str(expression)
    signs = [c for c in metadata.get("classifier", ()) if c.startswith("License ::")]
    words = [(metadata.get("license") or "").strip(), *(c.rpartition(":: ")[2] for c in signs)]
    if SEPARATOR.search(words[0]) and not refused(words[0]):
        return words[0]
    return next((KNOWN[word] for word in words if word in KNOWN), "?")


def refused(expression: str) -> list[str]:
    """The parts of an expression that are not allowed."""
    parts = [part.strip() for part in SEPARATOR.split(expression) if part and part.strip()]
    return [part for part in parts if part not in ALLOWED] if parts else ["nothing"]


def listed() -> dict[str, tuple[str, str]]:
    """Name -> version and licence, of docker/licences.md."""
    rows = re.findall(r"^\| (\S+) \| (\S+) \| (.+?) \|$", LIST.read_text(), re.MULTILINE)
    return {name: (version, licence) for name, version, licence in rows if version[0].isdigit()}


def problems() -> list[str]:
    """One line for each package that is not listed, listed in vain, or not allowed."""
    wanted, found = locked(), listed()
    lines = [f"{name}: expected {wanted[name]} in the list" for name in wanted if name not in found]
    lines += [f"{name}: listed, but not locked" for name in found if name not in wanted]
    for name, (version, licence) in found.items():
        if wanted.get(name, version) != version:
            lines.append(f"{name}: locked {wanted[name]}, listed {version}")
        if bad := refused(licence):
            lines.append(f"{name}: licence {', '.join(bad)} is unknown or not allowed")
    return lines


def write() -> None:
    """Ask the package index and write the list."""
    wanted = [f"{name}=={version}" for name, version in sorted(locked().items())]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps"]
    command += ["--ignore-installed", "--report", "-", *wanted]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = {}
    for entry in json.loads(report)["install"]:
        metadata = entry["metadata"]
        name = re.sub(r"[-_.]+", "-", metadata["name"].lower())
        licence = SILENT.get(name) or licence_of(metadata)
        rows[name] = (metadata["version"].removesuffix("+cpu"), licence)
    text = "# Licences of the packages in the prediction image\n\n"
    text += "Written by `python docker/licences.py --write`; checked by the tests. Packages whose\n"
    text += "names begin with nvidia or cuda, and triton, are in the CUDA image only; some others\n"
    text += (
        "are taken out again by docker/trim.sh. The system below is Debian's and Python's own.\n"
    )
    text += "\n| package | version | licence |\n| --- | --- | --- |\n"
    lines = [f"| {name} | {version} | {licence} |\n" for name, (version, licence) in rows.items()]
    LIST.write_text(text + "".join(sorted(lines)))


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        write()
    found = problems()
    print("\n".join(found) or f"{len(listed())} packages, all licences known and allowed")
    sys.exit(1 if found else 0)
