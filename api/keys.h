#pragma once

#include <stdbool.h>

#include "base/span.h"

/*
 * Every name that stands in other people's objects: annotation keys, labels, container and volume
 * names, mount paths, API groups. They are a promise to those who wrote manifests with them, and to
 * agents of old releases; none of them ever changes its meaning.
 */

/* API groups and versions. Repository alone is v1alpha1. */
#define GROUP_STASH "stash.appscode.com"
#define GROUP_APPCATALOG "appcatalog.appscode.com"
#define GROUP_OPENSHIFT_APPS "apps.openshift.io"
#define API_STASH_V1BETA1 GROUP_STASH "/v1beta1"
#define API_STASH_V1ALPHA1 GROUP_STASH "/v1alpha1"
#define API_APPCATALOG GROUP_APPCATALOG "/v1alpha1"

/* Annotations of the owner on a target, as in Stash. */
#define KEY_STASH_PREFIX GROUP_STASH "/"
#define KEY_BLUEPRINT KEY_STASH_PREFIX "backup-blueprint"
#define KEY_SCHEDULE KEY_STASH_PREFIX "schedule"
#define KEY_TARGET_PATHS KEY_STASH_PREFIX "target-paths"
#define KEY_VOLUME_MOUNTS KEY_STASH_PREFIX "volume-mounts"
#define KEY_PARAMS_PREFIX "params.stash.appscode.com/"

/* What Stash itself writes: on the workload, and (the hashes) into its pod template. */
#define KEY_STASH_BACKUP_INVOKER KEY_STASH_PREFIX "last-applied-backup-invoker"
#define KEY_STASH_BACKUP_INVOKER_KIND KEY_STASH_PREFIX "last-applied-backup-invoker-kind"
#define KEY_STASH_BACKUP_HASH KEY_STASH_PREFIX "last-applied-backup-invoker-hash"
#define KEY_STASH_RESTORE_INVOKER KEY_STASH_PREFIX "last-applied-restore-invoker"
#define KEY_STASH_RESTORE_INVOKER_KIND KEY_STASH_PREFIX "last-applied-restore-invoker-kind"
#define KEY_STASH_RESTORE_HASH KEY_STASH_PREFIX "last-applied-restore-invoker-hash"

/* Annotations of the owner on a target, ours. */
#define KEY_PREFIX "granary.dev/"
#define KEY_BACKUP KEY_PREFIX "backup"
#define KEY_PAUSED KEY_PREFIX "paused"
#define KEY_EXCLUDE KEY_PREFIX "exclude"
#define KEY_RETENTION KEY_PREFIX "retention"
#define KEY_RESOURCES KEY_PREFIX "resources"
#define KEY_TIMEOUT KEY_PREFIX "timeout"
#define KEY_PRIORITY KEY_PREFIX "priority"
#define KEY_RESTORE_IF_EXISTS KEY_PREFIX "restore-if-exists"
#define KEY_REFRESH KEY_PREFIX "refresh"
#define KEY_DUMP_COMMAND KEY_PREFIX "dump-command"
#define KEY_DUMP_CONTAINER KEY_PREFIX "dump-container"

/* Annotations that granary writes: on the workload (never its template), in the pod template, on
 * Repository and BackupConfiguration. */
#define KEY_STAMP KEY_PREFIX "stamp"
#define KEY_AGENT KEY_PREFIX "agent"
#define KEY_TARGET KEY_PREFIX "target"
#define KEY_PLAN_SHA256 KEY_PREFIX "plan-sha256"
/* On Functions and Tasks that come with granary: of what was applied. */
#define KEY_CATALOG_SHA256 KEY_PREFIX "catalog-sha256"
#define KEY_BLUEPRINT_GENERATION KEY_PREFIX "blueprint-generation"

/* Annotations of people: on a RestoreSession, on a Repository. */
#define KEY_START_ANYWAY KEY_PREFIX "start-anyway"
#define KEY_ROLLBACK KEY_PREFIX "rollback"
#define KEY_DRY_RUN KEY_PREFIX "dry-run" /* of a restore of etcd: only the plan */
#define KEY_ADOPT KEY_PREFIX "adopt"
#define KEY_UNLOCK KEY_PREFIX "unlock"
#define KEY_FORGET_UNTAGGED KEY_PREFIX "forget-untagged"

/* Labels: on a Namespace (protects it) and on what we make; on what we make. */
#define LABEL_BLUEPRINT KEY_PREFIX "blueprint"
/* UID of the session whose Job or pod it is. */
#define LABEL_SESSION KEY_PREFIX "session"
#define LABEL_TARGET_KIND KEY_PREFIX "target-kind"
#define LABEL_TARGET_NAME KEY_PREFIX "target-name"

/* Containers in user pods; what the second one leaves as its message when the application starts
 * on what a restore brought back: this and the session's UID. */
#define CONTAINER_SIDECAR "stash"
#define CONTAINER_INIT "stash-init"
#define RESTORED_WORD "restored "

/* Volumes in user pods, and where they are mounted. */
#define VOLUME_IDENTITY "granary-identity"
#define VOLUME_SCRATCH "stash-tmp-dir"
#define VOLUME_LOCAL "stash-local"
#define MOUNT_IDENTITY "/var/run/secrets/kubernetes.io/serviceaccount"
#define MOUNT_SCRATCH "/stash-tmp"
#define MOUNT_VOLUMES "/stash-volumes"
#define MOUNT_CLAIM "/stash-data"

/* Of a Task's steps: Secrets of the AppBinding that is the target, a folder for each, and the
 * programs of etcd in their image. */
#define MOUNT_APP "/var/run/granary/app"
#define MOUNT_ETCD_TOOLS "/usr/lib/etcd"
#define ENV_APP "GRANARY_APP" /* the AppBinding, as JSON */
#define APP_SECRET "secret"
#define APP_TLS "tls"
#define APP_FROM "from-"

/* Environment of our containers: who they are. */
#define ENV_NODE_NAME "NODE_NAME"
#define ENV_POD_NAME "POD_NAME"
#define ENV_POD_NAMESPACE "POD_NAMESPACE"

/** Whether it is one of these, which nobody else sets in our containers. */
static inline bool key_is_own_variable(struct span name)
{
    return span_is(name, ENV_NODE_NAME) || span_is(name, ENV_POD_NAME) ||
           span_is(name, ENV_POD_NAMESPACE);
}

/* What is in the identity volume: a token of this audience and life, and a ConfigMap. */
#define IDENTITY_AUDIENCE "granary"
#define IDENTITY_TOKEN_SECONDS 3600
#define IDENTITY_CONFIGMAP "granary-agent"

/* Where granary itself runs. */
#define NAMESPACE_SYSTEM "granary-system"
