// Forwards every frame of one device to another as fast as packet sockets allow, looking at none: the yardstick.
//
//   c-forwarder --from DEV --to DEV [--core C]
//
// The I/O is that of wideplane's packet-ring adapter: TPACKET_V3 with 256 KB blocks, a retire timer of 1 ms and headroom
// in the ring; sendmmsg straight from ring memory, past the queueing discipline; a block goes back to the kernel after
// its frames were sent. It prints "ready" once it forwards, and ends by SIGTERM.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "bench.h"

#define BLOCK_OCTETS (256 * 1024)
#define BLOCKS 16
#define BATCH 64
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

static void send_all(int fd, struct mmsghdr *messages, unsigned count) {
  unsigned done = 0;
  while (done < count) {
    int accepted = sendmmsg(fd, messages + done, count - done, 0);
    if (accepted > 0) done += (unsigned)accepted;
    else if (errno == ENOBUFS) done++;
    else if (errno != EINTR) die("sendmmsg");
  }
}

int main(int argc, char **argv) {
  int receiver, sender = open_sender(option(argc, argv, "to", NULL), 1);
  pin((int)number_option(argc, argv, "core", -1));
  uint8_t *ring = open_ring(option(argc, argv, "from", NULL), &receiver);
  struct iovec vectors[BATCH];
  struct mmsghdr messages[BATCH];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < BATCH; i++) {
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  puts("ready");
  fflush(stdout);
  for (unsigned b = 0;; b = (b + 1) % BLOCKS) {
    struct tpacket_block_desc *block = (struct tpacket_block_desc *)(ring + (size_t)b * BLOCK_OCTETS);
    while (!(__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) {
      struct pollfd ready = {.fd = receiver, .events = POLLIN};
      if (poll(&ready, 1, -1) < 0 && errno != EINTR) die("poll");
    }
    unsigned pending = 0;
    uint8_t *at = (uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
    for (unsigned left = block->hdr.bh1.num_pkts; left > 0; left--) {
      struct tpacket3_hdr *header = (struct tpacket3_hdr *)at;
      vectors[pending++] = (struct iovec){at + header->tp_mac, header->tp_snaplen};
      if (pending == BATCH) {
        send_all(sender, messages, pending);
        pending = 0;
      }
      at += header->tp_next_offset;
    }
    if (pending > 0) send_all(sender, messages, pending);
    __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
  }
}
