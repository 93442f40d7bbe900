# Joins two devices as a slow link does that loses packets: frames from one leave by the other after a time.
#
#   slow-link.py LEFT RIGHT MILLISECONDS LOSS     LOSS: the part of IP packets that is lost on the way from left to right
#
# Prints `ready`. Delay is for that direction alone, so that it is the round-trip time's.

import heapq
import random
import select
import socket
import sys
import time

LEFT, RIGHT, DELAY, LOSS = sys.argv[1], sys.argv[2], float(sys.argv[3]) / 1000, float(sys.argv[4])
ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_IGNORE_OUTGOING = 23
ETHERTYPES = (b"\x08\x00", b"\x86\xdd")


def port(device):
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    opened.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    opened.bind((device, 0))
    return opened


left, right = port(LEFT), port(RIGHT)
waiting = []
serial = 0
print("ready", flush=True)
while True:
    rest = max(0, waiting[0][0] - time.monotonic()) if waiting else None
    for readable in select.select([left, right], [], [], rest)[0]:
        frame = readable.recv(65536)
        if readable is right:
            left.send(frame)
        elif frame[12:14] not in ETHERTYPES or random.random() >= LOSS:
            serial += 1
            heapq.heappush(waiting, (time.monotonic() + DELAY, serial, frame))
    while waiting and waiting[0][0] <= time.monotonic():
        right.send(heapq.heappop(waiting)[2])
