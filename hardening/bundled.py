"""Libraries that wheels bring along in files of their own, and under which licence each of them is.

A wheel names its own licence only. x264 and x265 in PyAV's wheel are under the GPL; FFmpeg there is built with
them.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution

RUNTIME = "GPL-3.0-or-later WITH GCC-exception-3.1"
LIBRARIES: tuple[tuple[str, str, str], ...] = (
    ("libav(codec|device|filter|format|util)|libsw(resample|scale)", "FFmpeg", "LGPL-3.0-or-later"),
    ("libx264", "x264", "GPL-2.0-or-later"),
    ("libx265", "x265", "GPL-2.0-or-later"),
    ("libSvtAv1Enc", "SVT-AV1", "BSD-3-Clause-Clear"),
    ("libdav1d", "dav1d", "BSD-2-Clause"),
    ("libaom", "libaom", "BSD-2-Clause"),
    ("libavif", "libavif", "BSD-2-Clause"),
    ("libvpx", "libvpx", "BSD-3-Clause"),
    ("libvpl", "oneVPL", "MIT"),
    ("libwebp(mux|demux)?|libsharpyuv", "libwebp", "BSD-3-Clause"),
    ("libmp3lame", "LAME", "LGPL-2.0-or-later"),
    ("libopus", "Opus", "BSD-3-Clause"),
    ("libopencore-amr[nw]b", "opencore-amr", "Apache-2.0"),
    ("libgnutls", "GnuTLS", "LGPL-2.1-or-later"),
    ("libnettle|libhogweed", "Nettle", "LGPL-3.0-or-later OR GPL-2.0-or-later"),
    ("libgmp", "GMP", "LGPL-3.0-or-later OR GPL-2.0-or-later"),
    ("libunistring", "libunistring", "LGPL-3.0-or-later OR GPL-2.0-or-later"),
    ("libasound", "ALSA", "LGPL-2.1-or-later"),
    ("libdrm", "libdrm", "MIT"),
    ("libxcb(-shape|-shm|-xfixes)?", "libxcb", "X11"),
    ("libXau", "libXau", "X11"),
    ("libgfortran|libquadmath|libgomp", "GCC runtime", RUNTIME),
    ("lib(scipy_)?openblas(64_|p)?(-r0)?", "OpenBLAS", "BSD-3-Clause"),
    ("libpng16", "libpng", "libpng-2.0"),
    ("libjpeg", "libjpeg-turbo", "IJG AND BSD-3-Clause"),
    ("libtiff", "libtiff", "libtiff"),
    ("libopenjp2", "OpenJPEG", "BSD-2-Clause"),
    ("liblcms2", "Little CMS", "MIT"),
    ("libfreetype", "FreeType", "FTL OR GPL-2.0-only"),
    ("libharfbuzz", "HarfBuzz", "MIT"),
    ("libbrotli(common|dec)", "Brotli", "MIT"),
    ("liblzma", "XZ", "0BSD"),
    ("libzstd", "Zstandard", "BSD-3-Clause OR GPL-2.0-only"),
    ("libpq", "PostgreSQL", "PostgreSQL"),
    ("libldap|liblber", "OpenLDAP", "OLDAP-2.8"),
    ("libsasl2", "Cyrus SASL", "BSD-4-Clause-UC"),
    ("libkrb5(support)?|libk5crypto|libgssapi_krb5", "MIT Kerberos", "MIT"),
    ("libcom_err", "libcom_err", "MIT"),
    ("libkeyutils", "keyutils", "LGPL-2.1-or-later"),
    ("libcrypt", "libxcrypt", "LGPL-2.1-or-later"),
    (r"libcrypto|libssl", "OpenSSL", "Apache-2.0"),
)
"""The name of a file up to its version, the library, its licence."""
_OLD_OPENSSL = "OpenSSL AND SSLeay"  # until 1.1.1


def libraries_of(wheel: Distribution) -> dict[str, tuple[str, list[str]]]:
    """Licence and files of each library that an installed wheel brought along.

    Raises:
        LookupError: a file is not known here.
    """
    found: dict[str, tuple[str, list[str]]] = {}
    for file in sorted(str(path) for path in wheel.files or ()):
        folder, _, name = file.rpartition("/")
        if not (folder.endswith(".libs") or re.match(r"libgomp.*\.so", name)) or ".so" not in name:
            continue
        stem = re.sub(r"(-[0-9a-f]{8})*(\.[\d.]+)?\.so.*", "", name)
        known = [(what, licence) for pattern, what, licence in LIBRARIES if re.fullmatch(pattern, stem)]
        if len(known) != 1:
            raise LookupError(f"{wheel.name} brings {name}: name it, with its licence, in hardening/bundled.py")
        what, licence = known[0]
        if what == "OpenSSL" and ".so.1." in name:
            licence = _OLD_OPENSSL
        found.setdefault(what, (licence, []))[1].append(name)
    return found
