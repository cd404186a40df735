"""The package as others install it: a wheel in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import parley

from .vectors import ROOT

SOURCE = ROOT / "python"


class Package(unittest.TestCase):
    def run_in(self, folder: Path, *command: str | Path) -> str:
        """Runs a command in a folder without the paths of the tests, and returns what it prints."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))}
        environment |= {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_a_wheel_installs_the_package_its_types_and_the_plugin(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        copy = folder / "source"  # a build leaves files behind
        shutil.copytree(SOURCE / "parley", copy / "parley", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(SOURCE / name, copy)
        pip = (sys.executable, "-m", "pip")
        self.run_in(folder, *pip, "wheel", "--no-build-isolation", "--no-deps", "-w", "wheels", copy)
        (wheel,) = (folder / "wheels").iterdir()
        environment = folder / "environment"
        self.run_in(folder, sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", environment)
        self.run_in(folder, *pip, "--python", environment / "bin" / "python", "install", wheel)

        there = self.run_in(folder, environment / "bin" / "python", "-c", "import parley; print(parley.__file__)")
        installed = Path(there.strip()).parent
        self.assertTrue(installed.is_relative_to(environment), installed)
        names = sorted(p.name for p in Path(parley.__file__).parent.iterdir() if p.suffix == ".py" or p.name == "py.typed")
        self.assertEqual(sorted(p.name for p in installed.iterdir() if p.name != "__pycache__"), names)

        plugin = environment / "bin" / "protoc-gen-python-parley"
        proto = ROOT / "proto" / "parley" / "ping" / "v1"
        out = ("--python_out=out", "--python-parley_out=out")
        (folder / "out").mkdir()
        self.run_in(folder, "protoc", f"--plugin=protoc-gen-python-parley={plugin}", "-I", proto, *out, "ping.proto")
        for name in ("ping_parley.py", "ping_parley.pyi"):
            self.assertEqual((folder / "out" / name).read_text(), (SOURCE / "gen" / name).read_text())
        script = "import parley, ping_parley; ping_parley.PingServiceStub(parley.Client('ws://a.example/'))"
        self.run_in(folder / "out", environment / "bin" / "python", "-c", script)
