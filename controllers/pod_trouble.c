#include "controllers/pod_trouble.h"

#include <string.h>

#include "base/text.h"
#include "base/tree.h"
#include "kube/time.h"

/* Characters of one word of a status. */
#define WORD_MAX_CHARS 63u

/* Nothing else is printed: a message that is cut anywhere is whole. */
static void keep_ascii(char *text)
{
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

static char *short_text(struct span span, size_t max_chars)
{
    char *text = text_printable(span, max_chars);

    keep_ascii(text);
    return text;
}

static int64_t moment_of(const json_t *object, const char *key)
{
    int64_t moment_s;

    return time_parse(tree_span(object, key), &moment_s) && moment_s > 0 ? moment_s : 0;
}

/* Since when a pod is what it is, when nothing tells more. */
static int64_t start_of(const json_t *pod)
{
    int64_t start_s = moment_of(tree_get(pod, "status"), "startTime");

    return start_s ? start_s : moment_of(tree_get(pod, "metadata"), "creationTimestamp");
}

/* "reason: message", each as far as it is there; `otherwise` without a reason. */
static struct pod_trouble told(const json_t *from, const char *before, const char *otherwise,
                               int64_t since_s)
{
    struct span reason = tree_span(from, "reason"), message = tree_span(from, "message");
    AUTO(free)
    char *word = short_text(reason.length ? reason : span_of(otherwise), WORD_MAX_CHARS);
    AUTO(free) char *more = short_text(message, POD_TROUBLE_MAX_CHARS);
    AUTO(free) char *all = text_format("%s%s%s%s", before, word, *more ? ": " : "", more);

    return (struct pod_trouble){.text = short_text(span_of(all), POD_TROUBLE_MAX_CHARS),
                                .since_s = since_s};
}

struct pod_trouble pod_trouble_said(const json_t *condition, const char *otherwise)
{
    return told(condition, "", otherwise, moment_of(condition, "lastTransitionTime"));
}

static const json_t *condition_of(const json_t *pod, const char *type)
{
    return tree_item(tree_at(pod, "status.conditions"), "type", type);
}

/* ---- the pod as a whole ---- */

static struct pod_trouble of_phase(const json_t *pod)
{
    const json_t *status = tree_get(pod, "status");

    if (!span_is(tree_span(status, "phase"), "Failed"))
        return (struct pod_trouble){0};
    return told(status, "", "the pod has failed", start_of(pod));
}

static struct pod_trouble of_condition(const json_t *pod, const char *type, const char *bad)
{
    const json_t *condition = condition_of(pod, type);

    if (!span_is(tree_span(condition, "status"), bad))
        return (struct pod_trouble){0};

    struct pod_trouble trouble = pod_trouble_said(condition, type);

    if (!trouble.since_s)
        trouble.since_s = start_of(pod);
    return trouble;
}

/* ---- containers ---- */

static bool is_usual(struct span reason)
{
    return reason.length == 0 || span_is(reason, "ContainerCreating") ||
           span_is(reason, "PodInitializing");
}

static bool was_killed_for_memory(const json_t *ended)
{
    return span_is(tree_span(ended, "reason"), "OOMKilled");
}

static struct pod_trouble of_end(const json_t *ended, const char *before)
{
    struct span reason = tree_span(ended, "reason");
    AUTO(json) json_t *whole = tree_copy(ended);

    /* what a program ended with is all that is known of it */
    if (!tree_span(ended, "message").length && (!reason.length || span_is(reason, "Error"))) {
        AUTO(free)
        char *code = text_format("exit code %lld", (long long)tree_int(ended, "exitCode", 0));

        tree_put_text(whole, "message", code);
    }
    return told(whole, before, "Error", moment_of(ended, "finishedAt"));
}

static struct pod_trouble of_waiting(const json_t *pod, const json_t *status, const char *before)
{
    const json_t *waiting = tree_at(status, "state.waiting");
    const json_t *last = tree_at(status, "lastState.terminated");
    int64_t ended_s = moment_of(last, "finishedAt");

    if (is_usual(tree_span(waiting, "reason")))
        return (struct pod_trouble){0};
    if (was_killed_for_memory(last)) /* that is why it waits */
        return of_end(last, before);
    return told(waiting, before, "", ended_s ? ended_s : start_of(pod));
}

/* What one container says of itself. */
static struct pod_trouble of_container(const json_t *pod, const json_t *status, const char *before)
{
    const json_t *ended = tree_at(status, "state.terminated");
    const json_t *last = tree_at(status, "lastState.terminated");

    if (ended && tree_int(ended, "exitCode", 0) != 0)
        return of_end(ended, before);
    if (tree_at(status, "state.waiting"))
        return of_waiting(pod, status, before);
    if (!ended && last && tree_int(last, "exitCode", 0) != 0) {
        struct pod_trouble trouble = of_end(last, before);

        trouble.past = true;
        return trouble;
    }
    return (struct pod_trouble){0};
}

/* An init container in front of ours: until it has ended, or (one that stays) has started. */
static struct pod_trouble of_init(const json_t *pod, const json_t *spec, const json_t *status)
{
    bool stays = span_is(tree_span(spec, "restartPolicy"), "Always");
    const json_t *running = tree_at(status, "state.running");
    AUTO(free) char *name = short_text(tree_span(spec, "name"), WORD_MAX_CHARS);
    AUTO(free) char *before = text_format("init container %s: ", name);
    struct pod_trouble trouble = of_container(pod, status, before);

    if (trouble.text && !trouble.past)
        return trouble;
    free(trouble.text);
    if (!running || (stays && tree_true(status, "started")))
        return (struct pod_trouble){0};
    trouble = told(NULL, before, "still running", moment_of(running, "startedAt"));
    trouble.before = true;
    return trouble;
}

static const json_t *status_of(const json_t *pod, const char *list, const char *name)
{
    bool init = list && strcmp(list, "initContainers") == 0;
    const json_t *status = tree_get(pod, "status");

    return tree_named(tree_get(status, init ? "initContainerStatuses" : "containerStatuses"), name);
}

/* The first of those that stand in front of it. */
static struct pod_trouble of_inits(const json_t *pod, const char *until)
{
    const json_t *init;
    size_t i;

    tree_items (tree_at(pod, "spec.initContainers"), i, init) {
        const char *name = tree_text(init, "name");

        if (!name || (until && strcmp(name, until) == 0))
            break;

        struct pod_trouble trouble = of_init(pod, init, status_of(pod, "initContainers", name));

        if (trouble.text)
            return trouble;
    }
    return (struct pod_trouble){0};
}

static struct pod_trouble of_all(const json_t *pod)
{
    const json_t *status;
    size_t i;

    tree_items (tree_at(pod, "status.containerStatuses"), i, status) {
        struct pod_trouble trouble = of_container(pod, status, "");

        if (trouble.text)
            return trouble;
    }
    return (struct pod_trouble){0};
}

static struct pod_trouble of_containers(const json_t *pod, const char *list, const char *container)
{
    bool init = list && strcmp(list, "initContainers") == 0;
    struct pod_trouble trouble = of_inits(pod, init ? container : NULL);

    if (trouble.text)
        return trouble;
    return container ? of_container(pod, status_of(pod, list, container), "") : of_all(pod);
}

/* Of a pod that failed for what is in it the container says more. */
static struct pod_trouble of_failure(const json_t *pod, const char *list, const char *container)
{
    const json_t *status = tree_get(pod, "status");
    struct pod_trouble trouble = of_phase(pod), inner;

    if (!trouble.text || tree_span(status, "reason").length || tree_span(status, "message").length)
        return trouble;
    inner = of_containers(pod, list, container);
    if (inner.text && !inner.past && !inner.before) {
        free(trouble.text);
        return inner;
    }
    free(inner.text);
    return trouble;
}

struct pod_trouble pod_trouble_of(const json_t *pod, const char *list, const char *container)
{
    struct pod_trouble trouble = of_failure(pod, list, container);

    if (!trouble.text)
        trouble = of_condition(pod, "DisruptionTarget", "True");
    if (!trouble.text)
        trouble = of_condition(pod, "PodScheduled", "False");
    return trouble.text ? trouble : of_containers(pod, list, container);
}
