# A station behind an EtherIP tunnel, outer and inner packets made and read by scapy (RFC 3378): it answers ARP and echoes for
# its inner address, and does what it is told by lines of JSON on standard input, answering each with one on standard output.
#
#   etherip-peer.py DEVICE LOCAL REMOTE REMOTE-MAC HEADER INNER-ADDRESS INNER-MAC
#
# HEADER: the two octets of the EtherIP header as they are sent, 3000 for one.
import json, logging, socket, sys, threading, time
logging.getLogger('scapy').setLevel(logging.ERROR)
from scapy.config import conf
from scapy.contrib.etherip import EtherIP
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw, bind_layers

PROTOCOL = 97
bind_layers(IPv6, EtherIP, nh=PROTOCOL)
device, local, remote, remote_mac, header, address, mac = sys.argv[1:]
header = int(header, 16)
is_ipv6 = ':' in local

# With a socket for the protocol the kernel does not answer that nobody speaks it here.
quiet = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_RAW, PROTOCOL)
wire = conf.L2socket(iface=device, filter=('ip6' if is_ipv6 else 'ip') + ' proto 97 and not ether src ' + mac)
own_mac = open(f'/sys/class/net/{device}/address').read().strip()
lock = threading.Lock()
# Of what arrived: header words, EtherTypes of frames, sequence numbers of echo replies with their payload.
headers, frames, replies = set(), [], {}

def outer():
    if is_ipv6:
        return IPv6(src=local, dst=remote, nh=PROTOCOL, hlim=64)
    return IP(src=local, dst=remote, proto=PROTOCOL, ttl=64)

def send(frame, word=header):
    etherip = EtherIP(version=word >> 12, reserved=word & 0xfff)
    wire.send(Ether(src=own_mac, dst=remote_mac) / outer() / etherip / frame)

def handle(packet):
    network = packet.getlayer(IPv6 if is_ipv6 else IP)
    if packet.src == own_mac or EtherIP not in packet or network.dst != local:
        return
    etherip = packet[EtherIP]
    frame = etherip.payload
    with lock:
        headers.add(etherip.version << 12 | etherip.reserved)
        frames.append(bytes(frame).hex())
    if ARP in frame and frame[ARP].op == 1 and frame[ARP].pdst == address:
        answer = ARP(op=2, hwsrc=mac, psrc=address, hwdst=frame[ARP].hwsrc, pdst=frame[ARP].psrc)
        send(Ether(src=mac, dst=frame.src) / answer)
    elif ICMP in frame and frame[IP].dst == address:
        icmp = frame[ICMP]
        if icmp.type == 8:
            reply = ICMP(type=0, id=icmp.id, seq=icmp.seq) / Raw(bytes(icmp.payload))
            send(Ether(src=mac, dst=frame.src) / IP(src=address, dst=frame[IP].src) / reply)
        elif icmp.type == 0:
            with lock:
                replies[icmp.seq] = bytes(icmp.payload)

def listen():
    while True:
        packet = wire.recv()
        if packet is not None:
            handle(packet)

def ping(order):
    """Echoes of one size to a station of the other side; how many came back as they were."""
    payload = bytes(index % 251 for index in range(order['size']))
    with lock:
        replies.clear()
    for number in range(order['count']):
        echo = ICMP(type=8, id=7, seq=number) / Raw(payload)
        send(Ether(src=mac, dst=order['mac']) / IP(src=address, dst=order['to']) / echo)
    deadline = time.time() + 3
    while time.time() < deadline:
        with lock:
            good = sum(reply == payload for reply in replies.values())
        if good == order['count']:
            break
        time.sleep(0.01)
    return {'received': good}

def send_frames(order):
    """Frames as they are, behind any two octets of EtherIP header."""
    for octets in order['frames']:
        send(Raw(bytes.fromhex(octets)), int(order.get('header', f'{header:04x}'), 16))
    return {}

def seen(order):
    with lock:
        answer = {'headers': [f'{word:04x}' for word in sorted(headers)], 'frames': list(frames)}
        headers.clear()
        frames.clear()
    return answer

threading.Thread(target=listen, daemon=True).start()
print(json.dumps({}), flush=True)
for line in sys.stdin:
    order = json.loads(line)
    print(json.dumps({'ping': ping, 'send': send_frames, 'seen': seen}[order['do']](order)), flush=True)
