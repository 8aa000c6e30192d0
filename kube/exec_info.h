#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "kube/config.h"

/** What a credential plugin is told in KUBERNETES_EXEC_INFO: JSON; the caller frees it. */
char *exec_info(const struct kube_config *config, bool interactive);

/** True when one of the variables ("NAME=value") has the name of this one. */
bool exec_variable_is_set(char *const *variables, size_t count, const char *variable);
