#include "api/findings.h"

#include <stdlib.h>

#include "base/tree.h"

#define FIELD_MAX_CHARS 256
#define MESSAGE_MAX_CHARS 512

void findings_add(struct findings *findings, enum finding_level level, const char *reason,
                  const char *field, const char *format, ...)
{
    AUTO(text) struct text message = {0};
    va_list args;

    va_start(args, format);
    text_addv(&message, format, args);
    va_end(args);
    findings->items =
        text_realloc(findings->items, (findings->count + 1) * sizeof *findings->items);
    findings->items[findings->count++] = (struct finding){
        .level = level,
        .reason = reason,
        .field = text_printable(span_of(field), FIELD_MAX_CHARS),
        .message =
            text_printable((struct span){text_get(&message), message.length}, MESSAGE_MAX_CHARS),
    };
}

size_t findings_count(const struct findings *findings, enum finding_level level)
{
    size_t count = 0;

    for (size_t i = 0; i < findings->count; i++)
        count += findings->items[i].level == level;
    return count;
}

void findings_done(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->items[i].field);
        free(findings->items[i].message);
    }
    free(findings->items);
    *findings = (struct findings){0};
}

json_t *findings_causes(const struct findings *findings)
{
    json_t *causes = json_array();

    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];

        if (finding->level != FINDING_ERROR)
            continue;

        json_t *cause = json_object();

        tree_put_text(cause, "reason", finding->reason);
        tree_put_text(cause, "message", finding->message);
        tree_put_text(cause, "field", finding->field);
        tree_push_new(causes, cause);
    }
    return causes;
}
