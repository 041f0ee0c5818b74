"""The audit report: everything an auditor signs, from the audit's own files, as HTML, JSON, CSV and a model card."""

from trialign.audit.report.build import build_report
from trialign.audit.report.types import Finding, Report, SignOff
from trialign.audit.report.write import write_report

__all__ = ["Finding", "Report", "SignOff", "build_report", "write_report"]
