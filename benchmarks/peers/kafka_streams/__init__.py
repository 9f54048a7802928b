"""The job in Java on Kafka Streams: fetched by Maven, compiled by javac, both once and into the user's cache."""

import fcntl
import shutil
import subprocess
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path

from monitor.embedded import maven
from monitor.embedded.java import find_java

VERSION = "4.1.0"
HERE = Path(__file__).parent


@cache
def java(*properties: str) -> list[str]:
    """The command up to the main class; `properties`: NAME=VALUE. The JVM is left as it is: its own compiler, collector and heap."""
    found = find_java()
    if found is None:
        raise SystemExit("no Java: Kafka Streams cannot take part; install one, or leave it out with --systems")
    jars = maven.fetch(
        f"kafka-streams-{VERSION}", "copy-dependencies", ["-DincludeScope=runtime"], pom=HERE / "pom.xml"
    )
    return [str(found), *(f"-D{each}" for each in properties), "-cp", f"{_classes(jars, found)}:{jars}/*", "Race"]


def _classes(jars: Path, java_found: Path) -> Path:
    sources = sorted((HERE / "src").glob("*.java"))
    digest = sha256(b"".join(each.read_bytes() for each in sources) + VERSION.encode()).hexdigest()[:12]
    directory = maven.cache_root() / f"race-classes-{digest}"
    with (maven.cache_root() / "race-classes.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            staging = Path(tempfile.mkdtemp(prefix=".race-classes-", dir=maven.cache_root()))
            beside = java_found.with_name("javac")
            javac = str(beside) if beside.exists() else shutil.which("javac")
            if javac is None:
                raise SystemExit(f"no javac beside {java_found} or on the PATH: install a JDK")
            subprocess.run([javac, "-d", str(staging), "-cp", f"{jars}/*", *map(str, sources)], check=True)
            staging.rename(directory)
    return directory
