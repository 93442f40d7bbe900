/* Shared by the files of the addon: handles, arguments, errors.
 *
 * The addon opens, receives and transmits in batches, polls and closes, and starts programs. It decides nothing and knows no protocol beyond
 * what a ring, a segmentation offload or a batch of ciphers needs; src/native/addon.ts is the description of every function. */
#ifndef WIDEPLANE_ADDON_H
#define WIDEPLANE_ADDON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena {
	uint8_t *base;
	size_t octets;
};

/* Handles are small integers, valid in every thread of the process. Opening and closing take a lock, look-ups do not:
 * whoever closes a handle must have stopped every other user of it first. */
enum handle_kind { HANDLE_FREE, HANDLE_ARENA, HANDLE_RING, HANDLE_UDP, HANDLE_RAW, HANDLE_TAP, HANDLE_XDP, HANDLE_REPLY, HANDLE_QUERY_RING };
int handle_add(enum handle_kind kind, void *object);
void *handle_find(enum handle_kind kind, int handle);
void *handle_remove(enum handle_kind kind, int handle);

/* The errno of the last call in this thread that returned short. */
extern __thread int last_error;

/* Throws an Error with code, errno and syscall; returns NULL so that a binding can return it. */
napi_value throw_errno(napi_env env, const char *subject, const char *syscall, int error);

/* Arguments. Types are TypeScript's care; a wrong one reads as 0 or an empty span. */
#define MAX_ARGUMENTS 4
struct arguments {
	napi_env env;
	size_t count;
	napi_value values[MAX_ARGUMENTS];
};
struct span {
	void *data;
	size_t count; /* elements, of whatever size they have */
};
struct arguments arguments_of(napi_env env, napi_callback_info info);
int32_t argument_integer(const struct arguments *arguments, unsigned index);
struct span argument_array(const struct arguments *arguments, unsigned index);
double option_number(napi_env env, napi_value options, const char *name);
bool option_boolean(napi_env env, napi_value options, const char *name);
void option_text(napi_env env, napi_value options, const char *name, char *into, size_t size);

napi_value integer_value(napi_env env, int32_t value);
napi_value integers_value(napi_env env, const int *values, unsigned count);
napi_value undefined_value(napi_env env);

/* Each file adds its functions to the module's exports. */
struct function_entry {
	const char *name;
	napi_callback call;
};
void export_functions(napi_env env, napi_value exports, const struct function_entry *entries, unsigned count);
void arena_register(napi_env env, napi_value exports);
void packet_ring_register(napi_env env, napi_value exports);
void udp_socket_register(napi_env env, napi_value exports);
void raw_socket_register(napi_env env, napi_value exports);
void probe_socket_register(napi_env env, napi_value exports);
void stream_socket_register(napi_env env, napi_value exports);
void server_socket_register(napi_env env, napi_value exports);
void reply_socket_register(napi_env env, napi_value exports);
void query_ring_register(napi_env env, napi_value exports);
void tap_register(napi_env env, napi_value exports);
void underlay_tap_register(napi_env env, napi_value exports);
void xdp_socket_register(napi_env env, napi_value exports);
void wait_register(napi_env env, napi_value exports);
void netlink_register(napi_env env, napi_value exports);
void device_register(napi_env env, napi_value exports);
void watch_register(napi_env env, napi_value exports);
void esp_crypto_register(napi_env env, napi_value exports);
void process_register(napi_env env, napi_value exports);
void helper_program_register(napi_env env, napi_value exports);

#define ENTRIES(list) (list), (sizeof(list) / sizeof((list)[0]))

/* Octets from the start of a buffer to its frame: the headroom, rounded up so that the frame starts at 2 modulo 4 and
 * the outer header of a tunnel in front of its 14-octet MAC header on a word boundary. */
static inline size_t frame_offset(size_t headroom_octets) { return ((headroom_octets + 3) & ~(size_t)3) + 2; }

#endif
