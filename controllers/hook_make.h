#pragma once

#include <jansson.h>

#include "base/error.h"

/*
 * Hooks as an agent gets them. Pure.
 */

/**
 * A Handler with numbers in place of the names of ports, as far as a container of the pod names
 * them: the one of containerName, else all but ours. What is not known stays as it is, and the
 * agent says so.
 *
 * @param handler  As a BackupConfiguration or RestoreSession has it.
 * @param pod      Whole, or NULL.
 * @return         New reference.
 */
json_t *hook_make(const json_t *handler, const json_t *pod);

/**
 * The command of a Handler with its templates filled in.
 *
 * @param data  As hook_template_fill() takes it.
 * @return      New reference to a list of texts; NULL: ERROR_INVALID, there is none, or it is none.
 */
json_t *hook_make_command(const json_t *handler, const json_t *data, struct error *err);

/** The container it runs in: containerName, else the first of the pod that is not ours; NULL: there
 *  is none, or it is ours. Borrowed. */
const char *hook_make_container(const json_t *handler, const json_t *pod);

/** What templates may name beside what the agent knows: {Invoker, Target}. New reference.
 *  Spec: stash-behaviour 5.7. */
json_t *hook_make_data(const json_t *session, const json_t *invoker);
