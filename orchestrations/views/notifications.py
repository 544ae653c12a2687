"""Who is told of an orchestration's runs, tests of it, and the messages that were sent."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import trigger_client_event

from orchestrations.enums import Channel, DeliveryStatus, NotificationEvent
from orchestrations.exceptions import InvalidNotifications, NotAllowed
from orchestrations.forms.notifications import NotificationsForm
from orchestrations.models import Delivery, Notification, Orchestration, Run
from orchestrations.queries.notifications import (
    event_rows,
    list_messages,
    messages_of_run,
    recipient_rows,
)
from orchestrations.services import deliveries, notifications
from orchestrations.services.notices import is_mail_set_up
from orchestrations.views.finding import find_orchestration
from orchestrator_site.lib.access import EDIT, OPERATE, VIEW, person, requires
from orchestrator_site.lib.htmx import (
    Level,
    done,
    invalid,
    render_page_or_fragment,
    toast,
    wants_fragment,
)
from orchestrator_site.lib.secrets import UnreadableSecret

PAGE, FORM = "orchestrations/notification_page.html", "orchestrations/_notification_form.html"
RECIPIENTS = "orchestrations/_notification_recipients.html"
LOG_PAGE, LOG = "orchestrations/delivery_list_page.html", "orchestrations/_delivery_list.html"
SIGNING = "orchestrations/_notification_secret.html"
CHANGED = "deliveriesChanged"


@requires(VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, pk: int) -> HttpResponse:
    orchestration = find_orchestration(pk)
    if request.method == "POST":
        if not request.user.has_perm(EDIT):
            raise PermissionDenied
        return _save(request, orchestration)
    form = NotificationsForm(orchestration)
    return render(request, PAGE, _context(request, orchestration, form))


def _save(request: HttpRequest, orchestration: Orchestration) -> HttpResponse:
    form = NotificationsForm(orchestration, request.POST)
    if form.save(person(request)) is None:
        context = _context(request, orchestration, form) | {"unsaved": True}
        return invalid(request, PAGE, FORM, context)
    message = "The notifications have been saved."
    if not wants_fragment(request):
        return done(request, message, back=reverse("notifications", args=[orchestration.pk]))
    fresh = NotificationsForm(orchestration)
    context = _context(request, orchestration, fresh) | {"beside": True}
    return toast(render(request, FORM, context), message)


@requires(VIEW)
@require_safe
def card(request: HttpRequest, pk: int) -> HttpResponse:
    orchestration = find_orchestration(pk)
    context = {"orchestration": orchestration, "events": event_rows(orchestration)}
    return render(request, "orchestrations/_notification_card.html", context)


@requires(EDIT)
@require_POST
def test(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    notification = _notification(pk, key)
    message = deliveries.send_test(notification, user=person(request))
    sent = message.status == DeliveryStatus.SENT
    said = f"The test to {message.recipient} " + ("was sent." if sent else "failed.")
    return _recipients(request, notification, said, level="success" if sent else "error")


@requires(EDIT)
@require_POST
def channel(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    notification = _notification(pk, key)
    wanted = request.POST.get("channel", "")
    try:
        notifications.set_channel(notification, wanted, user=person(request))
    except InvalidNotifications as error:
        why = next(iter(error.fields.values()), str(error))
        return _recipients(request, notification, why, level="error")
    said = f"{notification.recipient} now gets the format of {Channel(wanted).label}."
    return _recipients(request, notification, said)


@requires(EDIT)
@require_POST
@never_cache
def secret(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what webhooks are signed with, to those who may change it; or renew it."""
    orchestration = find_orchestration(pk)
    renew = "renew" in request.POST
    context = _context(request, orchestration, NotificationsForm(orchestration))
    try:
        context["secret"] = notifications.signing_secret(orchestration, renew=renew)
    except UnreadableSecret:
        context["problem"] = "It cannot be read with the present SECRET_KEY; renew it."
    context["renewed"] = renew
    return render_page_or_fragment(request, PAGE, SIGNING, context)


@requires(VIEW)
@require_safe
def messages(request: HttpRequest, pk: int) -> HttpResponse:
    return _messages(request, get_object_or_404(Orchestration, pk=pk))


@requires(OPERATE)
@require_POST
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    found = Delivery.objects.select_related("orchestration").filter(orchestration__deleted_at=None)
    delivery = get_object_or_404(found, pk=pk)
    said = f"The message to {delivery.recipient} is tried again now."
    level: Level = "success"
    try:
        deliveries.try_again(delivery)
    except NotAllowed as error:
        said, level = str(error), "warning"
    back = reverse("deliveries", args=[delivery.orchestration_id])
    return trigger_client_event(done(request, said, back=back, level=level), CHANGED)


@requires(VIEW)
@require_safe
def of_run(request: HttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(Run.objects.select_related("created_by"), pk=pk)
    found = messages_of_run(run)
    pending = any(message.status == DeliveryStatus.PENDING for message in found)
    context = {
        "run": run,
        "deliveries": found,
        "is_live": pending or not run.is_finished,
        "by_hand": run.started_by in {"manual", "retry"},
    }
    return render(request, "orchestrations/_run_deliveries.html", context)


def _messages(request: HttpRequest, orchestration: Orchestration) -> HttpResponse:
    chosen = {name: request.GET.get(name, "") for name in ("status", "event")}
    after = request.GET.get("after", "")
    mark = int(after) if after.isdecimal() and len(after) < 19 else None  # noqa: PLR2004
    context = {
        "orchestration": orchestration,
        "page": list_messages(
            orchestration, status=chosen["status"], event=chosen["event"], after=mark
        ),
        "after": mark,
        "chosen": chosen,
        "statuses": DeliveryStatus.choices,
        "events": NotificationEvent.choices,
        "nav": "orchestrations",
    }
    return render_page_or_fragment(request, LOG_PAGE, LOG, context)


def _recipients(
    request: HttpRequest, notification: Notification, said: str, *, level: Level = "success"
) -> HttpResponse:
    """Answer with the recipients as they now are and a message, or go back to the page."""
    orchestration = notification.orchestration
    if not wants_fragment(request):
        return done(
            request, said, back=reverse("notifications", args=[orchestration.pk]), level=level
        )
    context = _context(request, orchestration, NotificationsForm(orchestration))
    answer = toast(render(request, RECIPIENTS, context), said, level=level)
    return trigger_client_event(answer, CHANGED)


def _notification(pk: int, key: str) -> Notification:
    found = Notification.objects.select_related("orchestration")
    return get_object_or_404(found, orchestration__pk=pk, orchestration__deleted_at=None, key=key)


def _context(
    request: HttpRequest, orchestration: Orchestration, form: NotificationsForm
) -> dict[str, Any]:
    rows = recipient_rows(orchestration)
    return {
        "orchestration": orchestration,
        "form": form,
        "suggestions": form.suggestions(person(request)),
        "kinds": {row.recipient: row.channel.label for row in rows if row.is_url},
        "recipients": rows,
        "is_signed": any(row.channel == Channel.WEBHOOK for row in rows),
        "channels": [(c.value, c.label) for c in Channel if c != Channel.EMAIL],
        "lacks_mail": not is_mail_set_up() and any(not row.is_url for row in rows),
        "nav": "orchestrations",
    }
