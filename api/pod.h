#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/findings.h"

/*
 * What a pod template says, as far as a backup must know it. All functions are pure and take
 * `template` as the object with `metadata` and `spec` (spec.template of a workload); parts of
 * another shape than Kubernetes allows count as absent.
 */

/** The volumes of a pod that are backed by claims. */
struct pod_claims {
    const json_t *template;        /* borrowed */
    const json_t *claim_templates; /* of a StatefulSet, or NULL. Borrowed */
};

/** True when this volume is backed by a PersistentVolumeClaim or a claim template. */
bool pod_is_claim(const struct pod_claims *claims, const char *volume);

/** True when the template has this volume, or (StatefulSet) a claim template of this name. */
bool pod_has_volume(const struct pod_claims *claims, const char *volume);

/** True when some container has this volume as a block device. */
bool pod_is_device(const struct pod_claims *claims, const char *volume);

/** What is said of it. */
#define POD_DEVICE_TEXT "volume %s is a block device, which can not be backed up as files: left out"

/** True when at least one volume is backed by a claim. */
bool pod_has_claims(const struct pod_claims *claims);

/** How many containers, volumes, mounts and claim templates there are, all together. */
size_t pod_size(const struct pod_claims *claims);

/** NULL-terminated names of all volumes and claim templates, borrowed; the array is the caller's.
 */
const char **pod_volume_names(const struct pod_claims *claims);

/**
 * Where our container mounts the pod's claims, when the owner did not say: every claim-backed
 * volume at its own mount path. A volume that some container mounts whole is taken there, once;
 * else each of its subPaths. Containers come before init containers, in their order.
 *
 * @param cautions  Told of: claims that no container mounts, block devices, two volumes at one path
 *                  (the first keeps it, the others go to /stash-volumes/<volume>).
 * @return          New array of {name, mountPath, subPath?, subPathExpr?}; empty when there is
 * none.
 */
json_t *pod_derive_mounts(const struct pod_claims *claims, struct findings *cautions);

/**
 * The mount that covers this path in some container of the pod: the longest mountPath that is the
 * path or an ancestor of it, compared by components.
 *
 * @return New {name, mountPath, subPath?, subPathExpr?}, or NULL.
 */
json_t *pod_covering_mount(const struct pod_claims *claims, const char *path);

/**
 * The environment variables that the subPathExpr of these mounts name, as the container defines
 * them that has the mount: literals and fieldRefs only.
 *
 * @return New array of env entries, each name once (empty when there is no subPathExpr); NULL when
 * a variable is neither, is not defined there, or means two things in two containers.
 */
json_t *pod_path_variables(const json_t *template, const json_t *mounts);

/** True when `path` is `mount` or lies below it, by components (/data2 is not below /data). */
bool pod_path_within(const char *path, const char *mount);

/** True for a mountPath that Kubernetes takes and that is not the root: absolute, without ".." and
 *  ":". False of NULL. */
bool pod_path_is_sound(const char *path);

/** True for a subPath that Kubernetes takes: relative, without "..". True of NULL: there is none.
 */
bool pod_sub_path_is_sound(const char *sub);

/** How restricted a pod is. Spec: Pod Security Standards, the checks that 1.34 makes. */
enum pod_security { POD_PRIVILEGED, POD_BASELINE, POD_RESTRICTED };

/** The most restricted level that this template passes. */
enum pod_security pod_security_level(const json_t *template);

/** Whose files our container has to read. */
struct pod_user {
    bool nonroot; /* the pod promises runAsNonRoot for all of its containers */
    bool known;   /* one UID for all containers that mount our volumes (may be 0) */
    bool several; /* they differ */
    int64_t uid;  /* of the first container that mounts, when that is known; else -1 */
    int64_t gid;  /* its group, or -1 */
};

/** As whom our container runs in that pod. */
enum pod_run {
    POD_RUN_AS_UID,   /* pod_user.uid and gid */
    POD_RUN_AS_IMAGE, /* our image's own user, which is not root */
    POD_RUN_AS_ROOT,  /* UID 0 with DAC_OVERRIDE, nothing else */
};

/** How the agent may read other people's files: BackupBlueprint spec.fileAccess. */
enum file_access { FILE_ACCESS_AUTO, FILE_ACCESS_ROOT, FILE_ACCESS_FOLLOW };

/** The table of the design, "What is put into a pod, User". */
enum pod_run pod_run_as(const struct pod_user *user, enum file_access access);

/** Looks at the containers that mount one of these mounts' volumes; if none does, at the init
 *  containers that do; else at all containers. */
struct pod_user pod_user_of(const json_t *template, const json_t *mounts);

/** True for a Windows pod: spec.os.name, or a node selector for it. */
bool pod_is_windows(const json_t *template);

/** True when the pod has resources of its own (spec.resources). */
bool pod_has_resources(const json_t *template);

/** True when the pod's processes see each other (shareProcessNamespace or hostPID). */
bool pod_shares_processes(const json_t *template);

/** True when every container and init container has CPU and memory limits equal to its requests. */
bool pod_is_guaranteed(const json_t *template);

/** True when in a Guaranteed pod some container has whole CPUs (they may be exclusive ones). */
bool pod_has_whole_cpus(const json_t *template);
