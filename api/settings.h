#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"

/** Images that have the agent and programs of others beside it. */
enum settings_image {
    SETTINGS_IMAGE_ETCD,     /* etcd's, for Tasks of etcd */
    SETTINGS_IMAGE_MARIADB,  /* MariaDB's, likewise */
    SETTINGS_IMAGE_POSTGRES, /* PostgreSQL's tools and restic, for Tasks of it */
    SETTINGS_IMAGE_REDIS,    /* Redis's, likewise */
    SETTINGS_IMAGE_WIPE,     /* rclone, for Jobs that remove a repository */
    SETTINGS_IMAGES
};

/** What the administrator of the installation chose. {0} before settings_default() or
 *  settings_parse(). */
struct settings {
    char *agent_image;             /* owned */
    char *agent_image_pull_policy; /* owned; Always, IfNotPresent or Never */
    json_t *agent_pull_secrets;    /* owned; [{name}], for Jobs only; may be empty */
    json_t *agent_resources;       /* owned; {requests: {cpu, memory}, limits: {cpu, memory}} */
    char *images[SETTINGS_IMAGES]; /* owned; NULL: see settings_image() */
    bool deny;                     /* enforcement: Deny; an owner's mistake is refused */
    json_t *excluded;              /* owned; names of namespaces */
    char *cluster_name;            /* owned; "" when the cluster has none */
    int64_t concurrent_sessions;   /* at most so many at once in the whole cluster */
    int64_t concurrent_jobs;       /* of sessions, likewise */
    int64_t jobs_per_session;      /* at once */
    int64_t writes_per_second;     /* to the API server */
    char *pushgateway_url;         /* owned; NULL: there is none */
    char *pushgateway_ca;          /* owned; PEM of who signs its certificate; NULL: the image's */
    enum log_level log_level;
};

/** The built-in settings: those of an empty file. */
void settings_default(struct settings *settings);

/**
 * Reads settings: the built-in ones, and in their place what the tree has.
 *
 *   agent: {image, imagePullPolicy, imagePullSecrets: [{name}],
 *           resources: {requests: {cpu, memory}, limits: {cpu, memory}}}
 *   etcd: {image}
 *   mariadb: {image}
 *   postgres: {image}
 *   redis: {image}
 *   wipe: {image}
 *   enforcement: Warn | Deny
 *   excludedNamespaces: [name]
 *   clusterName: name
 *   limits: {concurrentSessions, concurrentJobs, jobsPerSession, writesPerSecond}
 *   pushgateway: {url, caBundle}
 *   logLevel: debug | info | warn | error
 *
 * @param settings  Filled in; release with settings_done().
 * @param tree      Borrowed; NULL and null are an empty file.
 * @return          False: ERROR_INVALID, the message begins with the key: one that is not known
 *                  (with the one that was probably meant), or a value that can not be.
 *
 * Spec: design, What owners and administrators can write.
 */
bool settings_parse(struct settings *settings, const json_t *tree, struct error *err) MUST_CHECK;

void settings_done(struct settings *settings);

static inline void auto_settings(struct settings *settings)
{
    settings_done(settings);
}

/** True when nothing in this namespace is ever touched. */
bool settings_excludes(const struct settings *settings, const char *space);

/** True when an owner's mistake is refused, whatever the blueprint says. */
bool settings_deny(const struct settings *settings);

/** The image that was set, else granary-etcd ... where granary-agent is, with its tag; where that
 * has another name or a digest, the agent's own, which says what it has not. Heap string. */
char *settings_image(const struct settings *settings, enum settings_image which);
