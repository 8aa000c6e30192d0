#pragma once

#include <jansson.h>
#include <stdbool.h>

/*
 * What Jobs and CronJobs of ours have in common. All pure; results are new references.
 */

/** The labels of what runs for a BackupConfiguration, RestoreSession or Repository: its own, and
 *  ours over them. @param component  stash-backup, stash-restore ... */
json_t *job_labels(const json_t *invoker, const char *component);

/** True when a Namespace enforces level restricted of Pod Security: what runs there is never root.
 */
bool job_is_restricted(const json_t *space);

/** [ownerReference] to an object of this kind; its deletion takes ours along and does not wait. */
json_t *job_owners(const char *api_version, const char *kind, const json_t *metadata);

/** Appends `--flag=value` for the kubelet, to which "$$" is one "$"; NULL: nothing. */
void job_push_flag(json_t *args, const char *flag, const char *value);

/** Sets these members (NULL at the end) as people chose them; what they did not choose stays. */
void job_put_chosen(json_t *made, const json_t *chosen, const char *const *keys);

/**
 * The spec of a pod without containers and volumes: never restarted, without a token of the API
 * server, and what people chose in runtimeSettings.pod over that, field by field; the pull secrets
 * of the settings unless they chose their own.
 */
json_t *job_pod_spec(const json_t *chosen, const json_t *pull_secrets);

/** {labels, annotations} of a pod: ours, and podLabels and podAnnotations beside them. Labels are
 *  stolen. */
json_t *job_pod_metadata_new(json_t *labels, const json_t *chosen);

/** The template of a pod of which nothing is known: one container that promises nothing. */
json_t *job_template_unknown(void);
