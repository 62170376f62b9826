/*
 * Message attributes of a call
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "attributes.h"

#include "ntalpc/attribute.h"

/* what the system gives by itself is ignored when it is sent [4.8.2, 4.8.4] */
#define RECEIVE_ONLY (ALPC_MESSAGE_TOKEN_ATTRIBUTE | ALPC_MESSAGE_WORK_ON_BEHALF_ATTRIBUTE)
#define NOT_SENT_YET \
    (ALPC_MESSAGE_SECURITY_ATTRIBUTE | ALPC_MESSAGE_VIEW_ATTRIBUTE | ALPC_MESSAGE_HANDLE_ATTRIBUTE | \
     ALPC_MESSAGE_DIRECT_ATTRIBUTE)

static void *body(const ALPC_MESSAGE_ATTRIBUTES *attributes, ULONG allocated, ULONG attribute)
{
    return (uint8_t *)attributes + attribute_offset(allocated, attribute);
}

NTSTATUS attributes_read(const ALPC_MESSAGE_ATTRIBUTES *attributes, struct sent_attributes *sent)
{
    ALPC_MESSAGE_ATTRIBUTES header;

    *sent = (struct sent_attributes){ 0 };
    if (!attributes)
        return STATUS_SUCCESS;
    header = *attributes;
    if (header.ValidAttributes & ~header.AllocatedAttributes)
        return STATUS_INVALID_PARAMETER;
    if (header.ValidAttributes & NOT_SENT_YET)
        return STATUS_NOT_IMPLEMENTED;
    if (header.ValidAttributes & ALPC_MESSAGE_CONTEXT_ATTRIBUTE)
    {
        const ALPC_CONTEXT_ATTR *context = body(attributes, header.AllocatedAttributes, ALPC_MESSAGE_CONTEXT_ATTRIBUTE);

        sent->context = (ULONG_PTR)context->MessageContext;
    }
    return STATUS_SUCCESS;
}

void attributes_probe(ALPC_MESSAGE_ATTRIBUTES *attributes)
{
    if (attributes)
        probe_write(attributes, attributes_size(attributes->AllocatedAttributes));
}

void attributes_write(ALPC_MESSAGE_ATTRIBUTES *attributes, const struct message_in *in)
{
    ULONG allocated;

    if (!attributes)
        return;
    allocated = attributes->AllocatedAttributes;
    if (allocated & ALPC_MESSAGE_CONTEXT_ATTRIBUTE)
    {
        ALPC_CONTEXT_ATTR *context = body(attributes, allocated, ALPC_MESSAGE_CONTEXT_ATTRIBUTE);

        context->PortContext = (PVOID)(ULONG_PTR)in->port_context;
        context->MessageContext = (PVOID)(ULONG_PTR)in->context;
        context->Sequence = in->sequence;
        context->MessageId = in->message_id;
        context->CallbackId = in->callback_id;
    }
    attributes->ValidAttributes = allocated & ALPC_MESSAGE_CONTEXT_ATTRIBUTE;
}
