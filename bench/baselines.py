"""What the verify endpoint is measured against: views that do nothing, behind the same middleware."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

ANSWER = {"valid": True, "code": "VALID"}


@csrf_exempt
def bare_django(request: HttpRequest) -> JsonResponse:
    """A Django view that answers JSON."""
    return JsonResponse(ANSWER)


class BareDRF(APIView):
    """A DRF view as it comes: its own defaults."""

    authentication_classes = ()
    permission_classes = ()
    parser_classes = (JSONParser,)
    renderer_classes = (JSONRenderer,)

    def post(self, request: Request) -> Response:
        """Read the body and answer."""
        assert request.data is not None
        return Response(ANSWER)
