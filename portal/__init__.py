"""What a person meets: accounts, companies, billing, audit, the staff dashboard and the one-command start."""
