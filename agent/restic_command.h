#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/agent_messages.h"
#include "base/error.h"

/*
 * What restic is called with, as words and variables: no shell, secrets only in variables and
 * memory files, paths and patterns never where an option could be. Pure.
 */

/* Our own snapshots say which cluster owns a repository. */
#define OWNER_HOST "granary"
#define OWNER_TAG "granary-cluster"

/* How long a lock of somebody else is waited for. */
#define LOCK_WAIT "--retry-lock=5m"

/* A file that says how far a restore is, where a volume takes no extended attributes. */
#define MARK_FILE ".granary-restore"
#define MARK_ATTRIBUTE "user.granary.restore"

/** A list of words, ended by NULL once words_list() was asked. */
struct words {
    char **list;
    size_t count, room;
};

void words_add(struct words *words, const char *word);
void words_addf(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The list, borrowed until the next word. */
const char *const *words_list(struct words *words);

/** Wipes and releases: words may be secret. */
void words_done(struct words *words);

static inline void auto_words(struct words *words)
{
    words_done(words);
}

/** Where restic runs. Borrowed. */
struct restic_place {
    const struct message_work *work;
    const char *scratch;            /* folder for cache and temporary files */
    int64_t memory_bytes;           /* that it may take; 0: not known */
    const char *const *environment; /* ours: what names a proxy is handed on */
};

/** The variables that each of our programs has: where it may write, what memory it has, how the
 *  network is reached. */
void command_environment(struct words *out, const struct restic_place *place);

/** Adds NAME=VALUE; $GRANARY_FILES/<name> in front becomes where the child has that file. False:
 *  ERROR_INVALID, that file did not come. */
bool command_variable(struct words *out, const struct message_work *work,
                      const struct message_variable *variable, struct error *err) MUST_CHECK;

/**
 * The variables of restic.
 *
 * @return  False with ERROR_INVALID: a variable that restic is not given, or a file that did not
 *          come; the message names it.
 */
bool restic_environment(struct words *out, const struct restic_place *place,
                        struct error *err) MUST_CHECK;

/** False with ERROR_INVALID: a repository of a kind that would run another program. */
bool restic_url_check(const char *url, struct error *err) MUST_CHECK;

/** Lists the marks of owners; proves at the same time that there is a repository, or none. */
void restic_owners(struct words *out, const struct restic_place *place);

/**
 * A run of maintenance.
 *
 * @param vector  The command and its options, each with its value in one word. Borrowed.
 * @return        False with ERROR_INVALID: a command that is not for maintenance, or a word that is
 *                no option.
 */
bool restic_maintenance(struct words *out, const struct restic_place *place, const json_t *vector,
                        struct error *err) MUST_CHECK;

/** Its keys: lists them, and which of them opened it; adds one for the password that is read;
 * removes one by its id. */
void restic_keys(struct words *out, const struct restic_place *place);
void restic_key_add(struct words *out, const struct restic_place *place);
void restic_key_remove(struct words *out, const struct restic_place *place, const char *id);

/** The names of all locks, a line each; one of them as JSON; and the removal of those that are
 * stale: of a process of this host that does not run, or not renewed for half an hour. */
void restic_list_locks(struct words *out, const struct restic_place *place);
void restic_read_lock(struct words *out, const struct restic_place *place, const char *name);
void restic_unlock(struct words *out, const struct restic_place *place);

/** Makes a repository, and the mark of a cluster, which takes over from a mark (NULL: none). */
void restic_init(struct words *out, const struct restic_place *place);
void restic_mark_owner(struct words *out, const struct restic_place *place, const char *from);

/** Takes one snapshot. @return False with ERROR_FORBIDDEN: an argument that is not allowed. */
bool restic_backup(struct words *out, const struct restic_place *place, const char *path,
                   struct error *err) MUST_CHECK;

/**
 * Takes one snapshot of what a program writes, if it ends well: else restic makes none.
 *
 * @param file  Its name in the snapshot.
 * @param argv  The program, by its path, and its words.
 */
void restic_backup_output(struct words *out, const struct restic_place *place, const char *file,
                          const struct words *argv);

/** Writes one file of a snapshot to standard output. */
void restic_output(struct words *out, const struct restic_place *place, const char *id,
                   const char *path);

/** Lists one snapshot by its id, as far as it is of this host. */
void restic_listed(struct words *out, const struct restic_place *place, const char *id);

/** Lists those of a host (NULL: all) that hold a path (NULL: any). */
void restic_snapshots(struct words *out, const struct restic_place *place, const char *host,
                      const char *path);

/** Lists those that carry a tag. */
void restic_tagged(struct words *out, const struct restic_place *place, const char *tag);

/** Lists the files of a snapshot, one a line. */
void restic_contents(struct words *out, const struct restic_place *place, const char *id);

/** Restores a snapshot below a folder, and reads back what it wrote: all of it, or what the
 * patterns name, which are meant from the snapshot's root. */
void restic_drill(struct words *out, const struct restic_place *place, const char *id,
                  const char *folder, const struct words *patterns);

/** How much a restore does. */
enum restic_care {
    RESTIC_PLAIN,
    RESTIC_DRY,   /* only says which files it would write */
    RESTIC_VERIFY /* reads again what it wrote */
};

/** Restores `path` of a snapshot to where it was; patterns that begin with it are meant from the
 *  snapshot's root, and written anew. */
void restic_restore(struct words *out, const struct restic_place *place, const char *id,
                    const char *path, const struct message_rule *rule, enum restic_care care);
