"""What Streamlit runs; started by ``trialign dashboard``."""

from trialign.dashboard.shell import run

run()
