#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kube/client.h"
#include "kube/resource.h"
#include "kube/watched.h"

/*
 * What can be done with objects. Objects are sent as they are; what comes back is what the server
 * has by then, and of the kind and name that were asked for.
 *
 * After a write that failed `outcome` says what is known. KUBE_UNKNOWN (the connection broke, no
 * answer in time, a 5xx): it may have been carried out, or still be. Read before acting again; the
 * message begins with "not known whether it was carried out". So objects that we create have names
 * that follow from their reason: a repeated create then gives ERROR_CONFLICT (AlreadyExists), and
 * the caller compares. Spec: catalogue B3, AF18.
 */

/** One object. Strings are borrowed for the call. */
struct kube_ref {
    const struct kube_resource *resource;
    const char *space; /* NULL of kinds without namespace, and only of them */
    const char *name;
    const char *sub; /* "status", "scale", "eviction" ...; NULL: the object itself */
};

/** How to write; {0} or NULL for what is usual. */
struct kube_options {
    const char
        *manager;       /* field manager, at most 128 printable characters; kube_apply() needs it */
    bool force;         /* kube_apply(): take fields that other managers own */
    bool dry_run;       /* judged, but not stored */
    int64_t timeout_ms; /* 0: KUBE_TIMEOUT_MS */
};

enum kube_outcome {
    KUBE_REFUSED, /* not carried out (also: never sent) */
    KUBE_DONE,
    KUBE_UNKNOWN
};

/** A field of an apply that another manager owns. */
struct kube_conflict {
    char *manager; /* owned; "kubectl-client-side-apply" */
    char *field;   /* owned; ".spec.template.spec.containers[name=\"stash\"].image" */
};

/** What became of a write. {0} before, filled also when false is returned; release with
 *  kube_result_done(). */
struct kube_result {
    enum kube_outcome outcome;
    json_t *object;  /* owned; as stored (of a delete: its last state, or NULL); NULL on failure */
    char reason[64]; /* of the Status: "AlreadyExists", "Conflict", "Invalid" ...; "" */
    struct kube_conflict *conflicts; /* of a failed apply, at most KUBE_CONFLICTS_MAX */
    size_t conflict_count;
};

void kube_result_done(struct kube_result *result);

static inline void auto_kube_result(struct kube_result *result)
{
    kube_result_done(result);
}

/*
 * All of them: ERROR_INVALID, and nothing is sent, when a name is missing or can not be one (an
 * empty one would reach the collection), or when the object misses what the verb needs. Other codes
 * as kube_call() gives them.
 */

/** Reads one object, never from a cache. New reference; NULL on failure. */
json_t *kube_get(struct kube_client *client, const struct kube_ref *ref,
                 struct error *err) MUST_CHECK;

/** The same with a deadline of its own. */
json_t *kube_get_within(struct kube_client *client, const struct kube_ref *ref, int64_t timeout_ms,
                        struct error *err) MUST_CHECK;

/** Its metadata alone (PartialObjectMetadata, under the object's own apiVersion and kind). */
json_t *kube_get_metadata(struct kube_client *client, const struct kube_ref *ref,
                          struct error *err) MUST_CHECK;

/** Creates. @param ref  Its name is the object's; NULL when the server makes one (generateName), or
 *  for kinds that are questions, not objects. */
bool kube_create(struct kube_client *client, const struct kube_ref *ref, const json_t *object,
                 const struct kube_options *options, struct kube_result *result,
                 struct error *err) MUST_CHECK;

/** Replaces the object that was read: it must hold metadata.resourceVersion. ERROR_CONFLICT when
 *  somebody else has changed it since: read again, decide again. */
bool kube_replace(struct kube_client *client, const struct kube_ref *ref, const json_t *object,
                  const struct kube_options *options, struct kube_result *result,
                  struct error *err) MUST_CHECK;

/**
 * Server-side apply: what `intent` says is so, and what this manager said before and does not say
 * any more is given up. Makes the object when there is none, unless the intent names a uid.
 *
 * @param intent  apiVersion, kind, metadata.name and the fields that are ours; no managedFields.
 * @return        False with ERROR_CONFLICT and result->conflicts when other managers own some of
 *                them and options->force is not set; the message names them.
 */
bool kube_apply(struct kube_client *client, const struct kube_ref *ref, const json_t *intent,
                const struct kube_options *options, struct kube_result *result,
                struct error *err) MUST_CHECK;

/** JSON Patch (RFC 6902): all or nothing; ERROR_INVALID when a `test` fails, or the result does. */
bool kube_json_patch(struct kube_client *client, const struct kube_ref *ref, const json_t *patch,
                     const struct kube_options *options, struct kube_result *result,
                     struct error *err) MUST_CHECK;

/** Puts a `test` in front of the operations: the patch fails unless `path` (RFC 6901) has this
 *  value. "/metadata/uid": the object that was meant, not one of the same name. */
void kube_json_patch_test(json_t *patch, const char *path, const json_t *value);

/** Names the state of an object that a write follows from: its uid and resourceVersion, as they
 * were read, into the `metadata` of what is sent. */
void kube_name_state(json_t *metadata, const json_t *object);

/** Merge patch (RFC 7396). With metadata.resourceVersion in it: ERROR_CONFLICT when the object has
 *  another; with metadata.uid likewise. */
bool kube_merge_patch(struct kube_client *client, const struct kube_ref *ref, const json_t *patch,
                      const struct kube_options *options, struct kube_result *result,
                      struct error *err) MUST_CHECK;

/** What becomes of objects that the deleted one owns. */
enum kube_propagation {
    KUBE_PROPAGATE_DEFAULT, /* as its kind says */
    KUBE_PROPAGATE_BACKGROUND,
    KUBE_PROPAGATE_FOREGROUND,
    KUBE_PROPAGATE_ORPHAN
};

/** Under which conditions to delete; {0} or NULL: none, as its kind says. */
struct kube_delete {
    const char *uid;     /* only this object, not a later one of the same name; NULL: any */
    const char *version; /* only in this state; NULL: any */
    enum kube_propagation propagation;
    int64_t grace_s; /* 0: as its kind says; KUBE_GRACE_NONE: none */
};
#define KUBE_GRACE_NONE (-1)

/** Deletes one object, never a collection. ERROR_NOT_FOUND when there is none, ERROR_CONFLICT when
 *  it is another one or in another state. Finalizers may keep it for a while. */
bool kube_delete(struct kube_client *client, const struct kube_ref *ref,
                 const struct kube_delete *how, const struct kube_options *options,
                 struct kube_result *result, struct error *err) MUST_CHECK;

/**
 * Lists what there is now (a consistent read), in pages; when these expire under way, once more in
 * one piece. For what is looked at now and then: what is followed is in kube/informer.h.
 *
 * @param watched  Kind, namespace and selectors. `optional`: a kind that is not there is empty.
 * @param version  The list's resource version, appended; NULL: not asked for.
 * @return         New list of objects as watched_take() makes them; NULL on failure:
 * ERROR_TOO_LARGE beyond KUBE_LIST_MAX_BYTES, ERROR_INTERNAL when the pages never end.
 */
json_t *kube_list(struct kube_client *client, const struct kube_watched *watched,
                  struct text *version, struct error *err) MUST_CHECK;
