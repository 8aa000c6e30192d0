#include "cli/proof.h"

#include <string.h>

#include "api/syntax.h"
#include "base/auto.h"
#include "base/tree.h"
#include "cli/overview.h"
#include "controllers/condition.h"
#include "controllers/session_status.h"

/* restic's reason, as agents and Jobs of maintenance tell it. */
#define LOCKED "RepositoryLocked"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = tree_text(object, key);

    return text ? text : "";
}

static const char *meta(const json_t *object, const char *key)
{
    return text_of(tree_get(object, "metadata"), key);
}

/* ---- locks ---- */

static bool uses(const json_t *invoker, const json_t *repository)
{
    const json_t *ref = tree_at(invoker, "spec.repository");
    const char *space = text_of(ref, "namespace");

    return strcmp(text_of(ref, "name"), meta(repository, "name")) == 0 &&
           strcmp(*space ? space : meta(invoker, "namespace"), meta(repository, "namespace")) == 0;
}

static bool backs_up_into(const struct proof_seen *seen, const json_t *session)
{
    const json_t *configuration = tree_item_at(seen->configurations, "metadata.name",
                                               text_of(tree_at(session, "spec.invoker"), "name"));

    return configuration && uses(configuration, seen->repository);
}

static size_t tell_session(const json_t *session, struct text *text)
{
    const char *phase = text_of(tree_get(session, "status"), "phase");
    const char *why = overview_failure(session);

    if (strcmp(phase, "Running") == 0)
        text_addf(text, "%s %s is at work: its locks count, and the removal waits for its end\n",
                  text_of(session, "kind"), meta(session, "name"));
    if (strcmp(phase, "Failed") != 0 || !strstr(why, LOCKED))
        return 0;
    text_addf(text, "%s %s failed: %s\n", text_of(session, "kind"), meta(session, "name"), why);
    return 1;
}

static size_t tell_maintenance(const json_t *repository, struct text *text)
{
    const json_t *entry;
    size_t i, found = 0;

    tree_items (tree_at(repository, "status.maintenance"), i, entry) {
        if (!span_is(tree_span(entry, "reason"), LOCKED))
            continue;
        found++;
        text_addf(text, "maintenance (%s) failed with " LOCKED ", %lld times in a row, last %s\n",
                  text_of(entry, "kind"), (long long)tree_int(entry, "failures", 1),
                  text_of(entry, "lastFailure"));
    }
    return found;
}

static void tell_workers(const struct proof_seen *seen, struct text *text)
{
    if (seen->workers < 0)
        text_puts(text, "who of this cluster works there may not be read; the controller knows, "
                        "and waits for them\n");
    else if (seen->workers == 0)
        text_puts(text, "no pod of this cluster works there\n");
    else
        text_addf(text, "%ld pods of this cluster work there: the removal waits for them\n",
                  seen->workers);
}

size_t proof_of_locks(const struct proof_seen *seen, struct text *text)
{
    size_t found = tell_maintenance(seen->repository, text), i;
    const json_t *session;

    tree_items (seen->sessions, i, session)
        if (backs_up_into(seen, session))
            found += tell_session(session, text);
    tree_items (seen->restores, i, session)
        if (uses(session, seen->repository))
            found += tell_session(session, text);
    tell_workers(seen, text);
    return found;
}

/* ---- the owner ---- */

/* "it belongs to another cluster: UID, this one is UID." */
static struct span uid_in(const char *message)
{
    static const char before[] = "another cluster: ";
    const char *at = strstr(message, before);
    struct span uid = {at ? at + sizeof before - 1 : message, SYNTAX_UID_CHARS};
    struct error ignored;

    if (!at || strlen(uid.data) < uid.length || !syntax_uid(uid, &ignored))
        return (struct span){NULL, 0};
    return uid;
}

enum proof_owner proof_of_owner(const json_t *repository, struct span *uid)
{
    const json_t *conditions = tree_at(repository, "status.conditions");
    enum condition_status status = condition_status(conditions, BACKEND_OWNED);

    *uid = (struct span){NULL, 0};
    if (status == CONDITION_TRUE)
        return OWNER_US;
    if (status != CONDITION_FALSE)
        return OWNER_UNKNOWN;
    *uid = uid_in(condition_message(conditions, BACKEND_OWNED));
    return OWNER_OTHER;
}
