#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "kube/client.h"

/*
 * Commands of hooks that this leader has begun, each in a thread of its own. What it forgets, it
 * never begins again: that stands in the Lease of the target. Any thread.
 */
struct hook_book;

/* Commands at once; entries that are remembered; bytes of a message. */
#define HOOK_BOOK_RUNNING_MAX 64u
#define HOOK_BOOK_MAX 1024u
#define HOOK_BOOK_MESSAGE_BYTES 512u

enum hook_state { HOOK_NOT_KNOWN, HOOK_RUNNING, HOOK_SUCCEEDED, HOOK_FAILED };

/** @param client  Must live longer. */
struct hook_book *hook_book_make(struct kube_client *client);

/** Gives up what runs, waits for the threads. NULL is fine. */
void hook_book_free(struct hook_book *book);

/** How far a command is. @param message  With HOOK_FAILED: why. */
enum hook_state hook_book_look(struct hook_book *book, const char *key,
                               char message[HOOK_BOOK_MESSAGE_BYTES]);

/** True when one more may begin. */
bool hook_book_has_room(struct hook_book *book);

/** What to run. All borrowed for the call. */
struct hook_command {
    const char *space, *pod, *container;
    const json_t *command;
};

/** Begins it; afterwards its key is known. */
void hook_book_begin(struct hook_book *book, const char *key, const struct hook_command *command);

/** The same for what can not be run: it has failed, with this message. */
void hook_book_fail(struct hook_book *book, const char *key, const char *message);
