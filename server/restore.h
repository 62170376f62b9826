/*
 * Going on where another alpcserver was killed
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_RESTORE_H
#define NTALPC_SERVER_RESTORE_H

/*
 * Makes all objects of the journal (state.h) again and finishes what was under way; what has ended meanwhile ends.  To
 * be called before anything else is done, and once.
 */
void restore(void);
/* the server ends */
void restore_end(void);

#endif
