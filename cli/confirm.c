#include "cli/confirm.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/text.h"

/* Bytes of an answer; more is none. */
#define ANSWER_MAX 16

static bool is_yes(const char *line)
{
    struct span answer = text_trim(span_of(line));

    return (answer.length == 1 && strncasecmp(answer.data, "y", 1) == 0) ||
           (answer.length == 3 && strncasecmp(answer.data, "yes", 3) == 0);
}

bool confirm(const struct arguments *arguments, const struct output *output, const char *question,
             struct error *err)
{
    char line[ANSWER_MAX];

    if (arguments->yes)
        return true;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return error_set(err, ERROR_INVALID,
                         "nothing was done: this is no terminal where it can be asked whether it "
                         "is meant; --yes says so");
    fprintf(output->side, "%s [y/N] ", question);
    fflush(output->side);
    if (!fgets(line, sizeof line, stdin) || !is_yes(line))
        return error_set(err, ERROR_INVALID, "nothing was done");
    return true;
}
