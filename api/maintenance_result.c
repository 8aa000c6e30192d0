#include "api/maintenance_result.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/message.h"
#include "base/tree.h"

/* The host of the marks of owners. */
#define OWNER_HOST "granary"

/* Of hostile words every byte becomes six. */
static_assert(MAINTENANCE_WORDS_MAX_BYTES < MAINTENANCE_RESULT_MAX_BYTES / 2, "words fit");

/* ---- counting ---- */

static void add_to(int64_t *sum, int64_t more)
{
    *sum = (*sum < 0 ? 0 : *sum) + more;
}

/* One group for each host and path. */
static void add_forgotten(struct maintenance_result *result, const json_t *groups)
{
    const json_t *group;
    size_t i;

    add_to(&result->removed, 0);
    tree_items (groups, i, group)
        add_to(&result->removed, (int64_t)json_array_size(tree_get(group, "remove")));
}

static void add_listed(struct maintenance_result *result, const json_t *snapshots)
{
    const json_t *snapshot;
    size_t i;

    result->snapshots = 0;
    tree_items (snapshots, i, snapshot)
        result->snapshots += !span_is(tree_span(snapshot, "hostname"), OWNER_HOST);
}

void maintenance_result_add(struct maintenance_result *result, const char *command,
                            const json_t *document)
{
    if (strcmp(command, "forget") == 0)
        add_forgotten(result, document);
    else if (strcmp(command, "snapshots") == 0 && json_is_array(document))
        add_listed(result, document);
    else if (strcmp(command, "stats") == 0)
        result->bytes = tree_int(document, "total_size", -1);
}

/* ---- as text ---- */

static const struct message_field fields[] = {
#define AT(member) offsetof(struct maintenance_result, member)
    {.name = "kind", .type = MESSAGE_TEXT, .required = true, .at = AT(kind), .high = 32},
    {.name = "reason", .type = MESSAGE_TEXT, .at = AT(reason), .high = 128},
    {.name = "message",
     .type = MESSAGE_TEXT,
     .at = AT(message),
     .high = MAINTENANCE_RESULT_MAX_BYTES},
#define COUNT(member)                                                                              \
    {                                                                                              \
        .name = #member, .type = MESSAGE_COUNT, .at = AT(member), .otherwise = -1,                 \
        .high = INT64_MAX                                                                          \
    }
    {.name = "others",
     .type = MESSAGE_TEXT,
     .at = AT(others),
     .high = MAINTENANCE_RESULT_MAX_BYTES},
    COUNT(removed),
    COUNT(snapshots),
    COUNT(bytes),
    COUNT(errors),
    COUNT(verified),
#undef COUNT
    {.name = "restoredFiles",
     .type = MESSAGE_COUNT,
     .at = AT(restored_files),
     .otherwise = -1,
     .high = INT64_MAX},
    {.name = "restoredBytes",
     .type = MESSAGE_COUNT,
     .at = AT(restored_bytes),
     .otherwise = -1,
     .high = INT64_MAX},
#undef AT
};

static const struct message_shape shape = MESSAGE_SHAPE(struct maintenance_result, fields, NULL);

/* A sentence holds what restic and a storage have said: only what is surely text is kept, so that
 * its bytes at most double when they are escaped. */
static char *words_of(const char *message)
{
    size_t length = strnlen(message, MAINTENANCE_WORDS_MAX_BYTES);
    char *words = text_dup(message, length);

    for (char *c = words; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            *c = ' ';
    return words;
}

void maintenance_result_write(const struct maintenance_result *result, struct text *out)
{
    AUTO(free) char *words = result->message ? words_of(result->message) : NULL;
    AUTO(free) char *others = result->others ? words_of(result->others) : NULL;
    struct maintenance_result clean = *result;

    clean.message = words;
    clean.others = others;
    message_write(&shape, &clean, out);
}

json_t *maintenance_result_read(struct span text, struct maintenance_result *result,
                                struct error *err)
{
    return message_read(&shape, text, MAINTENANCE_RESULT_MAX_BYTES, result, err);
}
