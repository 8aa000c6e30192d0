#pragma once

#include <jansson.h>

#include "base/error.h"

/** What restic is asked to do. */
enum restic_command { RESTIC_BACKUP, RESTIC_RESTORE };

/**
 * Judges the arguments that an owner adds to restic (target.args). Only options that change what is
 * stored or how fast are let through; all that run programs, read other files, name another
 * repository or weaken its protection (`--password-command`, `-o`, `--repo`, `--files-from`,
 * `--no-lock` ...) are not, and neither is anything that is no option.
 *
 * @param args   List of strings: "--tag=a", or "--tag" and "a", or "--tag a". Borrowed; elements of
 *               other types are somebody else's finding.
 * @param index  Set to the element at fault.
 * @return       False: ERROR_FORBIDDEN, the message names the option (never its value).
 *
 * Spec: restic's manual, commands backup and restore; security 5.6.
 */
bool restic_args_check(const json_t *args, enum restic_command command, size_t *index,
                       struct error *err) MUST_CHECK;
