// What the fuzz test of configuration starts from: a configuration of ours, files of BIG-IPs, and commands of every verb.

import { readFileSync, readdirSync } from 'node:fs';
import { SEED_LINES } from '../support/seed-lines.ts';

const BIGIP = 'test/fixtures/bigip';

export const OURS = `net interface 5.1 { device eth5 adapter packet-ring }
net interface 5.2 { device eth6 description "a \\"b\\" {c}" disabled }
# a comment in front
net vlan /Common/fuzz {
    customer-tag 7
    interfaces {
        5.1 { tagged tag-mode double }
        5.2 { }
    }
    mtu 1600
    tag 500
    x-unknown { a { b "c }" } }
}
net tunnels vxlan /Common/fp { defaults-from vxlan-multipoint port 5001 }
net tunnels tunnel /Common/ft {
    key 77
    local-address 192.0.2.11
    profile fp
    ttl 9
}
net vlan-group /Common/fg { members { ft fuzz } mode transparent }
net self /Common/fs { address 10.66.0.1/24 allow-service { tcp:443 udp:53 } vlan fg }
net arp /Common/10.66.0.9 { mac-address 0:1:2:3:4:5 }
net fdb tunnel /Common/ft {
    records {
        00:01:02:03:04:05 { endpoint 192.0.2.5 }
        ff:ff:ff:ff:ff:ff { endpoints { 192.0.2.5 192.0.2.6 } }
    }
}
ltm pool /Common/fpool { members { 203.0.113.2:http { } } monitor min 1 of { http tcp } }
sys db some.variable { value "x y" }
ltm rule /Common/fr {
when X { log "{ }" }
}
`;

/** Interfaces, VLANs, tunnels and self IPs of a BIG-IP. */
export const BASE = readFileSync(`${BIGIP}/base.conf`, 'utf8');

export const FILES = readdirSync(BIGIP)
  .filter((name) => name.endsWith('.conf'))
  .sort()
  .map((name) => readFileSync(`${BIGIP}/${name}`, 'utf8'));

export const stanzasOf = (text: string): string[] =>
  text.split(/\n(?=[a-z#]+ [^\n]*\{[^\n]*\n)/).map((stanza) => `${stanza}\n`);

/** Stanzas of what is known more often than others. */
export const STANZAS = [OURS, OURS, OURS, BASE, ...FILES].flatMap(stanzasOf);

const WRITTEN = [
  'create net vlan added { interfaces add { 5.2 { tagged } } tag 501 mtu 1400 description "a b" }',
  'create net vlan { braced tag 502 }',
  'create net tunnels tunnel t2 key 78 local-address 192.0.2.11 profile fp remote-address 192.0.2.77',
  'create net tunnels vxlan p2 defaults-from fp port 5002',
  'create net self s2 address 10.67.0.1/24 vlan fuzz allow-service replace-all-with { tcp:22 udp:53 }',
  'create net route r1 network 10.99.0.0/16 gw 10.66.0.7',
  'create net arp 10.66.0.10 mac-address 00:01:02:03:04:06 ip-address 10.66.0.10',
  'create net route-domain 7 id 7 vlans add { fuzz }',
  'create net vlan-group g2 members add { fuzz } mode translucent',
  'create ltm pool p3 members add { 203.0.113.3:80 { } } monitor min 1 of { gateway_icmp tcp }',
  'modify net vlan fuzz mtu 1500 description none tag default',
  'modify net vlan fuzz interfaces delete { 5.1 } interfaces add { 5.2 { untagged } }',
  'modify net vlan-group fg members replace-all-with { fuzz ft } mode opaque',
  'modify net fdb tunnel ft records add { 00:01:02:03:04:09 { endpoint 192.0.2.6 } }',
  'modify net fdb tunnel ft records modify { ff:ff:ff:ff:ff:ff { endpoints delete { 192.0.2.6 } } }',
  'modify net fdb tunnel f* records delete { all }',
  'modify net self fs allow-service none vlan fuzz',
  'modify sys db iptunnel.vxlan.udpport value 8472',
  'modify ltm pool fpool members none',
  'delete net arp { 10.66.0.9 }',
  'delete net arp all',
  'delete net vlan fuzz',
  'mv net vlan fuzz other',
  'cp net tunnels tunnel ft t3',
  'list net vlan fuzz one-line',
  'list net tunnels tunnel f* local-address all-properties',
  'list net recursive tmos',
  'list /net self { fs } vlan non-default-properties',
  'show net tunnels tunnel ft field-fmt',
  'show sys config unknown',
  'show sys service',
  'show running-config net vlan fuzz',
  'reset-stats net tunnels tunnel ft',
  'save sys config file x',
  'load sys config file ours merge',
  'load sys config file ours verify',
  'load sys config rollback 1',
  'load sys config default',
  'list sys config history',
  'create cli transaction',
  'create cli transaction; delete net arp all; modify net vlan fuzz tag 9; submit cli transaction',
  'submit cli transaction validate-only',
  'modify cli transaction delete { 1 }',
  'cd /Common; list net vlan',
  'cd ..; pwd',
  'edit net vlan fuzz all-properties',
  'help modify',
  'help net vlan',
  "run util bash -c 'ls'",
  'quit',
];

/** Those that manuals print as well. */
export const COMMANDS: readonly string[] = [...WRITTEN, ...WRITTEN, ...SEED_LINES.map(({ command }) => command)];
