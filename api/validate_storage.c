#include "api/backend.h"
#include "api/syntax.h"
#include "api/validate_core.h"
#include "api/validate_shared.h"
#include "base/tree.h"

/* ---- backends ---- */

static void judge_loopback(struct judge *judge, const json_t *object, const char *member)
{
    if (syntax_is_loopback(tree_span(object, member)))
        judge_warning(judge, REASON_INVALID, member,
                      "this is the pod itself, whichever pod runs the backup");
}

static void also_s3(struct judge *judge, const json_t *object)
{
    judge_loopback(judge, object, "endpoint");
}

static const struct member s3_members[] = {
    {"endpoint", STRING, REQUIRED, .check = syntax_s3_endpoint,
     .hint = "the address of the service, such as s3.amazonaws.com"},
    {"bucket", STRING, REQUIRED, .check = syntax_bucket},
    {"prefix", STRING, .check = syntax_prefix},
    {"region", STRING, .check = syntax_line},
    {"insecureTLS", BOOLEAN},
};

static const struct schema s3 = {MEMBERS(s3_members), .also = also_s3};

static const struct member gcs_members[] = {
    {"bucket", STRING, REQUIRED, .check = syntax_bucket},
    {"prefix", STRING, .check = syntax_prefix},
    {"maxConnections", INTEGER, .min = 0, .max = INT64_MAX},
};

/* Google's and Backblaze's stores are described by the same members. */
static const struct schema gcs = {MEMBERS(gcs_members)};

static const struct member azure_members[] = {
    {"container", STRING, REQUIRED, .check = syntax_bucket},
    {"prefix", STRING, .check = syntax_prefix},
    {"maxConnections", INTEGER, .min = 0, .max = INT64_MAX},
};

static const struct schema azure = {MEMBERS(azure_members)};

static const struct member swift_members[] = {
    {"container", STRING, REQUIRED, .check = syntax_bucket},
    {"prefix", STRING, .check = syntax_prefix},
};

static const struct schema swift = {MEMBERS(swift_members)};

static void also_rest(struct judge *judge, const json_t *object)
{
    struct span url = tree_span(object, "url");

    judge_loopback(judge, object, "url");
    if (url.length > 7 && memcmp(url.data, "http://", 7) == 0)
        judge_warning(judge, REASON_INVALID, "url",
                      "http sends user and password unprotected, https is recommended");
}

static const struct member rest_members[] = {
    {"url", STRING, REQUIRED, .check = syntax_rest_url,
     .hint = "the address of the server, such as https://rest.example.com/backup"},
};

static const struct schema rest = {MEMBERS(rest_members), .also = also_rest};

/* The first folder of a path: "stash" of "/stash/data". */
static struct span first_element(struct span path)
{
    struct span element = {0};

    while (text_split(&path, '/', &element))
        if (element.length && !span_is(element, "."))
            return element;
    return (struct span){0};
}

static void also_local(struct judge *judge, const json_t *object)
{
    static const char *const read_only[] = {"configMap", "secret", "downwardAPI",
                                            "projected", "image",  NULL};
    static const char *const ours[] = {"stash", "stash-tmp", "stash-volumes", NULL};
    struct span first = first_element(tree_span(object, "mountPath"));

    for (size_t i = 0; ours[i]; i++)
        if (span_is(first, ours[i]))
            judge_error(judge, REASON_FORBIDDEN, "mountPath", "/%s belongs to the agent", ours[i]);
    for (size_t i = 0; read_only[i]; i++)
        if (judge_get(object, read_only[i]))
            judge_error(judge, REASON_NOT_SUPPORTED, read_only[i],
                        "nothing can be written to such a volume");
    if (judge_get(object, "emptyDir") || judge_get(object, "ephemeral"))
        judge_warning(judge, REASON_INVALID, NULL,
                      "such a volume goes with its pod, and the backups with it");
}

static const struct member local_members[] = {
    {"mountPath", STRING, REQUIRED, .check = syntax_absolute_path},
    {"subPath", STRING, .check = syntax_relative_path},
};

static const struct schema local = {MEMBERS(local_members), .inlined = &volume_source_schema,
                                    .also = also_local};

static const struct member backend_members[] = {
    {"storageSecretName", STRING, REQUIRED, .check = syntax_subdomain,
     .hint = "the Secret that holds RESTIC_PASSWORD and the credentials of the store"},
    {"local", OBJECT, CHOICE, .of = &local},
    {"s3", OBJECT, CHOICE, .of = &s3},
    {"gcs", OBJECT, CHOICE, .of = &gcs},
    {"azure", OBJECT, CHOICE, .of = &azure},
    {"swift", OBJECT, CHOICE, .of = &swift},
    {"b2", OBJECT, CHOICE, .of = &gcs},
    {"rest", OBJECT, CHOICE, .of = &rest},
};

static const struct schema backend = {MEMBERS(backend_members), .choose = EXACTLY_ONE};

/* ---- who may use it ---- */

static void also_usage(struct judge *judge, const json_t *object)
{
    bool by_label = span_is(tree_span(object, "from"), "Selector");
    const json_t *selector = judge_get(object, "selector");

    if (by_label && !selector)
        judge_error(judge, REASON_REQUIRED, "selector", "is required when from is Selector");
    if (!by_label && selector)
        judge_error(judge, REASON_FORBIDDEN, "selector", "is allowed only when from is Selector");
}

static const char *const froms[] = {"All", "Same", "Selector", NULL};

static const struct member usage_members[] = {
    {"from", STRING, .words = froms},
    {"selector", OBJECT, .of = &selector_schema},
};

const struct schema usage_schema = {MEMBERS(usage_members), .also = also_usage};

static void also_policy(struct judge *judge, const json_t *object)
{
    if (!judge_get(object, "allowedNamespaces"))
        judge_warning(judge, REASON_REQUIRED, "allowedNamespaces",
                      "without it nobody may use the Repository");
}

static const struct member policy_members[] = {
    {"allowedNamespaces", OBJECT, .of = &usage_schema},
};

static const struct schema policy = {MEMBERS(policy_members), .also = also_policy};

/* ---- Repository ---- */

static void also_repository(struct judge *judge, const json_t *object)
{
    if (tree_true(object, "wipeOut") && judge_get(tree_get(object, "backend"), "rest"))
        judge_error(judge, REASON_FORBIDDEN, "wipeOut",
                    "a rest backend can not be wiped out, since its server removes no repository: "
                    "remove its data yourself");
}

static const struct member repository_members[] = {
    {"backend", OBJECT, REQUIRED, .of = &backend, .hint = "where backups are kept"},
    {"wipeOut", BOOLEAN},
    {"usagePolicy", OBJECT, .of = &policy},
    {"agentSecretName", STRING, .check = syntax_subdomain},
};

const struct schema repository_schema = {MEMBERS(repository_members), .also = also_repository};

/* ---- a location does not move ---- */

void judge_storage_change(struct judge *judge, const json_t *old, const json_t *spec)
{
    AUTO(text) struct text before = {0}, after = {0};

    backend_location(&before, tree_get(old, "backend"));
    backend_location(&after, tree_get(spec, "backend"));
    if (before.length && strcmp(text_get(&before), text_get(&after)) != 0)
        judge_error(judge, REASON_FORBIDDEN, "backend",
                    "the location of a Repository can not change: make a new Repository, this one "
                    "keeps its data");
}
