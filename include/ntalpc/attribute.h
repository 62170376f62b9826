/*
 * Where the bodies of message attributes stand [alpc.md 2.3]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Both halves of ntalpc.dll16 use this; include it after ntlpcapi.h.
 */

#ifndef NTALPC_ATTRIBUTE_H
#define NTALPC_ATTRIBUTE_H

/* size of the body of one attribute, 0 for a bit that is none */
static inline ULONG attribute_size(ULONG attribute)
{
    switch (attribute)
    {
    case ALPC_MESSAGE_SECURITY_ATTRIBUTE:
        return sizeof(ALPC_SECURITY_ATTR);
    case ALPC_MESSAGE_VIEW_ATTRIBUTE:
        return sizeof(ALPC_DATA_VIEW_ATTR);
    case ALPC_MESSAGE_CONTEXT_ATTRIBUTE:
        return sizeof(ALPC_CONTEXT_ATTR);
    case ALPC_MESSAGE_HANDLE_ATTRIBUTE:
        return sizeof(ALPC_HANDLE_ATTR);
    case ALPC_MESSAGE_TOKEN_ATTRIBUTE:
        return sizeof(ALPC_TOKEN_ATTR);
    case ALPC_MESSAGE_DIRECT_ATTRIBUTE:
        return sizeof(ALPC_DIRECT_ATTR);
    case ALPC_MESSAGE_WORK_ON_BEHALF_ATTRIBUTE:
        return sizeof(ALPC_WORK_ON_BEHALF_ATTR);
    default:
        return 0;
    }
}

/* size of the header and the bodies of these attributes */
static inline ULONG attributes_size(ULONG attributes)
{
    ULONG size = sizeof(ALPC_MESSAGE_ATTRIBUTES), bit;

    for (bit = ALPC_MESSAGE_SECURITY_ATTRIBUTE; bit; bit >>= 1)
        if (attributes & bit)
            size += attribute_size(bit);
    return size;
}

/* offset of the body of one attribute in a buffer with these allocated: those of higher bits stand before it */
static inline ULONG attribute_offset(ULONG allocated, ULONG attribute)
{
    return attributes_size(allocated & ~(attribute | (attribute - 1)));
}

#endif
