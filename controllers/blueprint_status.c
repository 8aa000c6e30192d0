#include "controllers/blueprint_status.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/status_parts.h"

/* Targets that one message names. */
#define NAMED_MAX 5u

/* ---- one target ---- */

/* Made from the blueprint as it is now. */
static bool is_up_to_date(const struct blueprint_seen *seen, const struct blueprint_target *target)
{
    const json_t *annotations = tree_at(target->configuration, "metadata.annotations");
    AUTO(free)
    char *now =
        text_format("%" PRId64, tree_int(tree_get(seen->blueprint, "metadata"), "generation", 0));

    return span_is(tree_span(annotations, KEY_BLUEPRINT_GENERATION), now);
}

/* What its configuration says of itself, in the order of its conditions. */
static const char *fault_of(const json_t *configuration)
{
    const json_t *status = tree_get(configuration, "status"), *condition;
    size_t i;

    if (!tree_text(status, "phase") || span_is(tree_span(status, "phase"), "Ready"))
        return NULL;
    tree_items (tree_get(status, "conditions"), i, condition) {
        const char *message = tree_text(condition, "message");

        if (!span_is(tree_span(condition, "status"), "True") && message && *message)
            return message;
    }
    return "its BackupConfiguration is not ready";
}

static const char *problem_of(const struct blueprint_target *target)
{
    return target->problem ? target->problem : fault_of(target->configuration);
}

struct blueprint_counts blueprint_count(const struct blueprint_seen *seen)
{
    struct blueprint_counts counts = {.matched = seen->count};

    for (size_t i = 0; i < seen->count; i++) {
        const struct blueprint_target *target = &seen->targets[i];

        counts.up_to_date += is_up_to_date(seen, target);
        counts.failing += problem_of(target) != NULL;
        counts.protected += target->protected;
        counts.unprotected += target->unprotected;
    }
    return counts;
}

/* ---- conditions ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of those that meet a question, in their order; NULL when there is none. The caller frees
 * it. */
static char *names(const struct blueprint_seen *seen, const char *what,
                   bool (*meets)(const struct blueprint_seen *, const struct blueprint_target *))
{
    AUTO(free) const char **met = text_alloc((seen->count + 1) * sizeof *met);
    AUTO(text) struct text text = {0};
    size_t count = 0;

    for (size_t i = 0; i < seen->count; i++)
        if (meets(seen, &seen->targets[i]))
            met[count++] = seen->targets[i].name;
    if (count == 0)
        return NULL;
    qsort(met, count, sizeof *met, compare_names);
    for (size_t i = 0; i < count && i < NAMED_MAX; i++)
        text_addf(&text, "%s%s", i ? ", " : what, met[i]);
    if (count > NAMED_MAX)
        text_puts(&text, " and more");
    return text_take(&text);
}

static bool is_behind(const struct blueprint_seen *seen, const struct blueprint_target *target)
{
    return !is_up_to_date(seen, target);
}

static bool is_failing(const struct blueprint_seen *seen, const struct blueprint_target *target)
{
    (void)seen;
    return problem_of(target) != NULL;
}

static struct condition judged(const char *type, const char *good, const char *bad,
                               const char *message)
{
    return (struct condition){type, message ? CONDITION_FALSE : CONDITION_TRUE,
                              message ? bad : good, message};
}

static void put_conditions(const struct blueprint_seen *seen, json_t *conditions)
{
    AUTO(free) char *behind = names(seen, "not yet as the blueprint says: ", is_behind);
    AUTO(free) char *failing = names(seen, "", is_failing);
    const struct condition all[] = {
        judged("ValidationPassed", "ResourceValidationPassed", "ResourceValidationFailed",
               seen->fault),
        judged("TargetsUpToDate", "AllUpToDate", "RolloutInProgress", behind),
        judged("TargetsReady", "AllReady", "TargetsFailing", failing),
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        (void)condition_set(conditions, &all[i], seen->now_s);
}

/* ---- the status ---- */

/* "" when all is well. The caller frees it. */
static char *last_error(const struct blueprint_seen *seen)
{
    const struct blueprint_target *first = NULL;

    for (size_t i = 0; i < seen->count; i++)
        if (problem_of(&seen->targets[i]) &&
            (!first || strcmp(seen->targets[i].name, first->name) < 0))
            first = &seen->targets[i];
    if (!first)
        return text_format("%s", seen->fault ? seen->fault : "");
    return text_format("%s: %s", first->name, problem_of(first));
}

static void put_error(const struct blueprint_seen *seen, json_t *status)
{
    AUTO(free) char *error = last_error(seen);
    /* a character has four bytes at most */
    AUTO(free) char *printed = text_printable(span_of(error), BLUEPRINT_ERROR_MAX_BYTES / 4);

    tree_put_text(status, "lastError", printed);
}

json_t *blueprint_status(const struct blueprint_seen *seen, const json_t *status)
{
    json_t *next = json_is_object(status) ? tree_copy(status) : json_object();
    const struct blueprint_counts counts = blueprint_count(seen);

    tree_put_int(next, "observedGeneration",
                 tree_int(tree_get(seen->blueprint, "metadata"), "generation", 0));
    tree_put_int(next, "matchedTargets", (int64_t)counts.matched);
    tree_put_int(next, "upToDateTargets", (int64_t)counts.up_to_date);
    tree_put_int(next, "failingTargets", (int64_t)counts.failing);
    tree_put_int(next, "protectedVolumes", (int64_t)counts.protected);
    tree_put_int(next, "unprotectedVolumes", (int64_t)counts.unprotected);
    put_error(seen, next);
    put_conditions(seen, status_conditions(next));
    return next;
}
