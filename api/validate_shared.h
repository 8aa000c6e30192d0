#pragma once

#include "api/restic_args.h"
#include "api/validate_schema.h"

/* Types that several of our kinds share. Spec: stash-behaviour 1.2. */

extern const struct schema task_ref_schema;         /* {name?, params?[]} */
extern const struct schema temp_dir_schema;         /* tempDir */
extern const struct schema retry_schema;            /* retryConfig */
extern const struct schema retention_schema;        /* retentionPolicy */
extern const struct schema runtime_settings_schema; /* {pod?, container?} */
extern const struct schema backup_hooks_schema;     /* hooks of a backup */
extern const struct schema restore_hooks_schema;    /* hooks of a restore */
extern const struct schema repository_ref_schema;   /* {name!, namespace?} */
extern const struct schema target_ref_schema;       /* {apiVersion?, kind?, name?, namespace?} */
extern const struct schema target_mount_schema;     /* an element of target.volumeMounts */
extern const struct schema usage_schema;            /* {from?, selector?}: allowedNamespaces */
extern const struct schema repository_schema;       /* Repository.spec, inlined in a blueprint */
extern const struct schema guard_schema;            /* guard */
extern const struct schema verify_schema;           /* verify */

/* The whole spec of each kind. */
extern const struct schema blueprint_schema;
extern const struct schema configuration_schema;
extern const struct schema session_schema;
extern const struct schema restore_schema;
extern const struct schema function_schema;
extern const struct schema task_schema;
extern const struct schema app_schema;

/** Words of `mode` and `fileAccess`, of a BackupBlueprint and of a BackupConfiguration. */
extern const char *const modes[];
extern const char *const file_accesses[];

/** What a target is. */
enum target_class {
    TARGET_NONE,     /* no ref, or its kind is none of ours */
    TARGET_WORKLOAD, /* a pod template */
    TARGET_CLAIM,    /* PersistentVolumeClaim */
    TARGET_APP,      /* AppBinding */
};

/** Of spec.target.ref, by its kind. */
enum target_class target_class_of(const json_t *target);

/** True when a sidecar or an init container does the work: a workload, and no task is named. */
bool target_in_pod(const json_t *spec);

/**
 * Judges `target` and `repository` of a BackupConfiguration's or RestoreSession's spec: kind and
 * group of the target, its namespace, whether this namespace may use the Repository.
 * The judge's path is the spec's.
 */
void judge_target(struct judge *judge, const json_t *spec);
void judge_repository_use(struct judge *judge, const json_t *spec);

/** Judges target.args: words that this command of restic may have. The judge's path is the spec's.
 */
void judge_args(struct judge *judge, const json_t *target, enum restic_command command);

/** Adds an error when one of these members of spec differs between the old object and this one. */
void judge_storage_change(struct judge *judge, const json_t *old, const json_t *spec);
