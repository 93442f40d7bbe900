# The other side of a port under test: a kernel socket that sends and receives numbered frames, told what to do by lines of
# JSON on standard input, answering each with one on standard output.
#
#   packet-peer.py ethernet DEVICE          frames by AF_PACKET
#   packet-peer.py udp ADDRESS PORT         datagrams
#   packet-peer.py raw ADDRESS PROTOCOL     payloads of IP packets
import base64, errno, json, random, select, socket, struct, sys, time

SOL_PACKET, SOL_UDP, UDP_SEGMENT, PACKET_IGNORE_OUTGOING, SO_RCVBUFFORCE = 263, 17, 103, 23, 33
ETH_P_ALL = 3
FILL = bytes(range(256)) * 300

def numbered(prefix, index, octets):
    head = prefix + struct.pack('>I', index)
    at = index % 251
    return head + FILL[at:at + octets - len(head)]

if sys.argv[1] == 'ethernet':
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    wire.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    wire.bind((sys.argv[2], ETH_P_ALL))
    send_one = wire.send
else:
    family = socket.AF_INET6 if ':' in sys.argv[2] else socket.AF_INET
    is_raw = sys.argv[1] == 'raw'
    wire = socket.socket(family, socket.SOCK_RAW, int(sys.argv[3])) if is_raw else socket.socket(family, socket.SOCK_DGRAM)
    wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    if family == socket.AF_INET:
        wire.setsockopt(socket.SOL_IP, socket.IP_RECVTOS, 1)
    else:
        wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
    wire.bind((sys.argv[2], 0 if is_raw else int(sys.argv[3])))
    send_one = None
wire.setblocking(False)

# Over IPv4 a raw socket receives the IP header too.
def payload_of(data):
    return data[(data[0] & 15) * 4:] if sys.argv[1] == 'raw' and family == socket.AF_INET else data

def tos_of(control):
    for level, kind, octets in control:
        if level == socket.SOL_IP and kind == socket.IP_TOS:
            return octets[0]
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_TCLASS:
            return struct.unpack('i', octets)[0]
    return 0

def send(frame, order):
    while True:
        try:
            if send_one:
                return send_one(frame)
            return wire.sendto(frame, (order['to'], order.get('port', 0)))
        except (BlockingIOError, OSError) as error:
            if error.errno not in (11, 105):
                raise
            time.sleep(0.0002)

def do_send(order):
    prefix = bytes.fromhex(order.get('prefix', ''))
    for index in range(order['first'], order['first'] + order['count']):
        send(numbered(prefix, index, order['octets']), order)
        if order.get('every') and index % order['every'] == 0:
            time.sleep(order['pause'])
    return {}

def do_send_octets(order):
    for text in order['frames']:
        send(base64.b64decode(text), order)
    return {}

# Datagrams as segments of one buffer: what a sender with segmentation offload hands to its card.
def do_send_segments(order):
    octets = order['octets']
    buffer = b''.join(numbered(b'', order['first'] + i, octets) for i in range(order['count']))
    control = [(SOL_UDP, UDP_SEGMENT, struct.pack('H', octets))]
    wire.sendmsg([buffer[:len(buffer) - order.get('short', 0)]], control, 0, (order['to'], order['port']))
    return {}

# Frames of many flows, of mixed sizes and protocols; the last 8 octets are the number of the flow and of the frame in it.
def do_send_flows(order):
    random.seed(order['seed'])
    sequence = [0] * order['flows']
    for index in range(order['count']):
        flow = random.randrange(order['flows'])
        frame = flow_frame(bytes.fromhex(order['prefix']), flow, sequence[flow], random.choice(order['sizes']))
        send(frame[14:] if order.get('packets') else frame, order)
        sequence[flow] += 1
        if index % order['every'] == 0:
            time.sleep(order['pause'])
    return {}

def flow_frame(prefix, flow, number, octets):
    tail = struct.pack('>II', flow, number)
    if not prefix:
        return FILL[:octets - 8] + tail
    protocol, transport = (17, 8) if flow % 2 == 0 else (6, 20)
    addresses = struct.pack('>II', 0x0a000000 + flow, 0x0b000001)
    header = struct.pack('>BBHHHBBH', 0x45, 0, octets - 14, 0, 0x4000, 64, protocol, 0) + addresses
    total = sum(struct.unpack('>10H', header))
    total = (total & 0xffff) + (total >> 16)
    total = ~((total & 0xffff) + (total >> 16)) & 0xffff
    header = header[:10] + struct.pack('>H', total) + header[12:]
    ports = struct.pack('>HH', 1024 + flow % 60000, 80)
    rest = struct.pack('>HH', octets - 34, 0) if protocol == 17 else struct.pack('>IIBBHHH', number, 0, 0x50, 0x10, 500, 0, 0)
    head = prefix[:12] + b'\x08\x00' + header + ports + rest
    return head + FILL[:octets - len(head) - 8] + tail

# What came of such frames: how many, and how many of them were not the next of their flow or later.
def do_receive_flows(order):
    expected, received, wrong, until = {}, 0, 0, time.monotonic() + order['seconds']
    while received < order['count'] and select.select([wire], [], [], max(0, min(1, until - time.monotonic())))[0]:
        data = payload_of(wire.recv(70000))
        flow, number = struct.unpack('>II', data[-8:])
        wrong += number < expected.get(flow, 0)
        expected[flow] = number + 1
        received += 1
    return {'received': received, 'wrong': wrong, 'flows': len(expected)}

def do_receive(order):
    frames, until = [], time.monotonic() + order['seconds']
    while len(frames) < order['count']:
        left = until - time.monotonic()
        if left <= 0 or not select.select([wire], [], [], left)[0]:
            break
        try:
            data, control, flags, sender = wire.recvmsg(70000, 64)
        except OSError as error:
            # Told once, where the device of a test is this side's own: it was down for a while.
            if error.errno != errno.ENETDOWN:
                raise
            continue
        frames.append({'octets': base64.b64encode(payload_of(data)).decode(), 'port': sender[1], 'tos': tos_of(control)})
    return {'frames': frames}

print(json.dumps({}), flush=True)
for line in sys.stdin:
    order = json.loads(line)
    answer = {'send': do_send, 'sendOctets': do_send_octets, 'sendSegments': do_send_segments,
              'receive': do_receive, 'sendFlows': do_send_flows, 'receiveFlows': do_receive_flows}[order['do']](order)
    print(json.dumps(answer), flush=True)
