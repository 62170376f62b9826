#define WIN32_NO_STATUS
#include <windows.h>
#undef WIN32_NO_STATUS
#include <ntstatus.h>
#include <winternl.h>
#include <stdio.h>
#include <ntlpcapi.h>

struct message { PORT_MESSAGE header; char text[64]; };

int main(int argc, char **argv)
{
    struct message m = { .header.u1.s1 = { sizeof(m.text), sizeof(m) } };
    SIZE_T size = sizeof(m);
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING name;
    HANDLE port, client;

    RtlInitUnicodeString(&name, L"\\RPC Control\\example");
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    if (argc > 1) /* a client: connect, ask, print the answer */
    {
        NtAlpcConnectPort(&port, &name, NULL, NULL, ALPC_MSGFLG_SYNC_REQUEST, NULL, NULL, NULL, NULL, NULL, NULL);
        strcpy(m.text, argv[1]);
        if (!NtAlpcSendWaitReceivePort(port, ALPC_MSGFLG_SYNC_REQUEST, &m.header, NULL, &m.header, &size, NULL, NULL))
            printf("%s\n", m.text);
        return 0;
    }
    NtAlpcCreatePort(&port, &attributes, NULL); /* the server: accept, answer in capitals */
    for (PORT_MESSAGE *reply = NULL; !NtAlpcSendWaitReceivePort(port, reply ? ALPC_MSGFLG_RELEASE_MESSAGE : 0, reply,
                                                                NULL, &m.header, &size, NULL, NULL); size = sizeof(m))
    {
        reply = (m.header.u2.s2.Type & 0xff) == LPC_REQUEST ? &m.header : NULL;
        if ((m.header.u2.s2.Type & 0xff) == LPC_CONNECTION_REQUEST)
            NtAlpcAcceptConnectPort(&client, port, 0, NULL, NULL, NULL, &m.header, NULL, TRUE);
        CharUpperA(m.text);
    }
    return 0;
}
