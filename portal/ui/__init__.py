"""The design system: icons, badges, charts and the tags that templates use."""
