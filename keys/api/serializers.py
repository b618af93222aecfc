"""The shapes of the verify API: for its OpenAPI document, and to check what is not on the hot path."""

from __future__ import annotations

from rest_framework import serializers

from keys.verdicts import MEANINGS, Code

CODES = "\n".join(
    f"- `{code}`: {meaning.message} The MCP server answers {meaning.status}"
    + (f' with `WWW-Authenticate: Bearer error="{meaning.error}"`.' if meaning.error else
       " with `Retry-After`." if meaning.status == 429 else ".")
    for code, meaning in MEANINGS.items()
)  # fmt: skip


class QuestionSerializer(serializers.Serializer):
    """What a server asks."""

    key = serializers.CharField(max_length=512, trim_whitespace=False, help_text="The key that the AI client sent.")
    tool = serializers.CharField(
        max_length=128, required=False, allow_null=True, help_text="The tool that is called; checks its scope."
    )
    client_ip = serializers.IPAddressField(
        required=False, allow_null=True, help_text="The AI client's address; needed for keys with an IP allow list."
    )
    client = serializers.CharField(
        max_length=80, required=False, allow_blank=True, allow_null=True,
        help_text="The AI client's name, such as `gemini-cli`; shown in the key's usage.",
    )  # fmt: skip


class BatchSerializer(serializers.Serializer):
    """Up to 100 questions."""

    items = QuestionSerializer(many=True, min_length=1, max_length=100)  # type: ignore[call-arg]


class RateLimitSerializer(serializers.Serializer):
    """What is left of the limit that is nearest."""

    limit = serializers.IntegerField()
    remaining = serializers.IntegerField()
    reset_at = serializers.DateTimeField()


class NamedSerializer(serializers.Serializer):
    """Something with an id and a name."""

    id = serializers.CharField()
    name = serializers.CharField()


class KeyCompanySerializer(NamedSerializer):
    """The key's company."""

    slug = serializers.CharField()


class KeyUserSerializer(NamedSerializer):
    """The member whom the key acts for."""

    email = serializers.EmailField()


class VerdictSerializer(serializers.Serializer):
    """The verdict. A refusal has `valid`, `code`, `message`, `request_id` and what its code calls for."""

    valid = serializers.BooleanField()
    code = serializers.ChoiceField([code.value for code in Code], help_text=CODES)
    message = serializers.CharField(required=False, help_text="A refusal in words.")
    kind = serializers.ChoiceField(
        ["key", "connection"],
        required=False,
        help_text="`connection`: an access token that an AI client got by OAuth; `key_id` is then the connection's.",
    )
    key_id = serializers.CharField(required=False)
    key_name = serializers.CharField(required=False)
    company = KeyCompanySerializer(required=False)
    user = KeyUserSerializer(required=False)
    server = NamedSerializer(required=False)
    scopes = serializers.ListField(child=serializers.CharField(), required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    rate_limit = RateLimitSerializer(required=False, allow_null=True)
    cache_seconds = serializers.IntegerField(
        required=False, help_text="How long the verdict may be kept, if the revocation feed is followed."
    )
    required_scope = serializers.CharField(required=False, help_text="INSUFFICIENT_SCOPE: the scope that would do.")
    retry_after = serializers.IntegerField(required=False, help_text="RATE_LIMITED: seconds to wait.")
    request_id = serializers.CharField()


class VerdictsSerializer(serializers.Serializer):
    """Verdicts in the order of the questions."""

    results = VerdictSerializer(many=True)


class ProblemSerializer(serializers.Serializer):
    """An RFC 9457 problem document about the caller's own request."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    request_id = serializers.CharField()


class FeedEventSerializer(serializers.Serializer):
    """What to forget: one key, a company's keys, or all."""

    key_id = serializers.CharField(required=False)
    company_id = serializers.CharField(required=False)
    all = serializers.BooleanField(required=False)


class FeedSerializer(serializers.Serializer):
    """A part of the revocation feed."""

    cursor = serializers.CharField()
    events = FeedEventSerializer(many=True)
    poll_seconds = serializers.FloatField()


class UsageItemSerializer(serializers.Serializer):
    """Calls of one key that a verifier answered from its cache."""

    key_id = serializers.CharField(max_length=12)
    tool = serializers.CharField(max_length=128, required=False, allow_blank=True, allow_null=True)
    client = serializers.CharField(max_length=80, required=False, allow_blank=True, allow_null=True)
    client_ip = serializers.IPAddressField(required=False, allow_null=True)
    count = serializers.IntegerField(min_value=1, max_value=10_000_000)
    at = serializers.DateTimeField(required=False, help_text="When; default: now. Not older than a day.")


class UsageReportSerializer(serializers.Serializer):
    """A report: its `id` makes it count once, however often it is sent."""

    id = serializers.UUIDField()
    items = UsageItemSerializer(many=True, max_length=1000)  # type: ignore[call-arg]


class LoginSerializer(serializers.Serializer):
    """GrowERP's sign-in by username and password."""

    username = serializers.CharField(max_length=254)
    password = serializers.CharField(max_length=1000, trim_whitespace=False)
    client = serializers.CharField(max_length=80, required=False, allow_blank=True)
    classificationId = serializers.CharField(max_length=80, required=False, allow_blank=True)  # noqa: N815


class LoginResultSerializer(serializers.Serializer):
    """The key made by the sign-in."""

    key = serializers.CharField()
    key_id = serializers.CharField()
    user = KeyUserSerializer()
    company = KeyCompanySerializer()
    expires_at = serializers.DateTimeField()
