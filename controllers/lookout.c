#include "controllers/lookout.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/text.h"
#include "controllers/agent_endpoint.h"
#include "controllers/certificates.h"
#include "controllers/stash.h"
#include "kube/informer.h"

/* Those of certificates, Stash's two, and the EndpointSlices. */
#define WATCHES_MAX (CERTIFICATES_OBJECTS + 3)

struct lookout {
    struct kube_watched watched[WATCHES_MAX];
    char *fields[WATCHES_MAX]; /* of `watched`, owned */
    unsigned topics[WATCHES_MAX];
    size_t count;
    struct informer *informer;
    atomic_uint news;
};

/* What a change of one of these may mean besides. The webhook serves with its Secret. */
static unsigned topics_of(enum certificates_object object)
{
    bool webhook = object == CERTIFICATES_MUTATING || object == CERTIFICATES_LEAF;

    return LOOKOUT_CERTIFICATES | (webhook ? LOOKOUT_WEBHOOK : 0u);
}

/* `name` NULL: all of the namespace. */
static void add(struct lookout *lookout, const struct kube_resource *resource, const char *space,
                const char *name, unsigned topics)
{
    size_t i = lookout->count++;

    lookout->fields[i] = name ? text_format("metadata.name=%s", name) : NULL;
    lookout->topics[i] = topics;
    lookout->watched[i] = (struct kube_watched){
        .resource = *resource,
        .metadata_only = true,
        .space = resource->namespaced ? space : NULL,
        .fields = lookout->fields[i],
    };
}

static void choose(struct lookout *lookout, const struct lookout_plan *plan)
{
    for (int i = 0; i < CERTIFICATES_OBJECTS; i++) {
        enum certificates_object object = (enum certificates_object)i;

        if (plan->needs(plan->context, i))
            add(lookout, certificates_resource(object), plan->space, certificates_name(object),
                topics_of(object));
    }
    add(lookout, certificates_resource(CERTIFICATES_MUTATING), NULL, STASH_CONFIGURATION,
        LOOKOUT_STASH);
    add(lookout, certificates_resource(CERTIFICATES_VALIDATING), NULL, STASH_CONFIGURATION,
        LOOKOUT_STASH);
    /* those of the webhook's Service have names that nobody knows before */
    add(lookout, &agent_endpoint_resource, plan->space, NULL, LOOKOUT_SLICE | LOOKOUT_WEBHOOK);
}

static void take_change(void *context, const struct informer_change *change)
{
    struct lookout *lookout = context;

    atomic_fetch_or(&lookout->news, lookout->topics[change->kind]);
}

struct lookout *lookout_start(const struct lookout_plan *plan, struct error *err)
{
    struct lookout *lookout = text_alloc(sizeof *lookout);

    choose(lookout, plan);

    struct informer_options options = {
        .kinds = lookout->watched,
        .count = lookout->count,
        .changed = take_change,
        .context = lookout,
    };

    lookout->informer = informer_start(plan->client, &options, err);
    if (lookout->informer)
        return lookout;
    lookout_stop(lookout);
    return NULL;
}

void lookout_stop(struct lookout *lookout)
{
    if (!lookout)
        return;
    informer_stop(lookout->informer);
    for (size_t i = 0; i < lookout->count; i++)
        free(lookout->fields[i]);
    free(lookout);
}

unsigned lookout_take(struct lookout *lookout)
{
    return lookout ? atomic_exchange(&lookout->news, 0u) : 0u;
}

static bool stands(struct lookout *lookout, size_t i)
{
    struct informer_facts facts = informer_look(lookout->informer, i);

    return facts.synced && !facts.follower.problem[0];
}

bool lookout_stands(struct lookout *lookout, unsigned topics)
{
    bool all = lookout != NULL;

    for (size_t i = 0; all && i < lookout->count; i++)
        all = !(lookout->topics[i] & topics) || stands(lookout, i);
    return all;
}
