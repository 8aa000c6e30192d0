#pragma once

#include <jansson.h>

#include "api/cluster.h"
#include "kube/informer.h"

/*
 * What the leader knows of the cluster: the kinds of a table, listed and watched, with ways to find
 * their objects. Trees are shared between threads, nobody edits them. From an API server, or from a
 * folder of YAML with the same objects.
 */
struct known;

/** The kinds. Who needs another one adds it here and to the table in known.c; rights for it go into
 *  manifests/system/rbac/controller.yaml. Secrets are never among them. */
enum known_kind {
    KNOWN_NAMESPACE, /* metadata only */
    KNOWN_BLUEPRINT,
    KNOWN_CONFIGURATION,
    KNOWN_REPOSITORY,
    KNOWN_SESSION, /* BackupSession */
    KNOWN_RESTORE, /* RestoreSession */
    KNOWN_FUNCTION,
    KNOWN_TASK,
    KNOWN_DEPLOYMENT, /* metadata only, as the targets that follow */
    KNOWN_STATEFULSET,
    KNOWN_DAEMONSET,
    KNOWN_REPLICASET,
    KNOWN_REPLICATIONCONTROLLER,
    KNOWN_DEPLOYMENTCONFIG,
    KNOWN_CLAIM,
    KNOWN_APP,
    KNOWN_POD, /* metadata only, without those that have ended; whole ones by known_whole() */
    KNOWN_JOB, /* ours, whole: those with the label app.kubernetes.io/managed-by */
    KNOWN_CRONJOB,
    KNOWN_IDENTITY, /* ConfigMaps granary-agent */
    KNOWN_LEASE,    /* of targets and Repositories, in our own namespace */
    KNOWN_KINDS
};
#define KNOWN_TARGET_FIRST KNOWN_DEPLOYMENT
#define KNOWN_TARGET_LAST KNOWN_APP

/** Ways to find objects. Which kinds have which: the table in known.c. */
#define KNOWN_BY_SPACE "space" /* namespace */
#define KNOWN_BY_OWNER "owner" /* uid of an owner reference, controller or not */
#define KNOWN_BY_TARGET                                                                            \
    "target" /* "group/Kind/namespace/name" that it is about: ours by                              \
                annotation, any by spec.target.ref */
#define KNOWN_BY_BLUEPRINT                                                                         \
    "blueprint" /* name: annotation of a target, label of a namespace; of                          \
                   what we made, value of its label (name_label_value) */
#define KNOWN_BY_REPOSITORY                                                                        \
    "repository"                   /* "namespace/name" of its Repository; of a Lease, of           \
                                      what it is about */
#define KNOWN_BY_INVOKER "invoker" /* "namespace/name" of a BackupSession's configuration */
#define KNOWN_BY_SESSION "session" /* UID of the session that holds a Lease */
#define KNOWN_BY_SECRET "secret"   /* "namespace/name" of a Repository's storage Secret */
#define KNOWN_BY_PLACE "place"     /* where a Repository keeps its data: repository_place.h */

/** Where it comes from and whom to tell. */
struct known_options {
    struct kube_client *client;  /* borrowed; NULL: the folder */
    struct kube_client *watcher; /* for lists and watches; NULL: the same */
    const char *folder;
    const char *space; /* ours; NULL: all */
    /** In a thread of its own, before known_synced() says anything. NULL: nobody. */
    void (*changed)(void *context, struct known *known, const struct informer_change *change);
    void *context;
    struct reflector_limits limits;
    bool lists_only;
};

/** Begins. @return  To be ended by known_stop(). NULL: no threads, or no such folder. */
struct known *known_start(const struct known_options *options, struct error *err) MUST_CHECK;

/** Ends all its threads, at once after kube_client_cancel(). NULL is fine. */
void known_stop(struct known *known);

/** True when all kinds were listed, and told. Before, absence means nothing. */
bool known_synced(struct known *known);
bool known_wait_synced(struct known *known, int64_t timeout_ms);

/** How the kind is called at the API server. Static. */
const struct kube_resource *known_resource(enum known_kind kind);

/** The kind of an object or reference by apiVersion (its version is not compared) and kind;
 *  KNOWN_KINDS: none of them. */
enum known_kind known_kind_of(const json_t *object);

/** Look-ups: new references, NULL when there is none; new arrays, which may be empty. Any thread.
 *  The kind must have that index. */
json_t *known_get(struct known *known, enum known_kind kind, const char *space, const char *name);
json_t *known_uid(struct known *known, enum known_kind kind, const char *uid);
json_t *known_find(struct known *known, enum known_kind kind, const char *index, const char *text);
json_t *known_all(struct known *known, enum known_kind kind);

/** What decisions are made from (api/cluster.h), not older than the changes that were told; with a
 *  reference for the caller. Made when it is asked for and something of it has changed. */
const struct cluster *known_cluster(struct known *known);

/** Reads the whole object, from the API server; of a folder: as it is known. New reference; NULL as
 *  kube_get() says. */
json_t *known_whole(struct known *known, enum known_kind kind, const char *space, const char *name,
                    struct error *err) MUST_CHECK;

/** False while the API server does not know the kind at all (any more): then that an object is not
 *  there says nothing about it. */
bool known_is_served(struct known *known, enum known_kind kind);

/** From a folder: an object as it would be when somebody wrote it; `gone`: deleted it. Told as a
 *  change, in this thread, and forgotten when the folder changes. */
void known_pretend(struct known *known, const json_t *object, bool gone);

/** "group/Kind/namespace/name" of a target, as in annotation granary.dev/target. The caller frees
 *  it; NULL when the object has no kind or name. */
char *known_target_text(const json_t *object);

/** The same of what an object is about; NULL: nothing. The caller frees it. */
char *known_target_of(const json_t *object);

/** "namespace/name" of what a reference {name, namespace} of an object names. The caller frees it;
 *  NULL without a name. */
char *known_reference(const json_t *object, const json_t *reference);

/** For metrics. */
struct known_facts {
    bool synced;
    int64_t objects, errors;
    char problem[256]; /* of the first kind that can not be followed now; "" */
};
struct known_facts known_look(struct known *known);
