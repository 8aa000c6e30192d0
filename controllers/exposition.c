#include "controllers/exposition.h"

#include <inttypes.h>

void exposition_head(struct text *text, const char *name, const char *type, const char *help)
{
    text_addf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void exposition_label(struct text *text, const char *name, const char *value)
{
    text_addf(text, "%s%s=\"", text->length ? "," : "", name);
    for (; value && *value; value++) {
        if (*value == '"' || *value == '\\')
            text_putc(text, '\\');
        if (*value == '\n')
            text_puts(text, "\\n");
        else
            text_putc(text, *value);
    }
    text_putc(text, '"');
}

void exposition_series(struct text *text, const char *name, const char *labels, int64_t value)
{
    text_addf(text, *labels ? "%s{%s} %" PRId64 "\n" : "%s%s %" PRId64 "\n", name, labels, value);
}
