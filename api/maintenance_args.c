#include "api/maintenance_args.h"

#include <stdlib.h>
#include <string.h>

#include "api/duration.h"
#include "api/syntax.h"
#include "base/text.h"
#include "base/tree.h"

static json_t *args_of(const char *first)
{
    json_t *args = json_array();

    tree_push_text(args, first);
    return args;
}

static void push_flag(json_t *args, const char *flag, const char *value)
{
    AUTO(free) char *text = text_format("--%s=%s", flag, value);

    tree_push_text(args, text);
}

/* ---- forget ---- */

static const struct {
    const char *key, *flag;
} numbers[] = {
    {"keepLast", "keep-last"},     {"keepHourly", "keep-hourly"},   {"keepDaily", "keep-daily"},
    {"keepWeekly", "keep-weekly"}, {"keepMonthly", "keep-monthly"}, {"keepYearly", "keep-yearly"},
};

/* A rule that restic can not read would be one that keeps nothing. */
static bool push_number(json_t *args, const json_t *policy, const char *key, const char *flag,
                        struct error *err)
{
    const json_t *value = tree_get(policy, key);
    int64_t number = json_is_integer(value) ? json_integer_value(value) : 0;

    if (value && !json_is_null(value) && !json_is_integer(value))
        return error_set(err, ERROR_INVALID, "retentionPolicy.%s is no number", key);
    if (number < 0 || number > INT32_MAX)
        return error_set(err, ERROR_INVALID, "retentionPolicy.%s can not be %lld", key,
                         (long long)number);
    if (number > 0) {
        AUTO(free) char *text = text_format("%lld", (long long)number);

        push_flag(args, flag, text);
    }
    return true;
}

static bool push_within(json_t *args, const json_t *policy, struct error *err)
{
    struct span text = tree_span(policy, "keepWithin");
    struct within within;

    if (!text.length)
        return true;
    if (!within_parse(text, &within, err))
        return error_wrap(err, "retentionPolicy.keepWithin");
    push_flag(args, "keep-within", tree_text(policy, "keepWithin"));
    return true;
}

static bool push_tags(json_t *args, const json_t *policy, struct error *err)
{
    const json_t *tag;
    size_t i;

    tree_items (tree_get(policy, "keepTags"), i, tag) {
        struct span text = tree_value(tag);

        if (!text.length || !syntax_line(text, err) || strchr(json_string_value(tag), ','))
            return error_set(err, ERROR_INVALID, "retentionPolicy.keepTags[%zu] is no tag", i);
        push_flag(args, "keep-tag", json_string_value(tag));
    }
    return true;
}

static bool push_rules(json_t *args, const json_t *policy, struct error *err)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!push_number(args, policy, numbers[i].key, numbers[i].flag, err))
            return false;
    return push_within(args, policy, err) && push_tags(args, policy, err);
}

bool forget_has_rules(const json_t *policy)
{
    AUTO(json) json_t *rules = json_array();
    struct error ignored;

    return push_rules(rules, policy, &ignored) && json_array_size(rules) > 0;
}

static bool push_paths(json_t *args, const json_t *paths, struct error *err)
{
    const json_t *path;
    size_t i;

    tree_items (paths, i, path) {
        if (!syntax_absolute_path(tree_value(path), err))
            return error_wrap(err, "path %zu", i);
        push_flag(args, "path", json_string_value(path));
    }
    return true;
}

/* Whose snapshots: a tag is the target's alone; without one, only its host and paths tell. */
static bool push_owner(json_t *args, const struct forget_of *of, struct error *err)
{
    bool tagged = of->tag && *of->tag;

    if ((!of->host && !tagged) || (of->host && !syntax_host(span_of(of->host), err)))
        return error_set(err, ERROR_INVALID, "no host whose snapshots could be forgotten");
    if (of->host)
        push_flag(args, "host", of->host);
    if (tagged && strchr(of->tag, ','))
        return error_set(err, ERROR_INVALID, "a tag holds no comma");
    if (tagged)
        push_flag(args, "tag", of->tag);
    if (of->untagged) /* restic's word for none */
        push_flag(args, "tag", "");
    if (tagged && !of->untagged)
        return true;
    if (of->untagged && !of->host)
        return error_set(err, ERROR_INVALID, "no host whose snapshots without tags are meant");
    if (!json_array_size(of->paths))
        return error_set(err, ERROR_INVALID,
                         "neither a tag nor paths say which snapshots of host %.63s are meant",
                         of->host);
    return push_paths(args, of->paths, err);
}

bool forget_args(const struct forget_of *of, const json_t *policy, json_t **args, struct error *err)
{
    AUTO(json) json_t *made = args_of("forget"), *rules = json_array();

    tree_push_text(made, "--json");
    if (!push_owner(made, of, err) || !push_rules(rules, policy, err))
        return false;
    push_flag(made, "group-by", "host,paths");
    if (tree_true(policy, "dryRun"))
        tree_push_text(made, "--dry-run");
    json_array_extend(made, rules);
    *args = json_array_size(rules) ? TAKE(made) : NULL;
    return true;
}

/* ---- the others ---- */

void maintenance_look_args(json_t *runs)
{
    json_t *snapshots = args_of("snapshots"), *stats = args_of("stats");

    tree_push_text(snapshots, "--no-lock");
    tree_push_text(stats, "--no-lock");
    push_flag(stats, "mode", "raw-data");
    tree_push_new(runs, snapshots);
    tree_push_new(runs, stats);
}

json_t *prune_args(const json_t *policy)
{
    json_t *args = args_of("prune");

    if (tree_true(policy, "dryRun"))
        tree_push_text(args, "--dry-run");
    return args;
}

json_t *check_args(int64_t part)
{
    json_t *args = args_of("check");

    if (part >= 1 && part <= CHECK_PARTS) {
        AUTO(free) char *subset = text_format("%lld/%d", (long long)part, CHECK_PARTS);

        push_flag(args, "read-data-subset", subset);
    }
    return args;
}

json_t *unlock_args(bool all)
{
    json_t *args = args_of("unlock");

    if (all)
        tree_push_text(args, "--remove-all");
    return args;
}
