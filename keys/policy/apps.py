"""The policy room."""

from django.apps import AppConfig


class PolicyConfig(AppConfig):
    """What a company asks of its new keys."""

    name = "keys.policy"
    label = "key_policy"

    def ready(self) -> None:
        """Let companies know what they cannot know by themselves: who may make keys, and what members have."""
        from keys import datasets, handover  # noqa: F401  (register themselves)
        from keys.policy.selectors import reaches_floor
        from portal.companies.roles import narrow

        narrow("key:create", reaches_floor)
