"""Template tags of the design system: icon, badge, chart."""

from django import template

register = template.Library()
