/*
 * Makes the Jobs that a list of requests on standard input describes, as the controller would:
 * [{what, restore, invoker, session, repository, target, ordinal, node, tasks, functions, claims,
 * attached, neighbour, restricted, kind, runs}] gives [{what, job, claims, findings: [text]}].
 * With `kind` it is a Job of maintenance.
 */
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/job_make.h"
#include "controllers/maintenance_job.h"

static enum maintenance_kind kind_of(const char *word)
{
    int kind = 0;

    while (kind < MAINTENANCE_CHECK && strcmp(word, maintenance_word(kind)) != 0)
        kind++;
    return (enum maintenance_kind)kind;
}

static void maintain(const json_t *in, const struct settings *settings, struct findings *findings,
                     json_t *out)
{
    struct maintenance_job request = {.repository = tree_get(in, "repository"),
                                      .kind = kind_of(tree_text(in, "kind")),
                                      .runs = tree_get(in, "runs"),
                                      .since_s = 1714570200,
                                      .attached = tree_get(in, "attached"),
                                      .restricted = tree_true(in, "restricted"),
                                      .settings = settings};

    tree_put_new(out, "job", maintenance_job_make(&request, findings));
}

static void back_up(const json_t *in, const struct settings *settings, struct findings *findings,
                    json_t *out)
{
    struct job_request request = {.restore = tree_true(in, "restore"),
                                  .invoker = tree_get(in, "invoker"),
                                  .session = tree_get(in, "session"),
                                  .repository = tree_get(in, "repository"),
                                  .target = tree_get(in, "target"),
                                  .ordinal = tree_int(in, "ordinal", -1),
                                  .node = tree_text(in, "node"),
                                  .tasks = tree_get(in, "tasks"),
                                  .functions = tree_get(in, "functions"),
                                  .claims = tree_get(in, "claims"),
                                  .attached = tree_get(in, "attached"),
                                  .neighbour = tree_get(in, "neighbour"),
                                  .restricted = tree_true(in, "restricted"),
                                  .account_allowed = true,
                                  .deadline_s = 3600,
                                  .settings = settings};
    AUTO(job_made) struct job_made made = {0};

    if (!job_make(&request, &made, findings))
        return;
    tree_put_new(out, "job", tree_copy(made.job));
    if (made.claims)
        json_array_extend(json_object_get(out, "claims"), made.claims);
    if (made.interim)
        json_array_append(json_object_get(out, "claims"), made.interim);
}

static json_t *one(const json_t *in, const struct settings *settings)
{
    AUTO(findings) struct findings findings = {0};
    json_t *out = json_object(), *told = json_array();

    tree_put_text(out, "what", tree_text(in, "what"));
    tree_put_new(out, "claims", json_array());
    (tree_get(in, "kind") ? maintain : back_up)(in, settings, &findings, out);
    for (size_t i = 0; i < findings.count; i++)
        tree_push_text(told, findings.items[i].message);
    tree_put_new(out, "findings", told);
    return out;
}

int main(void)
{
    json_error_t detail;
    AUTO(json) json_t *requests = json_loadf(stdin, 0, &detail);
    AUTO(json) json_t *answers = json_array();
    AUTO(settings) struct settings settings = {0};
    const json_t *request;
    size_t i;

    if (!json_is_array(requests)) {
        fprintf(stderr, "make_jobs: %s\n", requests ? "not a list" : detail.text);
        return 2;
    }
    settings_default(&settings);
    tree_items (requests, i, request)
        tree_push_new(answers, one(request, &settings));
    return json_dumpf(answers, stdout, JSON_INDENT(1)) ? 2 : 0;
}
