"""The page that asks before staff do something."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form was sent with; None for a form that is only shown."""
    return request.POST if request.method == "POST" else None


def act_page(
    request: HttpRequest,
    form: forms.Form,
    *,
    heading: str,
    lead: str,
    submit: str,
    tone: str,
    back: tuple[str, str, str],
    here: str = "",
    **more: Any,
) -> HttpResponse:
    """A page that says what the act does, asks `form`, and leads back to `back` (URL name, id, label).

    `here`: the page in its path, where the words of the button are no name for it.
    """
    name, identifier, label = back
    context = {
        "form": form,
        "heading": heading,
        "lead": lead,
        "submit": submit,
        "here": here or submit,
        "tone": tone,
        "back": reverse(name, args=[identifier] if identifier else []),
        "back_label": label,
    }
    return render(request, "staff/act.html", context | more, status=400 if form.errors else 200)
