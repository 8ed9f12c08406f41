"""What the browser test needs, in build/browser/: Playwright, an old JupyterLab, and servers that
the test starts.

Nothing is added to .venv. Environments are made once and again when their list of packages changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import site
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from ci import bootstrap
from ci.bootstrap import ROOT, make_venv, python_of, say, stop, write

HOME = ROOT / "build" / "browser"
PROJECT = site.getsitepackages()[0] if hasattr(site, "getsitepackages") else ""
LAB3 = [
    "jupyterlab==3.6.8",
    "ipywidgets==7.7.1",
    "jupyterlab-widgets==1.1.11",
    "widgetsnbextension==3.6.10",
    "notebook==6.5.7",
]
MANAGER = "@jupyter-widgets/jupyterlab-manager"
# No lookups at a model hub, and no warnings about what is as it should be.
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
START = 120  # seconds that a server may take until it answers
# An old JupyterLab stays alone in its environment; only the kernel sees the project's packages,
# behind its own.
KERNEL = (
    "import site; site.addsitedir({0!r}); "
    "from ipykernel.kernelapp import launch_new_instance as go; go()"
)
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Server:
    """A running JupyterLab: where it listens, its token, and the folder that it shows."""

    url: str
    token: str
    folder: Path

    def call(self, path: str, method: str = "GET"):
        """The JSON that the server answers on ``/api/...``, None for an empty answer."""
        request = urllib.request.Request(
            f"{self.url}api/{path}", method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def close_kernels(self) -> None:
        for session in self.call("sessions"):
            self.call(f"sessions/{session['id']}", "DELETE")


def environment(venv: Path, *installs: list[str], behind: bool = True) -> Path:
    """The Python of an environment in which pip has installed each of these lists in turn.

    With ``behind`` the project's packages come after its own. It is made once, and again when a
    list, a file that one names, or Python changes.
    """
    files = [Path(ROOT, part) for each in installs for part in each if part.endswith(".txt")]
    parts = [*map(str, installs), *(file.read_text(encoding="utf-8") for file in files)]
    parts += [PROJECT if behind else "", sys.version]
    stamp, made_from = venv / "made-from", hashlib.sha256("\0".join(parts).encode()).hexdigest()
    python = python_of(venv)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == made_from:
        return python
    say(f"Making the environment {venv.relative_to(ROOT).as_posix()} (once; some minutes) ...")
    make_venv(venv)
    if behind:
        write(packages_of(venv) / "project.pth", f"import site; site.addsitedir({PROJECT!r})\n")
    for each in installs:
        bootstrap.run_pip(["install", *each], python)
    write(stamp, made_from)
    return python


def tests_pass(python: Path, report: Path, *tests: str, settings: dict[str, str]) -> bool:
    """Run tests with that Python; True if all pass and none skips. ``report`` is for JUnit."""
    report.unlink(missing_ok=True)
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs"]
    command += [f"--junitxml={report}", *tests]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | settings)
    return done.returncode == 0 and "<skipped" not in report.read_text(encoding="utf-8")


def packages_of(venv: Path) -> Path:
    """The folder site-packages of an environment."""
    return next(iter([*venv.glob("lib/python*/site-packages"), venv / "Lib" / "site-packages"]))


def tools() -> Path:
    """The folder of Playwright, axe and Sphinx, behind the project's packages; now importable."""
    wanted = ["-c", "constraints.txt", "-e", ".[browser,book]"]
    if bootstrap.is_locked():
        wanted = ["--require-hashes", "-r", "ci/locks/browser.txt", "-r", "ci/locks/book.txt"]
    environment(HOME / "tools", wanted)
    folder = packages_of(HOME / "tools")
    site.addsitedir(str(folder))
    return folder


def settings(place: Path, python: Path, *, widgets: bool) -> dict[str, str]:
    """Lay out a server's own settings in an empty folder; the variables that lead it there, and its
    kernels.

    No questions about news, none of the user's own settings; without ``widgets`` their extension is
    switched off."""
    news = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
    extension = place / "settings" / "@jupyterlab" / "apputils-extension"
    write(extension / "notification.jupyterlab-settings", json.dumps(news))
    disabled = {"disabledExtensions": {MANAGER: not widgets}}
    write(place / "config" / "labconfig" / "page_config.json", json.dumps(disabled))
    own = python.parent.parent == Path(sys.prefix)
    start = ["-m", "ipykernel_launcher"] if own else ["-c", KERNEL.format(PROJECT)]
    argv = [str(python), *start, "-f", "{connection_file}"]
    kernel = {"argv": argv, "display_name": "Python 3", "language": "python"}
    write(place / "data" / "kernels" / "python3" / "kernel.json", json.dumps(kernel))
    write(place / "ipython" / "profile_default" / "ipython_kernel_config.py", "")
    return {
        "JUPYTER_CONFIG_DIR": str(place / "config"),
        "JUPYTER_DATA_DIR": str(place / "data"),
        "JUPYTER_PATH": str(place / "data"),
        "JUPYTER_RUNTIME_DIR": str(place / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(place / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(place / "workspaces"),
        "IPYTHONDIR": str(place / "ipython"),
        **QUIET,
    }


@contextlib.contextmanager
def server(python: Path, place: Path, folder: Path, *, widgets: bool = True):
    """A JupyterLab on ``folder``, its settings and log in ``place``; ended on leaving."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    own = os.environ | settings(place, python, widgets=widgets) | {"JUPYTER_TOKEN": token}
    command = [str(python), "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += [f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}"]
    running = Server(f"http://127.0.0.1:{port}/", token, folder)
    with (place / "server.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=own, cwd=folder)
        try:
            wait_for(running, process, place / "server.log")
            yield running
            running.close_kernels()
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def wait_for(running: Server, process: subprocess.Popen, log: Path) -> None:
    """Return when the server answers; end the program with its log's last lines if it does not."""
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError, urllib.error.URLError):
            running.call("status")
            return
        time.sleep(0.5)
    say("\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]))
    stop("JupyterLab did not start (the last lines of its log are above).")


def on_path() -> str | None:
    """A Chromium on the PATH, None if there is none."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


def chromium(play):
    """The Chromium of this machine, else of Playwright's handle ``play``, started; or the end."""
    program = on_path() or play.chromium.executable_path
    if not Path(program).exists():
        stop("No Chromium: `apt-get install chromium` or `playwright install chromium`.")
    # so that it also starts as root and in a container
    options = ["--no-sandbox", "--disable-dev-shm-usage"]
    return play.chromium.launch(executable_path=program, args=options)
