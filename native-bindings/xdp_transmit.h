/* Sending by an AF_XDP socket in copy mode: frames are copied into chunks of its memory (UMEM), and the kernel is asked once for
 * up to 32 of them, which spares what a packet socket costs each frame. */
#ifndef WIDEPLANE_XDP_TRANSMIT_H
#define WIDEPLANE_XDP_TRANSMIT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* The kernel frees a queue some time after its last socket was closed. */
#define XDP_BUSY_ATTEMPTS 50
#define XDP_BUSY_PAUSE_US 10000

/* A ring that is shared with the kernel. */
struct shared_ring {
	uint32_t *producer, *consumer;
	void *entries;
	uint32_t mask;
	void *map;
	size_t map_octets;
};

static inline uint32_t acquire(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static inline void publish(uint32_t *word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }

bool shared_ring_set(int socket, int option, uint32_t entries);
bool shared_ring_map(int socket, struct shared_ring *ring, const struct xdp_ring_offset *offset, uint32_t entries,
		     size_t entry_octets, off_t page);
void shared_ring_unmap(struct shared_ring *ring);
/* Binds to the queue `number` of the device `index`, of which `attempts` times another may still be let go. */
bool xdp_bind(int socket, int index, unsigned number, int attempts);

/* The rings of `ring` and `completion` have a place for every chunk. */
struct xdp_transmit {
	int socket;
	uint8_t *umem;
	size_t umem_octets;
	uint32_t chunk_octets;
	struct shared_ring ring, completion;
	struct shared_ring fill; /* the kernel asks for one, but nothing is received; not used by a socket that receives */
	uint32_t free_count;
	uint64_t *free_chunks;
	uint32_t first, next; /* entries of `ring` since xdp_transmit_begin */
	int error;	      /* of a device that takes nothing */
};

/* A socket that only sends, by the first queue, with memory of its own for `chunks`, a power of two. Returns NULL, or what
 * failed, with errno; it is to be closed then, too. */
const char *xdp_transmit_open(struct xdp_transmit *transmit, int index, uint32_t chunks, uint32_t chunk_octets);
void xdp_transmit_close(struct xdp_transmit *transmit);

/* Begins a batch: what was left of the one before goes first. */
void xdp_transmit_begin(struct xdp_transmit *transmit);
/* Copies a frame of at most chunk_octets. Returns 0 or the errno; EAGAIN: all chunks are on their way. */
int xdp_transmit_put(struct xdp_transmit *transmit, const struct iovec *pieces, size_t count);
/* Sends the batch. Returns how many of its last frames the device has not taken, which are forgotten; why is in `error`. */
unsigned xdp_transmit_end(struct xdp_transmit *transmit);

#endif
