#pragma once

#include <jansson.h>

#include "certs/rotation.h"
#include "controllers/ring.h"
#include "kube/resource.h"

/*
 * Certificates, the pure part: what was read of the cluster and what time it is go in, the writes
 * that are next come out. Who carries them out reads again and asks again; every write names the
 * state that it was decided from, so that of two leaders one fails.
 */

/** What is read and written. */
enum certificates_object {
    CERTIFICATES_CA,         /* Secret granary-ca: the CAs and their keys */
    CERTIFICATES_LEAF,       /* Secret granary-webhook-tls: what the webhook serves with */
    CERTIFICATES_MUTATING,   /* the webhook configurations: whom the API server trusts */
    CERTIFICATES_VALIDATING, /* */
    CERTIFICATES_AGENT,      /* ConfigMap granary-agent: whom agents trust, and where he is */
    CERTIFICATES_AGENTS,     /* Service granary-agents: its address; only read */
    CERTIFICATES_OBJECTS
};

#define CERTIFICATES_SERVICE "granary-webhook"
#define CERTIFICATES_AGENTS_SERVICE "granary-agents"
#define CERTIFICATES_AGENTS_PORT 443

/** Room for an IP address. */
#define CERTIFICATES_ADDRESS_BYTES 46

/** The leaf of the agent API: in the memory of the leader that serves it, each makes its own. */
struct certificates_leaf {
    struct certs_pair pair;                   /* {0}: none yet */
    char address[CERTIFICATES_ADDRESS_BYTES]; /* cluster IP that it is for; "" */
};

/** Where they are. */
const struct kube_resource *certificates_resource(enum certificates_object object);
const char *certificates_name(enum certificates_object object);

/** Who makes certificates. */
enum certificates_source {
    CERTIFICATES_SELF,         /* we */
    CERTIFICATES_CERT_MANAGER, /* somebody who keeps Secret granary-webhook-tls with its ca.crt */
    CERTIFICATES_FILES,        /* somebody else: what clients have to trust is in a file */
};

enum certificates_state {
    CERTIFICATES_ABSENT,  /* read, and not there */
    CERTIFICATES_THERE,   /* read */
    CERTIFICATES_UNKNOWN, /* could not be read */
};

/** What was read. {0} but for `space` is an empty cluster in 1970. */
struct certificates_seen {
    enum certificates_source source;
    const char *space; /* our namespace */
    struct {
        enum certificates_state state;
        const json_t *object; /* borrowed; when THERE */
    } objects[CERTIFICATES_OBJECTS];
    struct span bundle; /* with CERTIFICATES_FILES: that file; absent: it can not be read */
    int64_t now_s;      /* wall clock */
    int64_t mono_s;     /* steady clock */
    bool clock_doubted; /* as rotation_seen has it */
    bool publish_fails; /* likewise */
    int64_t settle_s;   /* likewise */
    const struct certificates_leaf *agents; /* of the agent API; NULL: it is not served */
    bool mutator_waits;                     /* Stash runs: the mutator gets no caBundle from us */
};

/** Since when CAs are in every place, as this leader saw it with its own eyes. {0} at its start. */
struct certificates_memory {
    struct {
        char fingerprint[65]; /* "": none */
        int64_t since_s;      /* steady clock */
    } known[2];
};

/** One write. */
struct certificates_write {
    enum certificates_object object;
    bool create;  /* `body` is the object; else a JSON patch that tests the resourceVersion */
    json_t *body; /* owned */
};

/** What is next. {0} before; release with certificates_plan_done(). */
struct certificates_plan {
    struct rotation_next next;
    struct certificates_write writes[CERTIFICATES_OBJECTS];
    size_t count;
    struct certificates_leaf agents; /* made anew, to be kept; `pair` {0}: not */
    char problem[128];               /* of Secret granary-ca: what of it can not be used; "" */
    int64_t ca_until_s;              /* end of the current CA; 0: there is none */
    int64_t leaf_until_s;            /* end of the webhook's certificate; 0: there is none */
    bool published;                  /* every place has what it has to have */
};

void certificates_plan_done(struct certificates_plan *plan);

static inline void auto_certificates_plan(struct certificates_plan *plan)
{
    certificates_plan_done(plan);
}

/**
 * Decides. Pure but for the randomness of keys.
 *
 * @param memory  Brought up to date.
 * @param plan    {0} before. Without writes: wait for plan->next.look_s.
 * @return        False when a certificate could not be made.
 */
bool certificates_next(const struct certificates_seen *seen, struct certificates_memory *memory,
                       struct certificates_plan *plan, struct error *err) MUST_CHECK;

/* Apart by more than this, one of two clocks is wrong: seconds. A certificate begins an hour before
 * it is made, so that less than that breaks nothing. */
#define CERTIFICATES_DOUBT_S INT64_C(600)
