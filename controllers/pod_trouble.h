#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * Why a pod does not do its work, as its status tells: evicted, without a node, an image that can
 * not be pulled, killed for its memory, behind an init container that waits. Pure; a status is
 * written by kubelets and by whoever may write it, so every shape of it is normal.
 */

/* Characters of what is said of one pod: fits a message of a session beside the host's name. */
#define POD_TROUBLE_MAX_CHARS 160u

/** What is seen. */
struct pod_trouble {
    char *text;      /* owned; printable ASCII; NULL: nothing is seen */
    int64_t since_s; /* at the earliest 0 */
    bool past;       /* it has ended like that, and runs again */
    bool before;     /* only that an init container in front of ours is still at work */
};

static inline void auto_pod_trouble(struct pod_trouble *trouble)
{
    free(trouble->text);
}

/**
 * Looks at a pod.
 *
 * @param list       "containers" or "initContainers", where our container stands; NULL: every
 *                   container of the pod is ours, as in a Job.
 * @param container  Its name; NULL likewise.
 *
 * Spec: PodStatus of core/v1; catalogue PF8 (killed for memory).
 */
struct pod_trouble pod_trouble_of(const json_t *pod, const char *list, const char *container);

/** What a condition says, with its reason (or else `otherwise`). */
struct pod_trouble pod_trouble_said(const json_t *condition, const char *otherwise);
