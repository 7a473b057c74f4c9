"""A host with users, groups and PAM services of a test's own: files that are laid over those of /etc in a mount
namespace.
"""

import subprocess
from pathlib import Path

PASSWORD = "Schöne Pferde; 'quoted' $x"
PRIVATE = """
for name in passwd group shadow pam.d; do mount --bind "$1/$name" "/etc/$name" || exit 9; done
"""
"""A shell's words, in a mount namespace; the folder is its first argument."""
UNIX = "auth required pam_unix.so\naccount required pam_unix.so\n"


class PrivateHost:
    """anna and olaf have the password; gone's account has expired, open has none, and locked may not sign in."""

    def __init__(self, etc: Path) -> None:
        self.etc = etc
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", "-stdin"], input=PASSWORD, capture_output=True, text=True, check=True
        ).stdout.strip()
        users = {"anna": hashed, "olaf": hashed, "gone": hashed, "open": "", "locked": "!" + hashed}
        ids = {name: 3000 + number for number, name in enumerate(users)}
        passwd = [f"{name}:x:{id}:3000::/nonexistent:/usr/sbin/nologin" for name, id in ids.items()]
        (etc / "passwd").write_text("\n".join(["root:x:0:0::/root:/bin/sh", *passwd, ""]))
        (etc / "group").write_text(
            "root:x:0:\nshadow:x:42:\nstaff:x:3000:\nadmins:x:3001:anna\nweb-team:x:3002:anna,olaf\n"
        )
        shadow = [f"{name}:{word}:20000:::::{'1' if name == 'gone' else ''}:" for name, word in users.items()]
        (etc / "shadow").write_text("\n".join(["root:*:20000::::::", *shadow, ""]))
        (etc / "pam.d").mkdir()
        self.serve("outlast", UNIX)

    def serve(self, name: str, text: str) -> None:
        (self.etc / "pam.d" / name).write_text(text)

    def script(self, name: str, text: str) -> Path:
        path = self.etc / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path
