# A link between two devices that puts the frames of each burst into another order: the last first, or any.
#
#   shuffling-link.py DEVICE DEVICE reverse|random
import random, select, socket, sys, time

devices, order = sys.argv[1:3], sys.argv[3]
# A burst ends when nothing has come for so long, or when it has lasted so long.
GAP, LONGEST = 0.02, 0.2
ETH_P_ALL, SOL_PACKET, PACKET_IGNORE_OUTGOING = 3, 263, 23

sockets = []
for device in devices:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.bind((device, 0))
    sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, 1 << 22)
    sockets.append(sock)
print('relaying', flush=True)

waiting, first = ([], []), 0.0
while True:
    ready, _, _ = select.select(sockets, [], [], GAP if any(waiting) else None)
    now = time.monotonic()
    for number, sock in enumerate(sockets):
        if sock not in ready:
            continue
        if not any(waiting):
            first = now
        waiting[1 - number].append(sock.recv(65535))
    if any(waiting) and (not ready or now - first > LONGEST):
        for number, frames in enumerate(waiting):
            if order == 'reverse':
                frames.reverse()
            else:
                random.shuffle(frames)
            for frame in frames:
                sockets[number].send(frame)
            frames.clear()
