"""Which model is served, who said so, and why: approvals, evaluations, history."""
