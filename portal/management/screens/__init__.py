"""Pictures of every page, to look at: `manage.py screens`."""
