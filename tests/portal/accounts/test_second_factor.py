"""Second factors, and what is recorded of them."""

from __future__ import annotations

from django.contrib.auth import get_user
from django.test import Client
from django.urls import reverse

from tests.factories import PASSWORD
from tests.portal.accounts.driving import platform_actions, sign_in


def test_recovery_codes_work_once(client, owner, company):
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    TOTP.activate(owner, generate_totp_secret())
    code = RecoveryCodes.activate(owner).get_unused_codes()[0]
    for browser, enters in ((client, True), (Client(), False)):
        assert sign_in(browser)["Location"].startswith(reverse("mfa_authenticate"))
        browser.post(reverse("mfa_authenticate"), {"code": code})
        assert get_user(browser).is_authenticated is enters


def test_a_second_factor_is_recorded(client, owner, company):
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time

    sign_in(client)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    client.get(reverse("mfa_activate_totp"))
    secret = client.session["mfa.totp.secret"]
    code = format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))
    response = client.post(reverse("mfa_activate_totp"), {"code": code})
    assert response.status_code == 302
    assert "account:factor_added" in platform_actions()
