"""The addresses of this app's pages."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path

from components.views import (
    audit,
    components,
    configuration_actions,
    configurations,
    job_list,
    jobs,
    storage,
    storage_changes,
)

table_patterns = [
    path("", storage.table, name="table"),
    path("upload/", storage_changes.table_upload, name="table-upload"),
    path("export/", storage.table_export, name="table-export"),
    path("delete/", storage_changes.table_delete, name="table-delete"),
    path("versions/<int:version>/restore/", storage.table_restore, name="table-restore"),
]

configuration_patterns = [
    path("", configurations.configuration, name="configuration"),
    path("save/", configurations.configuration_save, name="configuration-save"),
    path("test/", configurations.configuration_test, name="configuration-test"),
    path("run/", configuration_actions.configuration_run, name="configuration-run"),
    path("jobs/", configuration_actions.configuration_jobs, name="configuration-jobs"),
    path("copy/", configuration_actions.configuration_copy, name="configuration-copy"),
    path("trash/", configuration_actions.configuration_trash, name="configuration-trash"),
    path("restore/", configuration_actions.configuration_restore, name="configuration-restore"),
    path("versions/", configuration_actions.configuration_versions, name="configuration-versions"),
    path(
        "versions/compare/",
        configuration_actions.configuration_compare,
        name="configuration-compare",
    ),
    path(
        "versions/<int:number>/restore/",
        configuration_actions.configuration_version_restore,
        name="configuration-version-restore",
    ),
    re_path(
        r"^(?P<field>name|description)/$",
        configurations.configuration_text,
        name="configuration-text",
    ),
    re_path(
        r"^(?P<field>name|description)/shown/$",
        configurations.configuration_text_shown,
        name="configuration-text-shown",
    ),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("components/", components.components, name="components"),
    path("components/<str:key>/", components.component, name="component"),
    path("components/<str:key>/new/", components.configuration_new, name="configuration-new"),
    path("configurations/tables/", components.table_options, name="table-options"),
    path("configurations/<int:pk>/", include(configuration_patterns)),
    path("jobs/", job_list.index, name="jobs"),
    path("jobs/search/", job_list.suggestions, name="jobs-search"),
    path("jobs/<int:pk>/", jobs.job, name="job"),
    path("jobs/<int:pk>/log/", jobs.job_log, name="job-log"),
    path("jobs/<int:pk>/log/download/", jobs.job_log_download, name="job-log-download"),
    path("jobs/<int:pk>/terminate/", jobs.job_terminate, name="job-terminate"),
    path("audit/", audit.audit, name="audit"),
    path("audit/export/", audit.audit_export, name="audit-export"),
    path("audit/<str:word>/<int:pk>/", audit.audit_object, name="audit-object"),
    path("storage/", storage.storage, name="storage"),
    path("storage/upload/", storage_changes.table_new, name="table-new"),
    path("storage/buckets/<str:key>/", storage.bucket, name="bucket"),
    path("storage/buckets/<str:key>/delete/", storage.bucket_delete, name="bucket-delete"),
    path("storage/tables/<str:key>/", include(table_patterns)),
]
