"""How long history is kept."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models


class Retention(models.Model):
    """The one row that says how long runs and jobs are kept; off until somebody switches it on.

    A run goes when it is older than `days` (`failed_days` where it did not succeed) and not among
    the last `runs` of its orchestration; jobs likewise, by configuration.
    """

    is_enabled = models.BooleanField(default=False)
    runs = models.PositiveIntegerField(default=100, validators=[MinValueValidator(1)])
    days = models.PositiveIntegerField(default=90, validators=[MinValueValidator(1)])
    failed_days = models.PositiveIntegerField(default=365, validators=[MinValueValidator(1)])
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "retention"

    def __str__(self) -> str:
        return "Retention"
