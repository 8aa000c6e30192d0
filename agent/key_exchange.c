#include "agent/key_exchange.h"

#include <stdlib.h>
#include <string.h>

#include "api/restic_access.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tree.h"

#define OPENING "opening the repository"

/* Keys of one password that are removed: an exchange that was broken off leaves one more. */
#define KEYS_MAX 20u

void key_exchange_init(struct key_exchange *exchange, struct run *run,
                       const struct message_work *before)
{
    *exchange = (struct key_exchange){.run = run, .now = run->work, .before = before};
}

void key_exchange_done(struct key_exchange *exchange)
{
    words_done(&exchange->own_environment);
}

/* ---- one password or the other ---- */

static const char *password_of(const struct message_work *work)
{
    for (size_t i = 0; work && i < work->variable_count; i++)
        if (strcmp(work->environment[i].name, RESTIC_PASSWORD_KEY) == 0)
            return work->environment[i].value;
    return "";
}

/* From now on restic is run with this access. What it says is cleaned of its own password. */
static bool use(struct key_exchange *exchange, const struct message_work *work)
{
    struct run *run = exchange->run;
    struct words other = exchange->own_environment;
    struct error err = {.message = ""};

    if (run->work == work)
        return true;
    run->work = run->place.work = work;
    exchange->own_environment = run->environment;
    run->environment = other;
    return run->environment.count > 0 || restic_environment(&run->environment, &run->place, &err) ||
           failure_set(&run->failure, "WorkNotUnderstood", "%s", err.message);
}

/* Tries to open the repository. *opens: it does, and *id is the key that did, to be freed. False:
 * that is not known. */
static bool try(struct key_exchange *exchange, const struct message_work *work, bool *opens,
                char **id)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};
    struct run *run = exchange->run;
    const json_t *key;
    size_t i;

    *opens = false;
    if (!use(exchange, work))
        return false;
    restic_keys(&argv, &run->place);
    if (!restic_run(run, &argv, READ_DOCUMENT, &output))
        return false;
    if (restic_refuses_password(&output.end))
        return true;
    if (!restic_judge(&output.end, OPENING, &run->failure))
        return false;
    tree_items (output.document, i, key)
        if (tree_true(key, "current") && tree_text(key, "id")) {
            *opens = true;
            *id = text_dup(tree_text(key, "id"), strlen(tree_text(key, "id")));
            return true;
        }
    return failure_set(&run->failure, "ResticFailed", OPENING ": restic names no key");
}

static bool opens(struct key_exchange *exchange, const struct message_work *work, bool *good)
{
    AUTO(free) char *id = NULL;

    return try(exchange, work, good, &id);
}

/* restic reads a line: what is not one would become another password than the one in the Secret. */
static bool is_line(const char *password)
{
    size_t length = strlen(password);

    return length > 0 && !strchr(password, '\n') && password[length - 1] != '\r';
}

/* Judged before anything is changed. */
static bool is_possible(struct run *run, const char *password)
{
    return is_line(password) ||
           failure_set(
               &run->failure, "PasswordNotPossible",
               "RESTIC_PASSWORD of the storage Secret holds the end of a line, which restic "
               "takes for no part of a new password. Nothing was changed. What to do: write "
               "it without (printf instead of echo).");
}

bool key_exchange_open(struct key_exchange *exchange)
{
    struct run *run = exchange->run;
    bool good = false;

    if (!opens(exchange, exchange->now, &exchange->opens))
        return false;
    if (exchange->opens)
        return true;
    if (!exchange->before)
        return failure_set(&run->failure, WRONG_PASSWORD,
                           OPENING
                           ": it does not open with RESTIC_PASSWORD, and the storage Secret "
                           "has no RESTIC_PASSWORD_OLD. What to do: " PUT_PREVIOUS ".");
    if (!is_possible(run, password_of(exchange->now)) || !opens(exchange, exchange->before, &good))
        return false;
    return good || failure_set(&run->failure, WRONG_PASSWORD,
                               OPENING ": it opens neither with RESTIC_PASSWORD of the storage "
                                       "Secret nor with RESTIC_PASSWORD_OLD. What to do: put the "
                                       "password that it had last into RESTIC_PASSWORD_OLD, byte "
                                       "for byte.");
}

/* ---- the exchange ---- */

static bool add(struct key_exchange *exchange)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};
    struct run *run = exchange->run;
    const char *password = password_of(exchange->now);
    struct error err = {.message = ""};
    AUTO(close) int text = memory_file(span_of(password), &err);

    if (text < 0)
        return failure_set(&run->failure, "ResticNotStarted", "%s", err.message);
    restic_key_add(&argv, &run->place);
    run->input = text;

    bool good = restic_must(run, &argv, READ_LINES, &output, "adding the new key");

    run->input = -1;
    return good;
}

/* The run uses the new password, and the previous one still opens the repository with key `id`. */
static bool take_out(struct key_exchange *exchange, const char *id)
{
    AUTO(words) struct words argv = {0};
    AUTO(output) struct output output = {0};
    struct run *run = exchange->run;

    if (!use(exchange, exchange->now))
        return false;
    restic_key_remove(&argv, &run->place, id);
    if (restic_must(run, &argv, READ_LINES, &output, "removing the previous key"))
        return true;
    text_puts(&run->failure.message, " Both passwords open the repository until that is done.");
    return false;
}

static bool take_out_all(struct key_exchange *exchange)
{
    for (unsigned i = 0; i <= KEYS_MAX; i++) {
        AUTO(free) char *id = NULL;
        bool good = false;

        if (!try(exchange, exchange->before, &good, &id))
            return false;
        if (!good)
            return use(exchange, exchange->now);
        if (i < KEYS_MAX && !take_out(exchange, id))
            return false;
    }
    return failure_set(&exchange->run->failure, "NotRemoved",
                       "the previous password still opens the repository, though restic removed "
                       "its keys. What to do: give maintenance credentials that may delete, apart "
                       "from those of agentSecretName");
}

bool key_exchange_do(struct key_exchange *exchange)
{
    struct run *run = exchange->run;
    bool good = exchange->opens;

    if (!exchange->before || strcmp(password_of(exchange->before), password_of(exchange->now)) == 0)
        return true; /* opened with the one there is */
    if (!good) {
        if (!add(exchange) || !opens(exchange, exchange->now, &good))
            return false;
        log_info("a key was added for the new password");
    }
    /* nothing is taken out before that is proven */
    if (!good)
        return failure_set(
            &run->failure, "KeyNotProven",
            "a key was added, and the repository does not open with RESTIC_PASSWORD. "
            "It opens with the previous password, as before.");
    if (!take_out_all(exchange))
        return false;
    log_info("the repository opens with the new password alone");
    return true;
}
