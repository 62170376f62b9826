/*
 * The Alpc* helpers [alpc.md 1.4]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "pe.h"

#include "ntalpc/attribute.h"

ULONG NTAPI AlpcMaxAllowedMessageLength(VOID)
{
    /* a 32-bit header grows by 16 bytes on its way through a 64-bit system */
    return ALPC_MAX_MESSAGE_LENGTH - (sizeof(PORT_MESSAGE) == 0x28 ? 0 : 0x10);
}

ULONG NTAPI AlpcGetHeaderSize(ULONG Flags)
{
    return attributes_size(Flags);
}

NTSTATUS NTAPI AlpcInitializeMessageAttribute(ULONG AttributeFlags, PALPC_MESSAGE_ATTRIBUTES Buffer,
                                                     SIZE_T BufferSize, PSIZE_T RequiredBufferSize)
{
    *RequiredBufferSize = attributes_size(AttributeFlags);
    if (BufferSize < *RequiredBufferSize)
        return STATUS_BUFFER_TOO_SMALL;
    if (Buffer)
        *Buffer = (ALPC_MESSAGE_ATTRIBUTES){ .AllocatedAttributes = AttributeFlags };
    return STATUS_SUCCESS;
}

PVOID NTAPI AlpcGetMessageAttribute(PALPC_MESSAGE_ATTRIBUTES Buffer, ULONG AttributeFlag)
{
    ULONG allocated = Buffer->AllocatedAttributes;

    /* attribute_size knows single bits only */
    if (!(allocated & AttributeFlag) || !attribute_size(AttributeFlag))
        return NULL;
    return (char *)Buffer + attribute_offset(allocated, AttributeFlag);
}
