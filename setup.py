"""Build step that pyproject.toml cannot express: the wheel carries the example corpus."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithExample(build_py):
    """Copy the example corpus beside ``pipeline.config``, which looks for it there."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # then the checkout has it
            folder = Path(self.build_lib) / "pipeline" / "examples"
            folder.mkdir(exist_ok=True)
            self.copy_file("examples/emotions.csv", str(folder))


setup(cmdclass={"build_py": BuildWithExample})
