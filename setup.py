"""Lists the packages; everything else about the build stands in pyproject.toml.

``pyproject.toml`` can find packages or rename folders, but not both at once: the top folders ``conf`` and
``dashboard`` are installed as ``trialign.conf`` and ``trialign.dashboard``.
"""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["trialign", "trialign.*"]),
        "trialign.conf",
        "trialign.dashboard",
        *(f"trialign.dashboard.{name}" for name in find_packages("dashboard")),
    ]
)
