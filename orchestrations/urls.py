"""The addresses of this app's pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from orchestrations.views import (
    automate,
    bell,
    dashboard,
    editor,
    exchange,
    hooks,
    links,
    notifications,
    orchestration_list,
    orchestrations,
    retention,
    run_list,
    run_log,
    run_page,
    running,
    runs,
    schedules,
    search,
    status,
    tokens,
    trash,
    triggers,
    versions,
)

urlpatterns: list[URLPattern] = [
    # The Automate button, and schedules
    path("configurations/<int:pk>/automate/", automate.automate, name="automate"),
    path("orchestrations/<int:pk>/schedules/", schedules.schedule_list, name="schedule-list"),
    path("orchestrations/<int:pk>/schedules/new/", schedules.schedule_new, name="schedule-new"),
    path("schedules/<int:pk>/", schedules.schedule_edit, name="schedule-edit"),
    path("schedules/<int:pk>/switch/", schedules.schedule_switch, name="schedule-switch"),
    path("schedules/<int:pk>/delete/", schedules.schedule_delete, name="schedule-delete"),
    path("schedules/<int:pk>/slots/", schedules.schedule_slots, name="schedule-slots"),
    path("orchestrations/<int:pk>/triggers/new/", triggers.trigger_new, name="trigger-new"),
    path(
        "orchestrations/<int:pk>/triggers/new/<slug:kind>/",
        triggers.trigger_source_new,
        name="trigger-source-new",
    ),
    path("triggers/<int:pk>/secret/", triggers.trigger_secret, name="trigger-secret"),
    path("hooks/<str:key>/", hooks.hook, name="hook"),
    path("triggers/<int:pk>/", triggers.trigger_edit, name="trigger-edit"),
    path("triggers/<int:pk>/switch/", triggers.trigger_switch, name="trigger-switch"),
    path("triggers/<int:pk>/run/", triggers.trigger_run, name="trigger-run"),
    path("triggers/<int:pk>/delete/", triggers.trigger_delete, name="trigger-delete"),
    # Orchestrations and runs
    path("", dashboard.dashboard, name="dashboard"),
    path("sample/", dashboard.load_sample, name="sample-load"),
    path("orchestrations/", orchestration_list.index, name="orchestrations"),
    path("orchestrations/bulk/", orchestration_list.bulk, name="orchestrations-bulk"),
    path("orchestrations/new/", editor.new, name="orchestration-new"),
    path("orchestrations/tasks/choices/", editor.choices, name="task-choices"),
    path("orchestrations/<int:pk>/", orchestrations.detail, name="orchestration"),
    path("orchestrations/<int:pk>/details/", orchestrations.details, name="orchestration-details"),
    path("orchestrations/<int:pk>/tasks/", editor.tasks, name="orchestration-tasks"),
    path("orchestrations/<int:pk>/runs/", runs.of_orchestration, name="orchestration-runs"),
    path("orchestrations/<int:pk>/run/", running.start, name="orchestration-run"),
    path("orchestrations/<int:pk>/enabled/", orchestrations.enabled, name="orchestration-enabled"),
    path("orchestrations/<int:pk>/copy/", versions.copy, name="orchestration-copy"),
    path("orchestrations/<int:pk>/trash/", orchestrations.throw_away, name="orchestration-trash"),
    path("export/", exchange.project, name="project-export"),
    path("orchestrations/<int:pk>/export/", exchange.orchestration, name="orchestration-export"),
    path("orchestrations/<int:pk>/versions/", versions.index, name="orchestration-versions"),
    path(
        "orchestrations/<int:pk>/versions/compare/", versions.compare, name="orchestration-compare"
    ),
    path(
        "orchestrations/<int:pk>/versions/<int:number>/",
        versions.detail,
        name="orchestration-version",
    ),
    path(
        "orchestrations/<int:pk>/versions/<int:number>/restore/",
        versions.restore,
        name="orchestration-restore",
    ),
    path("runs/", run_list.index, name="runs"),
    path("runs/search/", run_list.suggestions, name="runs-search"),
    path("runs/<int:pk>/", run_page.detail, name="run"),
    path("runs/<int:pk>/log/", run_log.log, name="run-log"),
    path("runs/<int:pk>/log/download/", run_log.download, name="run-log-download"),
    path("runs/<int:pk>/tasks/<int:task>/attempts/", run_page.attempts, name="task-attempts"),
    path("runs/<int:pk>/retry/", running.retry, name="run-retry"),
    path("runs/<int:pk>/terminate/", running.terminate, name="run-terminate"),
    path(
        "runs/<int:pk>/tasks/<int:task>/terminate/", running.terminate_task, name="task-terminate"
    ),
    path("configurations/<int:pk>/orchestrations/", links.usage, name="configuration-usage"),
    path("jobs/<int:pk>/run/", links.run_of_job, name="job-run"),
    # Whether the installation works
    path("status/", status.page, name="status"),
    path("status/banner/", status.banner, name="status-banner"),
    path("status/slots/count/", status.count_slots, name="status-count"),
    path("healthz", status.healthz, name="healthz"),
    path("readyz", status.readyz, name="readyz"),
    path("metrics", status.metrics_text, name="metrics"),
    # Tokens
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/new/", tokens.token_new, name="token-new"),
    path("tokens/<int:pk>/rename/", tokens.token_rename, name="token-rename"),
    path("tokens/<int:pk>/revoke/", tokens.token_revoke, name="token-revoke"),
    path("orchestrations/<int:pk>/token/", tokens.assigned_token, name="assigned-token"),
    path("orchestrations/<int:pk>/token/refresh/", tokens.token_refresh, name="token-refresh"),
    path("trash/", trash.index, name="trash"),
    path("trash/restore/", trash.restore, name="trash-restore"),
    path("trash/purge/", trash.purge, name="trash-purge"),
    path("search/", search.index, name="search"),
    # Notifications, the messages they made, and the bell
    path("orchestrations/<int:pk>/notifications/", notifications.page, name="notifications"),
    path(
        "orchestrations/<int:pk>/notifications/card/", notifications.card, name="notification-card"
    ),
    path(
        "orchestrations/<int:pk>/notifications/secret/",
        notifications.secret,
        name="notification-secret",
    ),
    path(
        "orchestrations/<int:pk>/notifications/<slug:key>/test/",
        notifications.test,
        name="notification-test",
    ),
    path(
        "orchestrations/<int:pk>/notifications/<slug:key>/channel/",
        notifications.channel,
        name="notification-channel",
    ),
    path("orchestrations/<int:pk>/deliveries/", notifications.messages, name="deliveries"),
    path("deliveries/<int:pk>/retry/", notifications.retry, name="delivery-retry"),
    path("runs/<int:pk>/deliveries/", notifications.of_run, name="run-deliveries"),
    path("bell/", bell.index, name="bell"),
    path("bell/count/", bell.count, name="bell-count"),
    path("bell/seen/", bell.seen, name="bell-seen"),
    path("palette/", search.commands, name="palette"),
    path("retention/", retention.page, name="retention"),
]
