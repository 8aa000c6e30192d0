#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "cli/arguments.h"
#include "cli/output.h"
#include "kube/client.h"
#include "kube/resource.h"
#include "kube/verbs.h"

/** Who wrote what a command changes, in metadata.managedFields. */
#define REMOTE_MANAGER "kubectl-granary"

/** A cluster that a command asks, with the rights of who calls it. {0} before remote_open(). */
struct remote {
    struct kube_config config;
    struct kube_client *client;
    const char *space; /* of the command; NULL: all. Borrowed */
};

/** Kinds that commands read and write. */
extern const struct kube_resource remote_configurations, remote_sessions, remote_restores,
    remote_repositories;

/**
 * Reads the kubeconfig that the options name; connects with the first call.
 *
 * @return False: ERROR_NOT_FOUND, ERROR_INVALID, in words that say what to do.
 */
bool remote_open(struct remote *remote, const struct arguments *arguments,
                 struct error *err) MUST_CHECK;

void remote_close(struct remote *remote);

static inline void auto_remote(struct remote *remote)
{
    remote_close(remote);
}

/** All objects of a kind in the command's namespace, or in all. New list; NULL on failure, then
 *  the message names the kind. */
json_t *remote_list(const struct remote *remote, const struct kube_resource *resource,
                    struct error *err) MUST_CHECK;

/** The same of what is good to know beside: what this person may not read is an empty list, and is
 *  told as a warning. */
json_t *remote_list_beside(const struct remote *remote, const struct kube_resource *resource,
                           const struct output *output, struct error *err) MUST_CHECK;

/**
 * Finds the BackupConfiguration that a person names: by its own name, or by its target as
 * KIND/NAME ("deployment/web", in any case, also "deploy/web", "pvc/data").
 *
 * @param configurations  What remote_list() gave.
 * @return                Borrowed; NULL: ERROR_NOT_FOUND with what was perhaps meant,
 *                        ERROR_CONFLICT when several have this target.
 */
const json_t *remote_find(const json_t *configurations, const char *operand,
                          struct error *err) MUST_CHECK;

/** The kind before the slash of KIND/NAME as Kubernetes calls it, of what people call it ("deploy",
 *  "pvc"); as it stands there when nobody calls a kind so. The caller frees it. */
char *remote_kind(const char *operand);

/** True when a BackupConfiguration of this name is the one that is meant.
 *  @param target  {kind, name}. */
bool remote_is_named(const char *name, const json_t *target, const char *operand);
