#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

bool error_set(struct error *err, enum error_code code, const char *format, ...)
{
    va_list args;

    err->code = code;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    printable(err->message);
    return false;
}

bool error_wrap(struct error *err, const char *format, ...)
{
    char context[sizeof err->message], inner[sizeof err->message];
    va_list args;

    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
    memcpy(inner, err->message, sizeof inner);
    if (snprintf(err->message, sizeof err->message, "%s: %s", context, inner) < 0)
        err->message[0] = '\0';
    printable(err->message);
    return false;
}
