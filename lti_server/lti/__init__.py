"""The LTI tool: login, launch, keys, memberships, grades. pylti1p3 is imported here alone."""
