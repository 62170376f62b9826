/*
 * The requests that programs make to alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one description of the control protocol: structures, checks, trace and documentation are generated from it
 * (protocol.h, protocol.c).  No include guard: the file is included once for each use, with these macros defined:
 *
 *   REQUEST(name)      begins a request; IN fields follow
 *   REPLY(name)        begins its reply; OUT fields follow
 *   END(name)          ends it
 *   U32(field) U64(field)  a fixed field; all U64 of a part stand first
 *   DATA(field)        field_size bytes of variable data, in this order behind the fixed part
 *   FDS(count)         descriptors that come with a successful reply; what they are stands beside
 */

/* the first request of every connection; another PROTOCOL_VERSION is answered with STATUS_REVISION_MISMATCH and ends it */
REQUEST(init)
    U32(protocol)
    U32(process)       /* Windows process id */
    U32(session)
    DATA(program)      /* image path, UTF-16 */
    DATA(token)        /* primary token, ntalpc/token.h */
REPLY(init)
    U64(process)       /* the process' key, for join */
    U32(protocol)
    FDS(1)             /* struct process_page */
END(init)

/* one more control connection of a process that has said init; the same Unix process */
REQUEST(join)
    U64(process)
REPLY(join)
END(join)

/* replaces the primary token given with init */
REQUEST(set_token)
    DATA(token)
REPLY(set_token)
END(set_token)

/*
 * A port is named by its key, a random number: who knows it may do everything with the port.  It stands in the file
 * behind the port's handles too (struct port_file).  A queue's number is no key: it only tells whether two ports or
 * connections use the same main queue.
 */

/* a connection port [alpc.md 1.3 NtAlpcCreatePort] */
REQUEST(create_port)
    U32(flags)         /* ALPC_PORFLG_* */
    U32(max_message)
    U32(absolute)      /* the name can be looked up without its directory */
    DATA(name)         /* as the object manager spells it, UTF-16; empty = unnamed */
    DATA(security)     /* self-relative security descriptor; empty = the token's default */
REPLY(create_port)
    U64(port)
    U64(queue)         /* its main queue */
    U32(number)        /* tells apart ports of one name in different unnamed directories; from 1 */
    FDS(4)             /* file for the handle, post, desk, roster */
END(create_port)

/* whether a name is a port's */
REQUEST(find_port)
    U32(number)        /* 0 = the name is absolute */
    DATA(name)
REPLY(find_port)
END(find_port)

/* [alpc.md 4.3] the message is told to the server once it fits; the answer comes through the channel */
REQUEST(connect_port)
    U32(number)        /* as in find_port */
    U32(thread)        /* Windows thread id */
    U32(sync)          /* the thread waits for the answer */
    U32(flags)         /* of the client port */
    U32(max_message)
    U32(data_length)   /* of the connection message, and */
    U32(total_length)
    DATA(name)
    DATA(token)        /* the caller's effective token */
    DATA(server_sid)   /* that the port's owner must have; empty = any */
    DATA(server_security) /* that must let the port's owner in; empty = any */
    DATA(message)      /* what follows the header */
REPLY(connect_port)
    U64(port)          /* the client communication port */
    U64(queue)         /* the connection port's */
    U32(slot)
    U32(generation)
    U32(server_process)
    U32(server_session)
    U32(message_gen)   /* generation of the cell CELL_CONNECT */
    FDS(4)             /* file for the handle, channel, post, desk (read-only) */
END(connect_port)

/* accepts or refuses a connection request [alpc.md 1.3 NtAlpcAcceptConnectPort] */
REQUEST(accept_port)
    U64(port)          /* the connection port */
    U64(context)       /* PortContext */
    U32(message_id)
    U32(callback_id)
    U32(accept)
    U32(thread)
    U32(flags)         /* of the server communication port */
    U32(max_message)
    U32(data_length)
    U32(total_length)
    DATA(message)
REPLY(accept_port)
    U64(port)          /* the server communication port; 0 when refused */
    U32(slot)
    FDS(1)             /* file for the handle; none when refused, or light: there is no file */
END(accept_port)

/* the accepted or requesting connection in a slot of the connection port's roster */
REQUEST(attach_connection)
    U64(port)          /* the connection port */
    U32(slot)
REPLY(attach_connection)
    U32(generation)
    U32(process)       /* number of the caller among the processes of its end */
    FDS(1)             /* channel */
END(attach_connection)

/* the port whose handle has been inherited or duplicated into the caller */
REQUEST(attach_port)
    U64(port)          /* read from the file that the handle is for */
REPLY(attach_port)
    U64(queue)
    U64(context)       /* PortContext of a server communication port */
    U32(kind)          /* enum port_kind */
    U32(flags)
    U32(slot)
    U32(generation)
    U32(client_process)
    U32(server_process)
    U32(server_session)
    U32(process)       /* number of the caller among the processes of its end */
    FDS(3)             /* connection port: post, desk, roster; communication port: channel, post, desk */
END(attach_port)

/* [alpc.md 1.3 NtAlpcDisconnectPort] */
REQUEST(disconnect_port)
    U64(port)
    U32(flags)
REPLY(disconnect_port)
END(disconnect_port)

/* a port whose handle could not be made, or the last handle of a light one has been closed */
REQUEST(close_port)
    U64(port)
REPLY(close_port)
END(close_port)

/* the name of a port, empty if it has none */
REQUEST(query_name)
    U64(port)
REPLY(query_name)
    DATA(name)
END(query_name)

REQUEST(query_security)
    U64(port)
    U32(information)   /* OWNER_SECURITY_INFORMATION ... */
REPLY(query_security)
    DATA(security)     /* self-relative */
END(query_security)

REQUEST(set_security)
    U64(port)
    U32(information)
    DATA(security)
REPLY(set_security)
END(set_security)

/* a thread has been terminated: what it was doing is undone, as soon as the kernel says that it has ended */
REQUEST(thread_gone)
    U32(process)
    U32(thread)        /* Windows thread id */
REPLY(thread_gone)
END(thread_gone)

/* a handle of another process has been closed from outside */
REQUEST(handles_changed)
    U32(process)
    U32(handle)        /* its value there */
REPLY(handles_changed)
END(handles_changed)

/* what alpcdump shows: records of ntalpc/records.h */
REQUEST(dump)
    U32(messages)      /* whether to list messages too */
REPLY(dump)
    DATA(records)
END(dump)

/* ends alpcserver; its ports close */
REQUEST(shutdown)
REPLY(shutdown)
END(shutdown)
