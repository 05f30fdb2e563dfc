"""What a process does besides computing, by Python's audit: programs started, sockets, pickles, writes elsewhere."""

import json
from pathlib import Path

# Python that runs before a call. Paths that are not absolute are below a handle that was opened before, or in the
# current folder, whose content the test compares.
HOOK = """
import json, os, sys
allowed, log = {allowed!r}, os.open({log!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
NEVER = ("pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "subprocess.Popen",
         "pty.spawn", "socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto",
         "urllib.Request", "http.client.connect", "ftplib.connect", "webbrowser.open", "marshal.loads",
         "ctypes.dlopen/no", "code.__new__")
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate", "os.chmod",
           "os.chown", "shutil.rmtree", "shutil.move", "shutil.copyfile", "tempfile.mkstemp", "tempfile.mkdtemp")
busy = False
def outside(path):
    if isinstance(path, int):
        return False
    path = os.fsdecode(path)
    return os.path.isabs(path) and not os.path.realpath(path).startswith(allowed)
def ours():
    return "/iwax/" in sys._getframe(2).f_code.co_filename
def hook(event, arguments):
    global busy
    if busy:
        return
    busy = True
    try:
        found = event in NEVER and not (event in ("marshal.loads", "code.__new__") and not ours())
        if event in ("exec", "compile"):
            found = ours()
        elif event == "open":
            path, mode, flags = arguments
            found = bool(flags and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)) and outside(path)
        elif event in CHANGES:
            found = any(outside(each) for each in arguments if isinstance(each, (str, bytes)))
        if found:
            os.write(log, (json.dumps([event, repr(arguments)[:300]]) + chr(10)).encode())
    finally:
        busy = False
sys.addaudithook(hook)
"""


def watched(log: Path, *allowed: Path | str) -> str:
    """Python that watches its process from here on; files below `allowed` may be written."""
    places = tuple(str(each).rstrip("/") for each in ("/dev/null", "/dev/shm/iwax-none", *allowed))
    return HOOK.format(allowed=places, log=str(log))


def events(log: Path) -> list[list[str]]:
    """What was seen, as (event, its arguments)."""
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
