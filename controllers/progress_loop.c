#include "controllers/progress_loop.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/tree.h"
#include "controllers/progress.h"
#include "controllers/session_read.h"
#include "controllers/status_send.h"
#include "settings/store.h"

/* After somebody else's write: until it is known here. */
#define LATE_MS 1000

static struct progress_book *book_of(struct loops *loops)
{
    return loops_state(loops, &progress_loop);
}

void progress_loop_note(struct loops *loops, const struct message_progress *message)
{
    struct progress_book *book = book_of(loops);

    if (book && progress_book_note(book, message, clock_mono_ms()))
        loops_wake(loops, &progress_loop, message->session, 0);
}

/* ---- a step ---- */

static int64_t write_progress(struct loops *loops, const json_t *session, enum known_kind kind,
                              struct error *err)
{
    const char *uid = tree_text(tree_get(session, "metadata"), "uid");
    AUTO(json)
    json_t *shown = progress_book_show(book_of(loops), session, clock_now_s(), clock_mono_ms());
    AUTO(json) json_t *status = tree_copy(tree_member(session, "status", JSON_OBJECT));

    if (!shown || !status)
        return LOOP_RESTS;
    tree_put_new(status, "progress", TAKE(shown));
    switch (status_send(loops_client(loops), known_resource(kind), session, status, err)) {
    case STATUS_SAME:
    case STATUS_SENT:
        return LOOP_RESTS;
    case STATUS_LATE:
        progress_book_again(book_of(loops), uid);
        return LATE_MS;
    case STATUS_FAILED:
        break;
    }
    progress_book_again(book_of(loops), uid);
    return LOOP_FAILED;
}

static int64_t step(struct loops *loops, const char *key, struct error *err)
{
    struct known *known = loops_known(loops);
    AUTO(settings_held) const struct settings *settings = loops_settings(loops);
    AUTO(json) json_t *backup = known_uid(known, KNOWN_SESSION, key);
    AUTO(json) json_t *restore = backup ? NULL : known_uid(known, KNOWN_RESTORE, key);
    const json_t *session = backup ? backup : restore;
    int64_t wait_ms;

    if (!session || !loops_client(loops) || session_has_ended(session, restore != NULL)) {
        progress_book_forget(book_of(loops), key);
        return LOOP_RESTS;
    }
    wait_ms = progress_book_turn(book_of(loops), key, settings->writes_per_second, clock_mono_ms());
    if (wait_ms != 0)
        return wait_ms > 0 ? wait_ms : LOOP_RESTS;
    return write_progress(loops, session, restore ? KNOWN_RESTORE : KNOWN_SESSION, err);
}

/* Sessions that end or go are forgotten; the others tell of themselves. */
static void keys(struct known *known, const struct informer_change *change, json_t *list)
{
    bool restore = change->kind == KNOWN_RESTORE;
    const json_t *object = change->after ? change->after : change->before;
    const char *uid = tree_text(tree_get(object, "metadata"), "uid");

    (void)known;
    if ((restore || change->kind == KNOWN_SESSION) && uid && change->before &&
        (!change->after || session_has_ended(change->after, restore)))
        tree_push_text(list, uid);
}

static void *make(struct loops *loops)
{
    (void)loops;
    return progress_book_make();
}

static void release(void *state)
{
    progress_book_free(state);
}

const struct loop progress_loop = {
    .name = "progress",
    .make = make,
    .free = release,
    .keys = keys,
    .step = step,
    .workers = 1,
};
