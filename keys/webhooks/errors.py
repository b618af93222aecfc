"""What can be wrong with an act on a webhook endpoint. Pages say `message`; it tells what to do."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from keys.errors import LifecycleError


class AddressUnusable(LifecycleError):
    """The endpoint's address is no URL that events can be sent to."""

    code = "address_unusable"
    default = _("Use a full address such as https://example.com/latchkey.")


class EventUnknown(LifecycleError):
    """An event type that there is not."""

    code = "event_unknown"
    default = _("There is no such event. Choose from the list.")


class TooManyEndpoints(LifecycleError):
    """The company has as many endpoints as it can have."""

    code = "too_many_endpoints"
    default = _("A company can have 20 endpoints. Delete one that is not needed.")


class EndpointOff(LifecycleError):
    """Nothing is sent to an endpoint that is switched off."""

    code = "endpoint_off"
    default = _("The endpoint is switched off. Switch it on first.")
