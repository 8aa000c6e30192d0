#pragma once

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/**
 * The scope ends, the resource goes: `AUTO(json) json_t *tree = ...;` calls auto_json(&tree).
 * A type of our own brings its own auto_<type>() beside its header.
 */
#define AUTO(kind) __attribute__((cleanup(auto_##kind)))

/** Hands a pointer on and leaves NULL behind, so that the scope's end releases nothing. */
#define TAKE(pointer)                                                                              \
    ({                                                                                             \
        __auto_type take_ = (pointer);                                                             \
        (pointer) = NULL;                                                                          \
        take_;                                                                                     \
    })

static inline void auto_json(json_t **tree)
{
    json_decref(*tree);
}

static inline void auto_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void auto_fclose(FILE **file)
{
    if (*file)
        fclose(*file);
}

static inline void auto_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
