"""The pages of /docs/: for everyone, signed in or not."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.help import library, search
from portal.help.menu import WAYS


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Where to begin, and every document by group."""
    return render(request, "help/index.html", {"menu": library.menu(), "ways": WAYS, "name": ""})


@require_safe
def page(request: HttpRequest, name: str) -> HttpResponse:
    """One document."""
    found = library.page(name)
    if found is None:
        raise Http404
    order = [each for group in library.menu() for each in group.pages]
    place = next((number for number, each in enumerate(order) if each.name == name), None)
    context = {
        "page": found,
        "menu": library.menu(),
        "name": name,
        "previous": order[place - 1] if place else None,
        "following": order[place + 1] if place is not None and place + 1 < len(order) else None,
    }
    return render(request, "help/page.html", context)


@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """The sections that hold the words of `?q=`."""
    question = request.GET.get("q", "").strip()[: search.LONGEST_QUESTION]
    context = {"menu": library.menu(), "question": question, "hits": search.find(question), "ways": WAYS, "name": ""}
    return render(request, "help/search.html", context)
