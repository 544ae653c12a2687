"""Tokens that may do nothing but start some orchestrations."""

from __future__ import annotations

from django.db import models

from components.models import ApiToken
from orchestrations.models.orchestration import Orchestration


class TokenGrant(models.Model):
    """An orchestration that a token of the scope “trigger” may start.

    `is_own` marks the token that each orchestration has; it is shown and refreshed on its page.
    """

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="grants")
    orchestration = models.ForeignKey(
        Orchestration, on_delete=models.CASCADE, related_name="token_grants"
    )
    is_own = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["token", "orchestration"], name="one_grant_per_token"),
            models.UniqueConstraint(
                fields=["orchestration"],
                condition=models.Q(is_own=True),
                name="one_own_token_per_orchestration",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.token} may start {self.orchestration}"
