#pragma once

#include <jansson.h>
#include <stdbool.h>

/**
 * True when two containers mean the same to the API server: what it would fill in by default is
 * ignored, quantities are compared as amounts. So a part of ours that came back from the server
 * with its defaults is not replaced, and its bytes stay.
 *
 * Spec: kubernetes-tried 2 (defaults in a pod template).
 */
bool container_same_meaning(const json_t *a, const json_t *b);

/** The same for two volumes of a pod. */
bool volume_same_meaning(const json_t *a, const json_t *b);
