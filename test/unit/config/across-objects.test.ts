// Validation across objects: what one object says of another, with the code and the words of the device, and what to do next.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { objectKey } from '../../../src/config/change.ts';
import { emptyConfiguration, isBuiltIn } from '../../../src/config/configuration.ts';
import type { Configuration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { labelled } from '../../../src/config/object-type.ts';
import { OBJECT_TYPES, findObjectType } from '../../../src/config/object-types.ts';
import { printObject } from '../../../src/config/print.ts';
import type { PropertyMap, ScalarKind } from '../../../src/config/property.ts';
import { ConfigErrors } from '../../../src/config/transaction.ts';
import { visitReferences } from '../../../src/config/validate.ts';
import { ConfigError } from '../../../src/core/errors.ts';
import { TmshSession, basicSession } from '../../support/tmsh-session.ts';

/** Every property that names objects names one here. */
const EVERY_REFERENCE = `
net interface 1.1 { device eth1 }
net interface 1.2 { device eth2 }
net vlan wan { interfaces { 1.1 { } } }
net vlan lan { interfaces { 1.2 { } } }
net tunnels vxlan p1 { flooding-type multipoint }
net tunnels vxlan p2 { defaults-from p1 }
net tunnels gre g1 { encapsulation transparent-ethernet-bridging }
net tunnels gre g2 { defaults-from g1 }
net tunnels etherip e1 { }
net tunnels etherip e2 { defaults-from e1 }
net tunnels tunnel vx { local-address 10.1.1.1 remote-address 10.1.1.2 key 7 profile p2 }
net tunnels tunnel teb { local-address 10.1.1.1 remote-address 10.1.1.3 profile g2 }
net tunnels tunnel eip { local-address 10.1.1.1 remote-address 10.1.1.4 profile e2 }
net ipsec ipsec-policy q1 { mode interface }
net ipsec ipsec-policy q2 { mode tunnel tunnel-local-address 10.1.1.1 tunnel-remote-address 10.1.1.5 }
net ipsec traffic-selector s1 { ipsec-policy q1 }
net ipsec manual-security-association m { source-address 10.1.1.1 destination-address 10.1.1.5 spi 300 auth-key 0x0102030405060708090a0b0c0d0e0f1011121314 encrypt-algorithm null ipsec-policy q2 }
net tunnels ipsec i1 { traffic-selector s1 }
net tunnels ipsec i2 { defaults-from i1 }
net tunnels tunnel sec { local-address 10.1.1.1 remote-address 10.1.1.6 profile i2 }
net vlan-group bridge { members { lan vx } mode transparent }
net route-domain 5 { id 5 }
net route-domain 6 { id 6 parent 5 vlans { teb } }
net self 10.1.1.1/24 { address 10.1.1.1/24 vlan wan }
gtm monitor icmp icmp-a { }
gtm monitor icmp icmp-b { defaults-from icmp-a }
gtm monitor gateway-icmp gatewayicmp-a { }
gtm monitor gateway-icmp gatewayicmp-b { defaults-from gatewayicmp-a }
gtm monitor tcp tcp-a { }
gtm monitor tcp tcp-b { defaults-from tcp-a }
gtm monitor tcp-half-open tcphalfopen-a { }
gtm monitor tcp-half-open tcphalfopen-b { defaults-from tcphalfopen-a }
gtm monitor udp udp-a { }
gtm monitor udp udp-b { defaults-from udp-a }
gtm monitor http http-a { }
gtm monitor http http-b { defaults-from http-a }
gtm monitor https https-a { }
gtm monitor https https-b { defaults-from https-a }
gtm monitor dns dns-a { qname www.example.com }
gtm monitor dns dns-b { qname www.example.com defaults-from dns-a }
gtm monitor external external-a { run /bin/true }
gtm monitor external external-b { run /bin/true defaults-from external-a }
gtm monitor bigip bigip-a { }
gtm monitor bigip bigip-b { defaults-from bigip-a }
ltm monitor icmp icmp-a { }
ltm monitor icmp icmp-b { defaults-from icmp-a }
ltm monitor gateway-icmp gatewayicmp-a { }
ltm monitor gateway-icmp gatewayicmp-b { defaults-from gatewayicmp-a }
ltm monitor tcp tcp-a { }
ltm monitor tcp tcp-b { defaults-from tcp-a }
ltm monitor tcp-half-open tcphalfopen-a { }
ltm monitor tcp-half-open tcphalfopen-b { defaults-from tcphalfopen-a }
ltm monitor udp udp-a { }
ltm monitor udp udp-b { defaults-from udp-a }
ltm monitor http http-a { }
ltm monitor http http-b { defaults-from http-a }
ltm monitor https https-a { }
ltm monitor https https-b { defaults-from https-a }
ltm monitor dns dns-a { qname www.example.com }
ltm monitor dns dns-b { qname www.example.com defaults-from dns-a }
ltm monitor external external-a { run /bin/true }
ltm monitor external external-b { run /bin/true defaults-from external-a }
ltm monitor virtual-location virtuallocation-a { pool gateways }
ltm monitor virtual-location virtuallocation-b { pool gateways defaults-from virtuallocation-a }
ltm node n1 { address 10.1.1.20 monitor icmp-b }
ltm pool gateways { members { 10.1.1.9:0 { monitor gatewayicmp-b } } monitor virtuallocation-b }
ltm pool app { members { 10.1.1.21:80 { monitor min 1 of { http-b tcp-b } } } monitor https-b and udp-b }
ltm virtual v { destination 10.1.1.30:80 pool app }
net route a { network 10.5.0.0/16 pool gateways }
net route b { network 10.6.0.0/16 interface wan }
net fdb vlan lan { records { 02:00:00:00:00:01 { interface 1.2 } } }
ltm profile dns d1 { }
ltm profile dns d2 { defaults-from d1 }
gtm prober-pool probers { members { probe } }
gtm datacenter east { prober-pool probers }
gtm link line { datacenter east monitor gatewayicmp-b }
gtm server probe { datacenter east monitor bigip-b devices { probe { addresses { 192.0.2.9 } } } virtual-servers { v { destination 192.0.2.9:80 monitor tcp-b } } }
gtm server web { datacenter east devices { web { addresses { 192.0.2.1 } } } prober-pool probers virtual-servers { v4 { destination 192.0.2.8:80 depends-on { probe:v } } v6 { destination 2001:db8::8.80 } } }
gtm pool a p4 { monitor http-b and https-b members { web:v4 { monitor udp-b depends-on { probe:v } } } }
gtm pool aaaa p6 { monitor dns-b members { web:v6 { monitor external-b depends-on { probe:v } } } }
gtm pool cname pc { members { www.example.net { } } }
gtm pool mx pm { members { mx.example.net { } } }
gtm pool naptr pn { members { n.example.net { } } }
gtm pool srv ps { members { s.example.net { port 80 } } }
gtm wideip a www.example.com { pools { p4 } pools-cname { pc } last-resort-pool aaaa p6 }
gtm wideip aaaa www.example.com { pools { p6 } pools-cname { pc } last-resort-pool a p4 }
gtm wideip cname www.example.com { pools { pc } last-resort-pool mx pm }
gtm wideip mx www.example.com { pools { pm } pools-cname { pc } last-resort-pool cname pc }
gtm wideip naptr www.example.com { pools { pn } pools-cname { pc } last-resort-pool srv ps }
gtm wideip srv www.example.com { pools { ps } pools-cname { pc } last-resort-pool naptr pn }
gtm region inner { region-members { datacenter east pool p4 } }
gtm region outer { region-members { not region inner } }
gtm distributed-app app { disabled-contexts { datacenter east link line server web } wideips { a www.example.com srv www.example.com } }
`;

const load = (text: string): Configuration => loadText(text, emptyConfiguration(), { file: 'f' }).configuration;

type Found = { user: string; who: string; property: string; value: string; target: string };

/** Every reference to an object that can be deleted. */
function referencesIn(configuration: Configuration): Found[] {
  return [...configuration.views.values()].flatMap((object) => {
    const type = findObjectType(object.type)!;
    const found: Found[] = [];
    visitReferences(type, object, (property, value, targets) => {
      const target = targets.find((path) => configuration.views.has(objectKey({ type: path, name: value })))!;
      if (isBuiltIn(findObjectType(target)!, value)) return;
      found.push({ user: `${type.path} ${property}`, who: labelled(type, object.name), property, value, target });
    });
    return found;
  });
}

const namesObjects = ({ refersTo, within }: ScalarKind): boolean => refersTo !== undefined || within !== undefined;

function* referringProperties(map: PropertyMap): Generator<string> {
  for (const [name, { kind }] of Object.entries(map)) {
    const refers =
      (kind.shape === 'scalar' && namesObjects(kind)) ||
      (kind.shape === 'list' && namesObjects(kind.item)) ||
      (kind.shape === 'records' && (namesObjects(kind.key) || [...referringProperties(kind.properties)].length > 0));
    if (refers) yield name;
  }
}

const isCompanion = (type: string, of: string): boolean =>
  findObjectType(type)!.companionOf?.some(({ path }) => path === of) === true;

function errorsOf(run: () => unknown): readonly ConfigError[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigErrors) return error.errors.filter((each) => each instanceof ConfigError);
    throw error;
  }
  return [];
}

describe('references', () => {
  const configuration = load(EVERY_REFERENCE);
  const found = referencesIn(configuration);

  it('are all looked at here', () => {
    const all = OBJECT_TYPES.flatMap(({ path, properties }) =>
      [...referringProperties(properties)].map((name) => `${path} ${name}`),
    );
    assert.deepEqual([...new Set(found.map(({ user }) => user))].sort(), all.sort());
  });

  it('must lead to an object that exists', () => {
    for (const { who, property, value, target } of found) {
      const rest = [...configuration.objects.values()].filter(
        ({ type, name }) => type !== 'sys db' && !(name === value && (type === target || isCompanion(type, target))),
      );
      const text = rest.map((object) => printObject(configuration, object)).join('');
      const missing = errorsOf(() => load(text)).find(
        ({ details }) =>
          details.property === property && details.value === value && details.hint?.startsWith(who) === true,
      );
      assert.ok(missing !== undefined, `${who} may name ${target} ${value}, which is not there, as ${property}`);
      assert.equal(missing.code, 'notFound');
      assert.match(missing.message, /^01020036:3: The requested .+ \(.+\) was not found\.$/);
      assert.ok(missing.message.includes(`(${value})`), missing.message);
      const advice = /names it as \S+\. (?:Create it first: create |list [gl]tm monitor shows those that exist\.$)/;
      assert.match(missing.details.hint!, advice);
    }
  });

  it('hold the object that they name: a message says who', async () => {
    for (const { who, property, value, target } of found) {
      const session = new TmshSession();
      session.files.set('f', EVERY_REFERENCE);
      await session.run('load sys config file f');
      const before = session.configuration;
      const refusal = (await session.refusal(`delete ${target} ${value}`)) ?? 'it was accepted';
      const what = labelled(findObjectType(target)!, value);
      const text = `01070265:3: The ${what} cannot be deleted because it is in use by a ${who}.`;
      assert.ok(refusal.includes(text), `${text}\nwas expected, but:\n${refusal}`);
      assert.ok(refusal.includes(`Change ${property} of the ${who} first, or delete it.`), refusal);
      assert.equal(session.configuration, before);
    }
  });
});

const VX =
  'create net tunnels tunnel t { local-address 10.1.1.1 remote-address 10.1.1.2 profile vxlan-multipoint key 7 }';
const DOMAIN = ['create net vlan blue', 'create net route-domain 5000 { id 5000 vlans add { blue } }'];
const IN_USE = '01070265:3: The Route Domain (/Common/5000) cannot be deleted because it is in use by a';

/** What is set up first, the command that is refused, and the whole message with its advice. */
const REFUSED: [string, string[], string, string][] = [
  [
    'the same tunnel twice',
    [VX],
    VX.replace('tunnel t', 'tunnel u'),
    '01070734:3: Configuration error: Tunnel (/Common/u): tunnel (/Common/t) already has local-address 10.1.1.1, remote-address 10.1.1.2, key 7 and port 4789.\n  Give each tunnel between the same ends a key of its own.',
  ],
  [
    'the same tunnel twice by another profile of the same port',
    [VX, 'create net tunnels vxlan other'],
    VX.replace('tunnel t', 'tunnel u').replace('vxlan-multipoint', 'other'),
    '01070734:3: Configuration error: Tunnel (/Common/u): tunnel (/Common/t) already has local-address 10.1.1.1, remote-address 10.1.1.2, key 7 and port 4789.\n  Give each tunnel between the same ends a key of its own.',
  ],
  [
    'a subnet on two VLANs of a route domain',
    ['create net vlan b'],
    'create net self b { address 10.1.1.7/24 vlan b }',
    '01070734:3: Configuration error: Self IP (/Common/b): the subnet 10.1.1.0/24 is on /Common/wan already, by self IP (/Common/10.1.1.1/24); it cannot be on /Common/b too.\n  A subnet lives on one VLAN of a route domain: use that one, or another subnet.',
  ],
  [
    'an endpoint of another IP version than its tunnel',
    [VX],
    'modify net fdb tunnel t records add { 0:0:0:0:0:1 { endpoint 2001:db8::1 } }',
    '01070734:3: Configuration error: Tunnel FDB (/Common/t): record 00:00:00:00:00:01: 2001:db8::1 has another IP version than the local-address 10.1.1.1 of the tunnel.\n  The ends of a tunnel share the IP version.',
  ],
  [
    'a replicator of another route domain than its tunnel',
    [VX],
    'modify net fdb tunnel t records add { ff:ff:ff:ff:ff:ff { replicators { 10.1.1.2%4 } } }',
    '01070734:3: Configuration error: Tunnel FDB (/Common/t): record ff:ff:ff:ff:ff:ff: 10.1.1.2%4 has another route domain than the local-address 10.1.1.1 of the tunnel.\n  The ends of a tunnel share the route domain.',
  ],
  [
    'a tunnel that moves away from its endpoints',
    [
      'create net tunnels tunnel t { local-address 10.1.1.1 remote-address any profile vxlan-multipoint }',
      'modify net fdb tunnel t records add { 0:0:0:0:0:1 { endpoint 10.1.1.2 } }',
    ],
    'modify net tunnels tunnel t local-address 2001:db8::1',
    'Tunnel FDB (/Common/t): record 00:00:00:00:00:01: 10.1.1.2 has another IP version than the local-address 2001:db8::1 of the tunnel.\n  The ends of a tunnel share the IP version.',
  ],
  [
    'a transparent tunnel with a remote address',
    [],
    VX.replace('local-address 10.1.1.1 ', '')
      .replace('key 7', 'transparent enabled')
      .replace('vxlan-multipoint', 'gre'),
    '01070734:3: Configuration error: Tunnel (/Common/t): a transparent tunnel has no remote-address, but it is 10.1.1.2.\n  Leave transparent disabled, or write remote-address any.',
  ],
  [
    'a group that no router forwards to',
    [],
    VX.replace('10.1.1.2', '224.0.0.99').replace('vxlan-multipoint', 'vxlan'),
    '01070734:3: Configuration error: Tunnel (/Common/t): remote-address 224.0.0.99 is in 224.0.0.0/24, which routers never forward.\n  Choose a group outside 224.0.0.0/24, as in 239.0.0.1.',
  ],
  [
    'a tunnel with the name of a VLAN',
    [],
    VX.replace('tunnel t', 'tunnel wan'),
    '01020066:3: The requested VLAN (/Common/wan) already exists in partition Common.\n  A VLAN and a Tunnel cannot share a name: choose another one.',
  ],
  [
    'a VLAN with the name of a tunnel',
    [VX],
    'create net vlan t',
    '01020066:3: The requested Tunnel (/Common/t) already exists in partition Common.\n  A Tunnel and a VLAN cannot share a name: choose another one.',
  ],
  [
    'an object that exists',
    [VX],
    VX,
    '01020066:3: The requested Tunnel (/Common/t) already exists in partition Common.\n',
  ],
  [
    'a route domain that a self IP is in',
    [...DOMAIN, 'create net self a { address 10.3.3.1%5000/24 vlan blue }'],
    'delete net route-domain 5000',
    `${IN_USE} Self IP (/Common/a).\n  Change address of the Self IP (/Common/a) first, or delete it.`,
  ],
  [
    'a route domain that a tunnel starts in',
    [...DOMAIN, 'create net tunnels tunnel t { local-address 10.3.3.1%5000 remote-address 10.3.3.2%5000 profile gre }'],
    'delete net route-domain 5000',
    `${IN_USE} Tunnel (/Common/t).\n  Change local-address of the Tunnel (/Common/t) first, or delete it.`,
  ],
  [
    'a route domain that a static neighbour is in',
    [...DOMAIN, 'create net arp a { ip-address 10.3.3.9%5000 mac-address 02:00:00:00:00:01 }'],
    'delete net route-domain 5000',
    `${IN_USE} ARP entry (/Common/a).\n  Change ip-address of the ARP entry (/Common/a) first, or delete it.`,
  ],
  [
    'a route domain that was never there',
    [],
    'create net self a { address 10.3.3.1%5000/24 vlan wan }',
    '01020036:3: The requested Route Domain (5000) was not found.\n  Create it first: create net route-domain 5000 { id 5000 }',
  ],
];

describe('across objects is refused', () => {
  for (const [name, setUp, command, expected] of REFUSED) {
    it(name, async () => {
      const session = await basicSession();
      await session.run(...setUp);
      const before = session.configuration;
      const refusal = (await session.refusal(command)) ?? 'it was accepted';
      const lines = refusal.split('\n');
      // The command and the pointer at a place of it stand between the message and its advice.
      const words = lines.filter((line) => line !== command && !/^ *\^$/.test(line)).join('\n');
      assert.ok(words.includes(expected), `${expected}\nwas expected, but:\n${words}`);
      assert.equal(session.configuration, before, 'nothing may have changed');
    });
  }
});

it('the same ends are no duplicate with another key, another port or another remote address', async () => {
  const session = await basicSession();
  await session.run(VX, 'create net tunnels vxlan other { port 8472 }');
  for (const [from, to] of [
    ['key 7', 'key 8'],
    ['vxlan-multipoint', 'other'],
    ['10.1.1.2', '10.1.1.3'],
  ] as const) {
    await session.run(VX.replace('tunnel t', `tunnel t-${to.replaceAll(/[ .]/g, '-')}`).replace(from, to));
  }
});

it('what goes together goes in one load: the used object and its user', async () => {
  const session = new TmshSession();
  session.files.set('f', EVERY_REFERENCE);
  session.files.set('empty', '');
  await session.run('load sys config file f', 'load sys config file empty');
  assert.equal((await session.run('list net')).includes('/Common/vx'), false);
});
