#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * How a restored member of etcd gets into its data dir, and how that is undone. Everything happens
 * on the volume of the data dir, by renames between three folders, so that a kill between any two
 * of them leaves all entries, of which a journal says whose they are:
 *
 *   DIR/                    the data dir; may be the root of a mount
 *   DIR/.granary-etcd/      journal, and
 *     made/                 what was made of the snapshot: made/member
 *     aside/                what was in the data dir before
 *   DIR/.granary-etcd-TIME/ the same, of a restore that has ended: nothing of it is deleted
 */

/** How far the journal says that a restore is. In MAKING and ASIDE the entries of the data dir are
 *  those of before, in PLACED and OUT those that were restored, or made since. */
enum etcd_phase {
    ETCD_NONE,   /* there is no journal */
    ETCD_MAKING, /* made/ is being written; nothing was moved */
    ETCD_ASIDE,  /* made/ is complete; entries of the data dir go to aside/ */
    ETCD_IN,     /* the data dir is empty; made/member goes into it */
    ETCD_PLACED, /* done */
    ETCD_OUT,    /* undoing: entries of the data dir go to made/ */
    ETCD_BACK,   /* undoing: entries of aside/ go into the data dir */
    ETCD_UNDONE  /* undone */
};

/** What is seen. */
struct etcd_place_seen {
    enum etcd_phase phase;
    enum etcd_phase kept; /* of the newest restore that has ended: PLACED or UNDONE; NONE: none */
    bool undo;            /* asked: undo the newest restore, else: restore */
    bool foreign;         /* asked: undo the restore of somebody who has made none here */
    bool same;            /* the journal's restore is the one that is asked */
    bool idle;            /* nothing has run on the newest ended restore, and that is asked again */
    bool member_made;     /* made/member is there */
    bool member_here;     /* member is in the data dir */
    size_t here, aside;   /* entries of the data dir that are not ours, and of aside/ */
};

enum etcd_place_what {
    ETCD_DO_BEGIN,       /* make folders and journal: MAKING */
    ETCD_DO_MAKE,        /* write made/ anew, flush it; then ASIDE */
    ETCD_DO_MOVE_ASIDE,  /* all of the data dir to aside/; then IN */
    ETCD_DO_MOVE_IN,     /* made/member into the data dir */
    ETCD_DO_NOTE_PLACED, /* PLACED */
    ETCD_DO_REOPEN,      /* the newest ended restore is the one to work at */
    ETCD_DO_NOTE_OUT,    /* OUT */
    ETCD_DO_MOVE_OUT,    /* all of the data dir to made/, member last; then BACK */
    ETCD_DO_NOTE_BACK,   /* BACK */
    ETCD_DO_MOVE_BACK,   /* all of aside/ into the data dir; then UNDONE */
    ETCD_DO_DISCARD,     /* remove made/, which was never in place; then UNDONE */
    ETCD_DO_KEEP,        /* the folder gets the name under which it stays */
    ETCD_DO_NOTHING,     /* what was asked is done */
    ETCD_DO_REFUSE
};

struct etcd_place_step {
    enum etcd_place_what what;
    bool last;       /* with it, what was asked is done */
    const char *why; /* of REFUSE: a sentence */
};

/** The next step. Pure; every step may be done again after a kill in its midst. */
struct etcd_place_step etcd_place_next(const struct etcd_place_seen *seen);

/** "making", "aside" ...; "" of NONE. */
const char *etcd_phase_name(enum etcd_phase phase);

/** False: no phase is named so. */
bool etcd_phase_parse(const char *name, enum etcd_phase *phase);
