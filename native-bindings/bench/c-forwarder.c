// Forwards every frame of one device to another as fast as packet sockets allow, looking at none: the yardstick.
//
//   c-forwarder --from DEV --to DEV [--core C] [--join 0]
//
// The I/O is that of wideplane's packet-ring adapter: TPACKET_V3 with 256 KB blocks, a retire timer of 1 ms and headroom
// in the ring; sending is the adapter's own code, straight from ring memory, frames of a flow joined save with `--join 0`; a
// block goes back to the kernel after its frames were sent. It prints "ready" once it forwards, and ends by SIGTERM.

#include "../packet_transmit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define BLOCK_OCTETS (256 * 1024)
#define BLOCKS 16
#define BATCH TRANSMIT_BATCH
#define HEADROOM_OCTETS 96

static uint8_t *open_ring(const char *device, int *fd) {
  *fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (*fd < 0) die("socket AF_PACKET");
  int version = TPACKET_V3, on = 1;
  unsigned headroom = HEADROOM_OCTETS;
  if (setsockopt(*fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version)) die("PACKET_VERSION");
  if (setsockopt(*fd, SOL_PACKET, PACKET_RESERVE, &headroom, sizeof headroom)) die("PACKET_RESERVE");
  if (setsockopt(*fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on)) die("PACKET_IGNORE_OUTGOING");
  struct tpacket_req3 ring = {
      .tp_block_size = BLOCK_OCTETS,
      .tp_block_nr = BLOCKS,
      .tp_frame_size = 2048,
      .tp_frame_nr = BLOCKS * (BLOCK_OCTETS / 2048),
      .tp_retire_blk_tov = 1,
  };
  if (setsockopt(*fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof ring)) die("PACKET_RX_RING");
  uint8_t *memory = mmap(NULL, (size_t)BLOCK_OCTETS * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
  if (memory == MAP_FAILED) die("mmap");
  struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(device)};
  if (address.sll_ifindex == 0) die(device);
  if (bind(*fd, (struct sockaddr *)&address, sizeof address)) die("bind");
  struct packet_mreq promiscuous = {.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
  if (setsockopt(*fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous)) die("PACKET_MR_PROMISC");
  return memory;
}

static size_t mtu_of(const char *device) {
  struct ifreq request = {.ifr_name = ""};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
  if (fd < 0 || ioctl(fd, SIOCGIFMTU, &request)) die("SIOCGIFMTU");
  close(fd);
  return (size_t)request.ifr_mtu;
}

static void send_all(struct transmitter *transmitter, uint8_t *ring, int32_t *frames, int count) {
  if (transmitter_send(transmitter, ring, frames, count) == 0) return;
  for (int i = 0; i < count; i++) {
    const int32_t *frame = frames + i * RING_STRIDE;
    if (frame[WORD_FLAGS] != RING_REFUSED || frame[WORD_GSO] == ENOBUFS || frame[WORD_GSO] == EAGAIN) continue;
    errno = frame[WORD_GSO];
    die("sendmmsg");
  }
}

int main(int argc, char **argv) {
  static struct transmitter transmitter;
  static int32_t frames[BATCH * RING_STRIDE];
  const char *to = option(argc, argv, "to", NULL), *failed;
  if ((errno = transmitter_open(&transmitter, (int)if_nametoindex(to), &failed)) != 0) die(failed);
  /* The device is a veth, as the adapter asks for. */
  if ((failed = transmitter_add_xdp(&transmitter, (int)if_nametoindex(to))) != NULL) die(failed);
  transmitter_limit(&transmitter, mtu_of(to) + ETH_HLEN);
  transmitter.joins = number_option(argc, argv, "join", 1) != 0;
  int receiver;
  pin((int)number_option(argc, argv, "core", -1));
  uint8_t *ring = open_ring(option(argc, argv, "from", NULL), &receiver);
  puts("ready");
  fflush(stdout);
  for (unsigned b = 0;; b = (b + 1) % BLOCKS) {
    struct tpacket_block_desc *block = (struct tpacket_block_desc *)(ring + (size_t)b * BLOCK_OCTETS);
    while (!(__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) {
      struct pollfd ready = {.fd = receiver, .events = POLLIN};
      if (poll(&ready, 1, -1) < 0 && errno != EINTR) die("poll");
    }
    int pending = 0;
    uint8_t *at = (uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
    for (unsigned left = block->hdr.bh1.num_pkts; left > 0; left--) {
      struct tpacket3_hdr *header = (struct tpacket3_hdr *)at;
      int32_t *frame = frames + pending++ * RING_STRIDE;
      frame[WORD_OFFSET] = (int32_t)(at + header->tp_mac - ring);
      frame[WORD_OCTETS] = (int32_t)header->tp_snaplen;
      frame[WORD_FLAGS] = 0;
      if (pending == BATCH) {
        send_all(&transmitter, ring, frames, pending);
        pending = 0;
      }
      at += header->tp_next_offset;
    }
    if (pending > 0) send_all(&transmitter, ring, frames, pending);
    __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
  }
}
