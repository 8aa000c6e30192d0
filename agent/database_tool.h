#pragma once

#include "agent/database_options.h"
#include "agent/etcd_tool.h"

/*
 * A database's own tools, ready to be run: what the helpers of a step share. Edge.
 */

struct database_tool {
    const struct database_options *options;
    const struct database_kind *kind;
    struct children children;
    struct database_connection connection;
    struct database_files files;
    int fds[4]; /* of the same, as we have them */
    size_t fd_count;
    json_t *facts; /* that a helper says when it went well */
    const char *reason;
    int stop_fd; /* readable: end */
};

/** Reads AppBinding and Secrets. False: `reason` and err say why. */
bool database_tool_begin(struct database_tool *tool, const struct database_options *options,
                         struct error *err) MUST_CHECK;
void database_tool_done(struct database_tool *tool);

static inline void auto_database_tool(struct database_tool *tool)
{
    database_tool_done(tool);
}

/** Its variables, for one database (NULL: the one that was wished). */
void database_tool_environment(const struct database_tool *tool, const char *database,
                               struct words *out);

/** The path of a tool. Heap string. */
char *database_tool_path(const struct database_tool *tool, const char *name);

/**
 * Asks the database, and fails as it does.
 *
 * @param database  As above.
 * @return          What it answers, without the last newline; heap string. NULL: err has its words.
 */
char *database_tool_ask(struct database_tool *tool, const char *database, const char *question,
                        struct error *err) MUST_CHECK;

/** Says why it failed, with a word for machines, unless there is one already. False. */
bool database_tool_fail(struct database_tool *tool, const char *reason, struct error *err,
                        enum error_code code, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/** The last of its last words, clean and without secrets. Heap string. */
char *database_tool_words(const struct database_tool *tool, struct span errors);

/** Gives the database what restic writes, and proves that it took all of it. */
bool database_load(struct database_tool *tool, struct error *err) MUST_CHECK;
