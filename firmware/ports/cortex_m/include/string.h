/* What the core needs of string.h, for compilers that come without a C library. */
#ifndef WL_PORT_STRING_H
#define WL_PORT_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);

#endif
