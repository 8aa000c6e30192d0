#pragma once

#include <jansson.h>

#include "api/plan.h"
#include "base/text.h"

/*
 * Requests for a plan, as rows of tables: objects in one line (JSON with single quotes), put
 * together of what is usual and what a row is about.
 */

#define KEEP "'retentionPolicy': {'name': 'k', 'keepLast': 5, 'prune': true}"
#define AT(prefix)                                                                                 \
    "'backend': {'storageSecretName': 's', 'gcs': {'bucket': 'b', 'prefix': '" prefix "'}}"
#define BLUEPRINT_AT(name, prefix, rest)                                                           \
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupBlueprint', 'metadata': {'name':" \
    " '" name "', 'generation': 3}, 'spec': {'schedule': '@daily', " KEEP ", " AT(prefix) rest     \
        "}}"
#define BLUEPRINT(name, rest) BLUEPRINT_AT(name, name "/${TARGET_KIND}/${TARGET_NAME}", rest)
#define UNSCHEDULED                                                                                \
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupBlueprint', 'metadata': {'name':" \
    " 'daily'}, 'spec': {" KEEP ", " AT("p") "}}"
#define DAILY BLUEPRINT("daily", "")
#define LOCAL_BLUEPRINT(name, path, claim)                                                         \
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupBlueprint', 'metadata': {'name':" \
    " '" name "'}, 'spec': {'schedule': '@daily', " KEEP ", 'backend': {'storageSecretName': 's'," \
    " 'local': {'mountPath': '" path "', 'persistentVolumeClaim': {'claimName': '" claim "'}}}}}"
#define NAMESPACE(labels)                                                                          \
    "{'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': 'shop', 'labels': {" labels    \
    "}}}"
#define LABELLED NAMESPACE("'granary.dev/blueprint': 'daily'")
#define REF(kind, name)                                                                            \
    "'target': {'ref': {'apiVersion': 'apps/v1', 'kind': '" kind "', 'name': '" name "'}"
#define STASH(kind, metadata, spec)                                                                \
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': '" kind "', 'metadata': {'namespace':"   \
    " 'shop', " metadata "}, 'spec': {" spec "}"
#define CONFIGURATION(metadata, target, rest)                                                      \
    STASH("BackupConfiguration", metadata,                                                         \
          REF("Deployment", "web") target "}, 'repository': {'name': 'repo'}, 'schedule':"         \
                                          " '@daily', " KEEP rest)                                 \
    "}"
#define BY_HAND CONFIGURATION("'name': 'mine'", "", "")
#define RESTORE(name, target, rest, status)                                                        \
    STASH("RestoreSession", name,                                                                  \
          REF("Deployment", "web") target "}, 'repository': {'name': 'repo'}" rest)                \
    status "}"
#define RULES ", 'rules': [{'paths': ['/data']}]"
#define WAITING RESTORE("'name': 'back', 'uid': 'u-9'", RULES, "", "")
#define REPOSITORY(name, annotations, labels, backend)                                             \
    "{'apiVersion': 'stash.appscode.com/v1alpha1', 'kind': 'Repository', 'metadata': {'name': "    \
    "'" name "', 'namespace': 'shop', 'annotations': {" annotations "}, 'labels': {" labels        \
    "}}, 'spec': {'backend': {'storageSecretName': 's', " backend "}}}"
#define STORE(path)                                                                                \
    "'local': {'mountPath': '" path "', 'persistentVolumeClaim': {'claimName': 'store'}}"
#define OURS "'granary.dev/target': 'apps/Deployment/shop/web'"

#define ASKS "'stash.appscode.com/backup-blueprint': 'daily'"
#define WEB_POD "pvc a; app a:/data"
#define OBJECTS_MAX 5

#define REPO_LOCAL(path) REPOSITORY("repo", "", "", STORE(path))

/* A request. What is not given: an annotated Deployment shop/web with one claim, a blueprint. */
struct request_row {
    const char *kind; /* "Deployment"; "PersistentVolumeClaim" and "AppBinding" have `spec` */
    const char *annotations; /* members; NULL: ASKS */
    const char *metadata;    /* more members of metadata */
    const char *pod;         /* NULL: WEB_POD */
    const char *spec;        /* of a claim or an AppBinding */
    const char *settings;
    const char *objects[OBJECTS_MAX]; /* of the cluster; none: DAILY */
    bool bare;                        /* see struct plan_request */
};

/* A request and what it was made of. */
struct planned {
    json_t *object, *objects;
    struct target target;
    struct settings settings;
    const struct cluster *cluster;
    struct text trace;
    struct plan plan;
};

void auto_planned(struct planned *asked);

/** Makes the plan that a row asks for. Release with auto_planned(), also when it fails half-way. */
void plan_row(struct planned *asked, const struct request_row *row);
