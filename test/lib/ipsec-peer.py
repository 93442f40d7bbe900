# IPsec by scapy, an implementation of its own on the Python module cryptography: seals and opens packets, told what to do by lines of
# JSON on standard input, answering each with one on standard output. Packets are hexadecimal, from their IP header on.
#
#   {"do": "seal" | "open", "sa": {...}, "packets": ["4500…", …]}  ->  {"packets": ["4500…" | null, …]}
import json, sys
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import AH, ESP, SecurityAssociation
from scapy.packet import raw

CIPHERS = {'aes-gcm': 'AES-GCM', 'aes-cbc': 'AES-CBC', '3des-cbc': '3DES', 'null': 'NULL'}
MACS = {'none': None, 'hmac-sha1-96': 'HMAC-SHA1-96', 'hmac-sha256-128': 'SHA2-256-128',
        'hmac-sha384-192': 'SHA2-384-192', 'hmac-sha512-256': 'SHA2-512-256'}

def association(order):
    is_esp = order['protocol'] == 50
    options = {'spi': order['spi'], 'auth_algo': MACS[order['mac']], 'auth_key': bytes.fromhex(order['macKey']) or None}
    if is_esp:
        options.update(crypt_algo=CIPHERS[order['cipher']], crypt_key=bytes.fromhex(order['key']) or None)
    if order.get('source'):
        outer = IPv6 if ':' in order['source'] else IP
        options['tunnel_header'] = outer(src=order['source'], dst=order['destination'])
    if order.get('port'):
        options['nat_t_header'] = UDP(sport=order['port'], dport=order['port'])
    return SecurityAssociation(ESP if is_esp else AH, esn_en=order.get('extended', False), esn=order.get('high', 0), **options)

def packet(text):
    octets = bytes.fromhex(text)
    return (IP if octets[0] >> 4 == 4 else IPv6)(octets)

def attempt(act, text):
    try:
        return raw(act(packet(text))).hex()
    except Exception as error:
        print(repr(error), file=sys.stderr, flush=True)
        return None

print(json.dumps({}), flush=True)
for line in sys.stdin:
    order = json.loads(line)
    sa = association(order['sa'])
    if order['do'] == 'seal':
        sa.seq_num = order['sa'].get('sequence', 1)
    act = sa.encrypt if order['do'] == 'seal' else sa.decrypt
    print(json.dumps({'packets': [attempt(act, text) for text in order['packets']]}), flush=True)
