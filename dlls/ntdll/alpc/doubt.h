/*
 * Lies in a port's queue
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every client of a port can write over its queue, so entries of others can vanish.  When a receiver takes an entry
 * that leads nowhere somebody has probably lied, and whose entry stood there before is not known.  From then on the
 * port is in doubt until it has looked at all its connections, a few at a time and only when it would sleep.
 *
 * Honest programs can make such an entry too, but seldom: a client that posts just as the server closes that
 * connection's port, a receiver that is stopped for half a second between taking an entry and its message, a sender
 * that is preempted before it posts while the death of another of its threads is dealt with.  Each costs a search and
 * nothing else.
 */

#ifndef NTALPC_DOUBT_H
#define NTALPC_DOUBT_H

#include "port.h"

/* an entry led nowhere, or a gap had to be mended */
void doubt_begin(struct port *port);

/*
 * Looks at some connections for messages that were sent before the doubt began and are announced no more; announces
 * them again.  Returns true if it found one.
 */
bool doubt_search(struct thread *thread, struct port *port);

static inline bool doubt_is_set(const struct port *port)
{
    return atomic_load_explicit(&port->doubt.stage, memory_order_relaxed);
}

#endif
