#include "agent/option_values.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool option_wait(const char *text, void *member, struct error *detail)
{
    char *end;
    long seconds = strtol(text, &end, 10);

    if (!*text || (*end && strcmp(end, "s") != 0) || seconds < 1 || seconds > OPTION_WAIT_MAX_S)
        return error_set(detail, ERROR_INVALID, "expected 1 to %d seconds", OPTION_WAIT_MAX_S);
    *(int64_t *)member = seconds;
    return true;
}

bool option_parameter(const char *text, void *member, struct error *detail)
{
    (void)detail;
    *(const char **)member = text;
    return true;
}
