#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/agent_messages.h"
#include "kube/informer.h"

/*
 * How far the hosts of a session are: agents say it every few seconds, `status.progress` shows it
 * now and then. What is shown decides nothing. Any thread.
 */
struct progress_book;

/* Sessions, and hosts of one, of which it is known; what is beyond them is not shown. */
#define PROGRESS_SESSIONS_MAX 10000u
#define PROGRESS_HOSTS_MAX 500u

/* Hosts of a session that are shown one by one. */
#define PROGRESS_SHOWN_MAX 50u

/* Between two writes for one session: milliseconds. */
#define PROGRESS_EVERY_MS 10000

/* The part of the writes of a second (settings, limits.writesPerSecond) that progress may take. */
#define PROGRESS_SHARE 0.25

struct progress_book *progress_book_make(void);

/** Nobody may be inside any more. NULL is fine. */
void progress_book_free(struct progress_book *book);

/**
 * Notes what an agent says of the attempt that is his. Within one attempt nothing goes back: a
 * number that is lower than the last one does not count; more done than there is in all is all.
 *
 * @return  True when there is something new to show.
 */
bool progress_book_note(struct progress_book *book, const struct message_progress *message,
                        int64_t now_ms);

/** The session has ended, or is gone. */
void progress_book_forget(struct progress_book *book, const char *session);

/** How many sessions it knows. */
size_t progress_book_size(struct progress_book *book);

/** Whose turn it is. What all sessions write together is bounded, and they are served in turn.
 *
 * @param writes_per_s  Of the settings.
 * @return              0: this session may be written now; else milliseconds until it may be asked
 *                      again; -1: there is nothing new to show. */
int64_t progress_book_turn(struct progress_book *book, const char *session, int64_t writes_per_s,
                           int64_t now_ms);

/** It was not written, since somebody else changed the session: what is to be shown is new still.
 */
void progress_book_again(struct progress_book *book, const char *session);

/**
 * What `status.progress` is to be: of hosts of the session that have no result yet.
 *
 * @param session  BackupSession or RestoreSession. Borrowed.
 * @return         New reference; NULL: nothing is to be shown.
 */
json_t *progress_book_show(struct progress_book *book, const json_t *session, int64_t now_s,
                           int64_t now_ms);

/** True when nothing but progress has changed: nobody who decides has to look. */
bool progress_is_all(const struct informer_change *change);
