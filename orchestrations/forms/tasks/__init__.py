"""The tasks editor as a plain form: rows of phases and tasks in the order in which they are posted.

Nothing is saved between two clicks: the rows travel with the form, each button changes them, and
*Save* makes one version of what is there. So it works without JavaScript.
"""

from __future__ import annotations

from orchestrations.forms.tasks.form import TasksForm

__all__ = ["TasksForm"]
