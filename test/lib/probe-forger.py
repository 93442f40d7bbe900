"""Answers packets of probes with what is almost, but not quite, an answer; or, as its last argument says, with the true one.

    probe-forger.py DEVICE icmp|tcp 4|6 NAME

Waits for an echo request or a SYN on the device, sends the answer of that name, and prints it.
"""
import socket, struct, sys

device, protocol, family, name = sys.argv[1:]
ETH_P_ALL = 3
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
link.bind((device, 0))


def checksum(octets):
    if len(octets) % 2:
        octets += b'\0'
    total = sum(struct.unpack('!%dH' % (len(octets) // 2), octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def flip(octets, at):
    return octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1:]


def packet(source, destination, number, payload, at):
    """The IP packet; `at`: where the checksum of the payload stands."""
    pseudo = source + destination + struct.pack('!IHH', len(payload), 0, number)
    payload = payload[:at] + b'\0\0' + payload[at + 2:]
    sum_ = checksum((b'' if number == 1 else pseudo) + payload)
    payload = payload[:at] + struct.pack('!H', sum_) + payload[at + 2:]
    if family == '6':
        return struct.pack('!IHBB', 6 << 28, len(payload), number, 64) + source + destination + payload
    head = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(payload), 1, 0, 64, number, 0) + source + destination
    return head[:10] + struct.pack('!H', checksum(head)) + head[12:] + payload


print('ready', flush=True)
while True:
    frame, address = link.recvfrom(2048)
    if address[2] == socket.PACKET_OUTGOING:
        continue
    mac, ip = frame[:14], frame[14:]
    if family == '4':
        if mac[12:14] != b'\x08\0':
            continue
        number, source, destination, payload = ip[9], ip[12:16], ip[16:20], ip[20:struct.unpack('!H', ip[2:4])[0]]
    else:
        if mac[12:14] != b'\x86\xdd':
            continue
        number, source, destination, payload = ip[6], ip[8:24], ip[24:40], ip[40:40 + struct.unpack('!H', ip[4:6])[0]]
    if protocol == 'icmp':
        if number not in (1, 58) or payload[0] not in (8, 128):
            continue
        answer, at = bytes([0 if number == 1 else 129]) + payload[1:], 2
        answer = {
            'identifier': lambda: flip(answer, 5),
            'sequence': lambda: flip(answer, 7),
            'process': lambda: flip(answer, 8),
            'token': lambda: flip(answer, 17),
        }.get(name, lambda: answer)()
    else:
        if number != 6 or payload[13] != 2:
            continue
        acknowledgement = (struct.unpack('!I', payload[4:8])[0] + 1) & 0xFFFFFFFF
        flags = 0x14 if name.startswith('reset') else 0x12
        if name == 'no-acknowledgement':
            flags = 0x04
        if name in ('acknowledgement', 'reset-acknowledgement'):
            acknowledgement ^= 0x10000
        ports = payload[2:4] + payload[0:2]
        if name == 'port':
            ports = flip(ports, 1)
        answer = ports + struct.pack('!IIBBHHH', 99, acknowledgement, 0x50, flags, 1000, 0, 0)
        at = 16
    if name == 'source':
        destination = destination[:-1] + bytes([destination[-1] ^ 0x40])
    link.send(mac[6:12] + mac[:6] + mac[12:14] + packet(destination, source, number, answer, at))
    print('answered', flush=True)
