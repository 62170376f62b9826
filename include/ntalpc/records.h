/*
 * What alpcserver tells alpcdump
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one description of the dump's records; alpcdump's text and JSON come from it too.  Included like requests.h,
 * with:
 *
 *   RECORD(name)           begins a record
 *   U32(field) U64(field)  a number; all U64 stand first
 *   TEXT(field)            field_size bytes of UTF-8
 *   SECURITY(field)        field_size bytes of a self-relative security descriptor
 *   END(name)
 *
 * Ports and connections are told by their serial numbers, which give no right to them.
 */

RECORD(server)
    U32(pid)
    U32(protocol)
END(server)

RECORD(port)
    U64(port)
    U64(connection)     /* of a communication port; 0 = none */
    U32(kind)           /* enum port_kind */
    U32(process)        /* of the owner, Windows */
    U32(pid)            /* of the owner, Unix */
    U32(flags)          /* ALPC_PORFLG_* */
    U32(max_message)
    U32(number)         /* of its name; 0 = unnamed */
    U32(connections)    /* of a connection port */
    U32(queued)         /* messages that wait to be received; an estimate */
    U32(receivers)      /* threads that sleep in a receive */
    U32(disconnected)
    TEXT(name)
    TEXT(program)
    SECURITY(security)
END(port)

RECORD(connection)
    U64(connection)
    U64(server_port)    /* the connection port; 0 = it has gone */
    U64(client_port)    /* the communication ports; 0 = gone, or not yet */
    U64(server_end)
    U64(port_context)
    U32(slot)
    U32(stage)          /* LINK_ bits */
    U32(client_process)
    U32(client_pid)
    U32(server_process)
    U32(server_pid)
    U32(messages)       /* that have not come to their end */
    TEXT(client_program)
    TEXT(server_program)
END(connection)

RECORD(message)
    U64(connection)
    U64(age)            /* ns since it was written */
    U32(id)
    U32(callback)
    U32(type)
    U32(data_length)
    U32(total_length)
    U32(process)        /* of who wrote it */
    U32(thread)
    U32(phase)          /* enum cell_phase */
    U32(flags)          /* CONTENT_SYNC ... */
    U32(holder_process) /* of who writes it, or has received it and may answer; 0 = nobody */
    U32(holder_thread)
END(message)
