#include "agent/etcd_place_next.h"

#include <string.h>

#define LOST "entries were moved aside, but the journal does not say why"

static const char *const names[] = {
    [ETCD_NONE] = "",     [ETCD_MAKING] = "making", [ETCD_ASIDE] = "aside",
    [ETCD_IN] = "in",     [ETCD_PLACED] = "placed", [ETCD_OUT] = "out",
    [ETCD_BACK] = "back", [ETCD_UNDONE] = "undone",
};

const char *etcd_phase_name(enum etcd_phase phase)
{
    return names[phase];
}

bool etcd_phase_parse(const char *name, enum etcd_phase *phase)
{
    for (int i = ETCD_MAKING; name && i <= ETCD_UNDONE; i++)
        if (strcmp(name, names[i]) == 0) {
            *phase = (enum etcd_phase)i;
            return true;
        }
    return false;
}

static struct etcd_place_step do_(enum etcd_place_what what)
{
    return (struct etcd_place_step){.what = what};
}

static struct etcd_place_step refuse(const char *why)
{
    return (struct etcd_place_step){.what = ETCD_DO_REFUSE, .why = why};
}

static struct etcd_place_step nothing(void)
{
    return (struct etcd_place_step){.what = ETCD_DO_NOTHING, .last = true};
}

/* A restore that has ended gets out of the way; `asked`: it was the one. */
static struct etcd_place_step keep(bool asked)
{
    return (struct etcd_place_step){.what = ETCD_DO_KEEP, .last = asked};
}

static struct etcd_place_step move_in(const struct etcd_place_seen *seen)
{
    if (!seen->member_made)
        return seen->member_here ? do_(ETCD_DO_NOTE_PLACED)
                                 : refuse("what was restored is neither in the data dir nor beside "
                                          "it: --rollback brings back what was there before");
    if (seen->here > 0)
        return refuse("something was put into the data dir while it was restored: is an etcd "
                      "started there? Stop it and take away what it made, or use --rollback");
    return do_(ETCD_DO_MOVE_IN);
}

static struct etcd_place_step restore_next(const struct etcd_place_seen *seen)
{
    switch (seen->phase) {
    case ETCD_NONE:
        if (seen->aside > 0)
            return refuse(LOST);
        return seen->idle ? nothing() : do_(ETCD_DO_BEGIN);
    case ETCD_MAKING:
        if (seen->aside > 0)
            return refuse(LOST);
        return do_(seen->same ? ETCD_DO_MAKE : ETCD_DO_BEGIN);
    case ETCD_PLACED:
        return keep(seen->same);
    case ETCD_UNDONE:
        return keep(false);
    case ETCD_OUT:
    case ETCD_BACK:
        return refuse("a restore is being undone here: finish that with --rollback");
    default:
        break;
    }
    if (!seen->same)
        return refuse("another restore was begun here and not finished: repeat it with its own "
                      "arguments, or undo it with --rollback");
    return seen->phase == ETCD_ASIDE ? do_(ETCD_DO_MOVE_ASIDE) : move_in(seen);
}

static struct etcd_place_step reopen(const struct etcd_place_seen *seen)
{
    if (seen->aside > 0)
        return refuse(LOST);
    if (seen->kept == ETCD_PLACED)
        return do_(ETCD_DO_REOPEN);
    return seen->kept == ETCD_UNDONE ? nothing()
                                     : refuse("no restore was made here that could be undone");
}

static struct etcd_place_step undo_next(const struct etcd_place_seen *seen)
{
    switch (seen->phase) {
    case ETCD_NONE:
        return reopen(seen);
    case ETCD_MAKING:
        return do_(ETCD_DO_DISCARD);
    case ETCD_ASIDE:
        return do_(ETCD_DO_NOTE_BACK);
    case ETCD_IN:
        return do_(seen->member_made ? ETCD_DO_NOTE_BACK : ETCD_DO_NOTE_OUT);
    case ETCD_PLACED:
        return do_(ETCD_DO_NOTE_OUT);
    case ETCD_OUT:
        return do_(ETCD_DO_MOVE_OUT);
    case ETCD_BACK:
        return do_(ETCD_DO_MOVE_BACK);
    default:
        return keep(true);
    }
}

struct etcd_place_step etcd_place_next(const struct etcd_place_seen *seen)
{
    if (seen->undo && seen->foreign)
        return nothing();
    return seen->undo ? undo_next(seen) : restore_next(seen);
}
