#include "agent/etcd_members.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"

#define CORRUPT 2

/* From so many digits on a number is an id; a revision has less. */
#define ID_DIGITS 17

static size_t digits_at(struct span text, size_t at)
{
    size_t count = 0;

    while (at + count < text.length && text.data[at + count] >= '0' && text.data[at + count] <= '9')
        count++;
    return count;
}

/* The same text with quotes around long numbers. */
static void quote_ids(struct span text, struct text *out)
{
    bool inside = false;

    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        size_t count = inside ? 0 : digits_at(text, i);

        if (count >= ID_DIGITS)
            text_addf(out, "\"%.*s\"", (int)count, text.data + i);
        else if (count)
            text_add(out, text.data + i, count);
        if (count) {
            i += count - 1;
            continue;
        }
        if (c == '"')
            inside = !inside;
        text_putc(out, c);
        if (inside && c == '\\' && i + 1 < text.length)
            text_putc(out, text.data[++i]);
    }
}

json_t *etcd_json(struct span text, struct error *err)
{
    AUTO(text) struct text quoted = {0};
    json_t *read;

    quote_ids(text, &quoted);
    read = json_loadb(text_get(&quoted), quoted.length, JSON_REJECT_DUPLICATES, NULL);
    if (!read)
        error_set(err, ERROR_INVALID, "etcdctl says nothing that can be read");
    return read;
}

/* An id as hex digits; "" when there is none. */
static void take_id(const json_t *value, char hex[17])
{
    uint64_t id = json_is_string(value) ? strtoull(json_string_value(value), NULL, 10)
                                        : (uint64_t)json_integer_value(value);

    hex[0] = '\0';
    if (id)
        snprintf(hex, 17, "%" PRIx64, id);
}

static json_t *member_of(const json_t *one)
{
    json_t *made = json_object();
    const char *name = tree_text(one, "name");
    const json_t *peers = tree_member(one, "peerURLs", JSON_ARRAY);
    const json_t *clients = tree_member(one, "clientURLs", JSON_ARRAY);
    char id[17];

    take_id(tree_get(one, "ID"), id);
    tree_put_text(made, "name", name ? name : "");
    tree_put_text(made, "id", id);
    tree_put_new(made, "peerURLs", peers ? tree_copy(peers) : json_array());
    tree_put_new(made, "clientURLs", clients ? tree_copy(clients) : json_array());
    tree_put_bool(made, "learner", tree_true(one, "isLearner"));
    return made;
}

json_t *etcd_members_read(const json_t *list, struct error *err)
{
    const json_t *members = tree_member(list, "members", JSON_ARRAY), *one;
    json_t *made;
    size_t i;

    if (!json_array_size(members) || json_array_size(members) > ETCD_MEMBERS_MAX) {
        error_set(err, ERROR_INVALID, "member list names no members, or too many");
        return NULL;
    }
    made = json_array();
    tree_items (members, i, one)
        tree_push_new(made, member_of(one));
    return made;
}

/* ---- who is healthy ---- */

static bool has_alarm_of(const json_t *alarms, const char *member, int64_t number)
{
    const json_t *alarm;
    char id[17];
    size_t i;

    tree_items (tree_get(alarms, "alarms"), i, alarm) {
        take_id(tree_get(alarm, "memberID"), id);
        if (tree_int(alarm, "alarm", 0) == number && (!member || strcmp(member, id) == 0))
            return true;
    }
    return false;
}

bool etcd_has_alarm(const json_t *alarms, int64_t number)
{
    return has_alarm_of(alarms, NULL, number);
}

static bool is_learner(const struct etcd_seen *seen, const json_t *status, const char *id)
{
    const json_t *one = tree_item(seen->members, "id", id);

    return tree_true(one, "learner") || tree_true(status, "isLearner");
}

/* Errors other than a full quota, with which etcd can be read. */
static const char *error_of(const json_t *status)
{
    const json_t *one;
    size_t i;

    tree_items (tree_get(status, "errors"), i, one) {
        const char *text = json_string_value(one);

        if (text && !strstr(text, "NOSPACE") && !strstr(text, "database space exceeded"))
            return text;
    }
    return NULL;
}

/* Why somebody is no candidate; NULL: he is one. */
static const char *judge(const struct etcd_seen *seen, const json_t *status,
                         const struct etcd_candidate *one)
{
    char leader[17];

    take_id(tree_get(status, "leader"), leader);
    if (!one->member[0] || !one->endpoint || !one->server || !one->version.major)
        return "says nothing that can be read";
    if (!leader[0])
        return "has no leader";
    if (is_learner(seen, status, one->member))
        return "is a learner";
    if (has_alarm_of(seen->alarms, one->member, CORRUPT))
        return "has the alarm CORRUPT";
    return error_of(status);
}

static struct etcd_candidate candidate_of(const json_t *entry)
{
    const json_t *status = tree_get(entry, "Status"), *header = tree_get(status, "header");
    struct etcd_candidate one = {.endpoint = tree_text(entry, "Endpoint"),
                                 .server = tree_text(status, "version"),
                                 .revision = tree_int(header, "revision", 0)};
    char leader[17];

    take_id(tree_get(header, "member_id"), one.member);
    take_id(tree_get(status, "leader"), leader);
    one.leader = one.member[0] && strcmp(one.member, leader) == 0;
    if (one.server && !etcd_version_parse(span_of(one.server), &one.version))
        one.version = (struct etcd_version){0};
    return one;
}

static int by_merit(const void *left, const void *right)
{
    const struct etcd_candidate *a = left, *b = right;

    if (a->leader != b->leader)
        return a->leader ? 1 : -1;
    if (a->revision != b->revision)
        return a->revision > b->revision ? -1 : 1;
    return strcmp(a->endpoint, b->endpoint);
}

static bool is_known(const struct etcd_candidate *list, size_t count, const char *member)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].member, member) == 0)
            return true;
    return false;
}

size_t etcd_candidates(const struct etcd_seen *seen, struct etcd_candidate *out, struct text *why)
{
    const json_t *entry;
    size_t i, count = 0;

    tree_items (seen->statuses, i, entry) {
        struct etcd_candidate one = candidate_of(entry);
        const char *wrong = judge(seen, tree_get(entry, "Status"), &one);

        if (wrong && why)
            text_addf(why, "%s%s: %s", why->length ? "; " : "", one.endpoint ? one.endpoint : "?",
                      wrong);
        if (!wrong && count < ETCD_MEMBERS_MAX && !is_known(out, count, one.member))
            out[count++] = one;
    }
    qsort(out, count, sizeof *out, by_merit);
    return count;
}

int64_t etcd_revision(const struct etcd_candidate *candidates, size_t count)
{
    int64_t most = 0;

    for (size_t i = 0; i < count; i++)
        if (candidates[i].revision > most)
            most = candidates[i].revision;
    return most;
}

char *etcd_initial_cluster(const json_t *members)
{
    AUTO(text) struct text made = {0};
    const json_t *member, *url;
    size_t i, k;

    tree_items (members, i, member)
        tree_items (tree_get(member, "peerURLs"), k, url)
            text_addf(&made, "%s%s=%s", made.length ? "," : "", tree_text(member, "name"),
                      json_is_string(url) ? json_string_value(url) : "");
    return text_take(&made);
}

/* "etcd-0" of "etcd"; behind it comes the rest of a host. */
static bool is_pod_of(const char *text, const char *set)
{
    size_t length = strlen(set), digits;

    if (!text || strncmp(text, set, length) != 0 || text[length] != '-')
        return false;
    text += length + 1;
    digits = strspn(text, "0123456789");
    return digits > 0 && (!text[digits] || text[digits] == '.' || text[digits] == ':');
}

static bool is_member_of(const json_t *member, const char *set)
{
    const json_t *url;
    size_t i;

    tree_items (tree_get(member, "peerURLs"), i, url) {
        const char *text = json_string_value(url), *host = text ? strstr(text, "://") : NULL;

        if (host && is_pod_of(host + 3, set))
            return true;
    }
    return is_pod_of(tree_text(member, "name"), set);
}

const json_t *etcd_workload(const json_t *workloads, const json_t *members)
{
    const json_t *workload, *member;
    size_t i, k;

    tree_items (workloads, i, workload) {
        const char *name = tree_text(workload, "name");

        tree_items (members, k, member)
            if (name && *name && is_member_of(member, name))
                return workload;
    }
    return NULL;
}
