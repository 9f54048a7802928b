"""The audit log as evidence: exported, verified, proved from, and pinned by signed checkpoints. For auditors: docs/audit.md."""
