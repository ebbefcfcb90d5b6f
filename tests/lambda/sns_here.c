/* Preloaded into a process, has it find SNS on this machine: SNS_HOST is 127.0.0.1, and its port 443 is SNS_PORT. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

typedef int connect_call(int, const struct sockaddr *, socklen_t);
typedef int getaddrinfo_call(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    const char *sns = getenv("SNS_HOST");
    getaddrinfo_call *next = (getaddrinfo_call *)dlsym(RTLD_NEXT, "getaddrinfo");
    return next(host && sns && strcmp(host, sns) == 0 ? "127.0.0.1" : host, service, hints, found);
}

int connect(int socket, const struct sockaddr *address, socklen_t length) {
    const char *port = getenv("SNS_PORT");
    connect_call *next = (connect_call *)dlsym(RTLD_NEXT, "connect");
    if (port && address->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in to;
        memcpy(&to, address, sizeof to);
        if (to.sin_port == htons(443) && to.sin_addr.s_addr == htonl(INADDR_LOOPBACK)) {
            to.sin_port = htons((uint16_t)atoi(port));
            return next(socket, (const struct sockaddr *)&to, sizeof to);
        }
    }
    return next(socket, address, length);
}
