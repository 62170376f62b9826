/*
 * What has to do with a process, and is told when the process or one of its threads has ended
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "bond.h"

#include "server.h"

#include "dlls/ntdll/alpc/wait.h"

#include <stdlib.h>

/* a walk through a list */
struct walk
{
    struct walk *next;
    uint32_t thread;   /* 0 = the process */
    struct bond *bond; /* the next one to tell */
    void (*told)(void *arg);
    void *arg;
};

/* so long other clients wait for a walk */
#define SLICE_NS 2000000

static struct walk *walks;
static struct event *walking;

void bond_insert(struct bond **list, struct bond *bond)
{
    bond->link = list;
    bond->next = *list;
    if (bond->next)
        bond->next->link = &bond->next;
    *list = bond;
}

void bond_remove(struct bond *bond)
{
    struct walk *walk;

    for (walk = walks; walk; walk = walk->next)
        if (walk->bond == bond)
            walk->bond = bond->next;
    *bond->link = bond->next;
    if (bond->next)
        bond->next->link = bond->link;
}

static void tell_next(struct walk *walk)
{
    struct bond *bond = walk->bond;

    walk->bond = bond->next;
    if (!walk->thread)
        bond->ops->process_gone(bond);
    else if (bond->ops->thread_gone)
        bond->ops->thread_gone(bond, walk->thread);
}

static void end_walk(const struct walk *walk)
{
    if (walk->told)
        walk->told(walk->arg);
}

/* goes on with the walks, and ends those that have come to their end */
static void walk_on(uint64_t until)
{
    static const struct timeval at_once;

    while (walks)
    {
        struct walk *walk = walks;

        while (walk->bond && monotonic_ns() < until)
            tell_next(walk);
        if (walk->bond)
        {
            evtimer_add(walking, &at_once);
            return;
        }
        walks = walk->next;
        end_walk(walk);
        free(walk);
    }
}

static void on_walking(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    walk_on(monotonic_ns() + SLICE_NS);
}

void bonds_tell(struct bond *list, uint32_t thread, void (*told)(void *arg), void *arg)
{
    struct walk *walk, **last;

    for (last = &walks; *last; last = &(*last)->next)
        ;
    if (!walking)
        walking = evtimer_new(server_base, on_walking, NULL);
    if (!walking || !(walk = malloc(sizeof(*walk))))
    {
        struct walk all = { .next = walks, .thread = thread, .bond = list, .told = told, .arg = arg };

        /* without memory it is done at once, however long it takes */
        walks = &all;
        while (all.bond)
            tell_next(&all);
        walks = all.next;
        end_walk(&all);
        return;
    }
    *walk = (struct walk){ .thread = thread, .bond = list, .told = told, .arg = arg };
    *last = walk;
    if (walks == walk)
        walk_on(monotonic_ns() + SLICE_NS);
}

void bonds_end(void)
{
    walk_on(UINT64_MAX);
    if (walking)
        event_free(walking);
    walking = NULL;
}
