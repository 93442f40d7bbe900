import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { basicSession } from '../../support/tmsh-session.ts';
import type { TmshSession } from '../../support/tmsh-session.ts';
import { emptyTable } from '../../../src/config/record-table.ts';

const TUNNEL =
  'create net tunnels tunnel t { local-address 10.1.1.1 remote-address 10.1.1.2 profile vxlan-multipoint key 7 }';
const WILD = 'create net tunnels tunnel t { local-address 10.1.1.1 remote-address any profile vxlan-multipoint key 7 }';

/** What is set up first, the command that is refused, and what its message says. */
const REFUSED: [string, string[], string, RegExp][] = [
  [
    'a device of two interfaces',
    [],
    'modify net interface 2.1 device eth1',
    /01070734:3: .*Interface \(2\.1\): the device eth1 belongs to interface \(1\.1\)/,
  ],
  [
    'an owner that the adapter cannot serve',
    [],
    'modify net interface 2.1 address-owner host',
    /address-owner host does not go with adapter packet-ring/,
  ],
  [
    'offloads of a device that is not taken over',
    [],
    'modify net interface 2.1 adapter udp transmit-offloads off',
    /Interface \(2\.1\): transmit-offloads off does not go with adapter udp/,
  ],
  [
    'receive offloads of a device that is not taken over',
    [],
    'modify net interface 2.1 adapter udp receive-offloads off',
    /Interface \(2\.1\): receive-offloads off does not go with adapter udp/,
  ],
  [
    'joined datagrams by an adapter that is not told of them',
    [],
    'modify net interface 2.1 adapter af-xdp receive-offloads join-datagrams',
    /Interface \(2\.1\): receive-offloads join-datagrams does not go with adapter af-xdp/,
  ],
  [
    'files of an adapter that has a device',
    [],
    'modify net interface 2.1 replay-file /tmp/a.pcap',
    /Interface \(2\.1\): replay-file \/tmp\/a\.pcap does not go with adapter packet-ring/,
  ],
  [
    'super-frames whole by an adapter that cannot',
    [],
    'modify net interface 2.1 adapter udp tunnel-offload enabled',
    /Interface \(2\.1\): tunnel-offload enabled does not go with adapter udp/,
  ],
  [
    'a device of an adapter that has files',
    [],
    'modify net interface 2.1 adapter capture-file replay-file /tmp/a.pcap',
    /Interface \(2\.1\): adapter capture-file has no device, but it is eth/,
  ],
  [
    'an owner other than the host for sockets of the kernel',
    [],
    'modify net interface 2.1 adapter raw-ip address-owner wideplane',
    /Interface \(2\.1\): address-owner wideplane does not go with adapter raw-ip, which needs host/,
  ],
  [
    'an interface of IP packets beside another',
    ['modify net interface 2.1 device tun0 adapter tun'],
    'create net vlan b { interfaces add { 1.1 { tagged } 2.1 { untagged } } }',
    /VLAN \(\/Common\/b\): interface 2\.1 has adapter tun, which carries IP packets: it has to be the only one, and untagged/,
  ],
  [
    'IP packets among what is bridged',
    ['modify net interface 2.1 device tun0 adapter tun', 'create net vlan b { interfaces add { 2.1 { untagged } } }'],
    'create net vlan-group g { members add { b } }',
    /VLAN group \(\/Common\/g\): \/Common\/b cannot be bridged: its interface 2\.1 has adapter tun/,
  ],
  [
    'a tag on an interface of IP packets',
    ['modify net interface 2.1 device tun0 adapter tun'],
    'create net vlan b { interfaces add { 2.1 { tagged } } }',
    /interface 2\.1 has adapter tun/,
  ],
  [
    'a file that is no absolute path',
    [],
    'modify net interface 2.1 device none adapter capture-file record-file a.pcapng',
    /must be an absolute path/,
  ],
  [
    'an interface untagged in two VLANs',
    [],
    'create net vlan b { interfaces add { 1.1 } }',
    /VLAN \(\/Common\/wan\): untagged frames of interface 1\.1 belong to VLAN \(\/Common\/b\)|VLAN \(\/Common\/b\).*VLAN \(\/Common\/wan\)/,
  ],
  [
    'a tag twice on an interface',
    ['create net vlan b { tag 9 interfaces add { 2.1 { tagged } } }'],
    'create net vlan c { tag 9 interfaces add { 2.1 { tagged } } }',
    /VLAN \(\/Common\/c\): tag 9 of interface 2\.1 belongs to VLAN \(\/Common\/b\)/,
  ],
  [
    'a VLAN that is used by a self IP',
    [],
    'delete net vlan wan',
    /01070265:3: The VLAN \(\/Common\/wan\) cannot be deleted because it is in use by a Self IP \(\/Common\/10\.1\.1\.1\/24\)/,
  ],
  [
    'an interface that is used by a VLAN',
    [],
    'delete net interface 1.1',
    /01070265:3: The Interface \(1\.1\) cannot be deleted because it is in use by a VLAN \(\/Common\/wan\)/,
  ],
  [
    'a tunnel with the name of a VLAN',
    [],
    TUNNEL.replace('tunnel t', 'tunnel wan'),
    /01020066:3: The requested VLAN \(\/Common\/wan\) already exists in partition Common/,
  ],
  [
    'an object that exists',
    [],
    'create net vlan wan { }',
    /01020066:3: The requested VLAN \(\/Common\/wan\) already exists in partition Common/,
  ],
  [
    'a profile that is built in and would be another one',
    [],
    'create net tunnels vxlan vxlan-gpe { port 4791 }',
    /01020066:3: The requested Tunnel profile \(\/Common\/vxlan-gpe\) already exists in partition Common/,
  ],
  [
    'a profile that is built in and was changed',
    ['modify net tunnels vxlan vxlan-gpe port 4791'],
    'create net tunnels vxlan vxlan-gpe { port 4790 }',
    /01020066:3: The requested Tunnel profile \(\/Common\/vxlan-gpe\) already exists in partition Common/,
  ],
  [
    'an object that does not exist',
    [],
    'modify net vlan nope mtu 1400',
    /01020036:3: The requested VLAN \(\/Common\/nope\) was not found/,
  ],
  [
    'a self IP without a VLAN',
    [],
    'create net self 10.9.9.9/24',
    /0107028f:3: Self IP \(\/Common\/10\.9\.9\.9\/24\) must have a value for vlan/,
  ],
  [
    'a self IP on a VLAN that is not there',
    [],
    'create net self 10.9.9.9/24 vlan x',
    /01020036:3: The requested VLAN or VLAN group or Tunnel \(\/Common\/x\) was not found/,
  ],
  [
    'a self IP twice',
    [],
    'create net self b { address 10.1.1.1/16 vlan wan }',
    /the address 10\.1\.1\.1 belongs to self IP/,
  ],
  [
    'a subnet on two VLANs',
    ['create net vlan b'],
    'create net self b { address 10.1.1.7/24 vlan b }',
    /the subnet 10\.1\.1\.0\/24 is on/,
  ],
  [
    'a group as self IP',
    [],
    'create net self b { address 224.1.1.1/24 vlan wan }',
    /224\.1\.1\.1\/24 is no address of a host/,
  ],
  ['another address for a self IP', [], 'modify net self 10.1.1.1/24 address 10.1.1.2/24', /address cannot be changed/],
  [
    'a route domain that is not there',
    [],
    'create net self 10.3.3.1%5000/24 { address 10.3.3.1%5000/24 vlan wan }',
    /01020036:3: The requested Route Domain \(5000\) was not found/,
  ],
  [
    'an ARP entry for IPv6',
    [],
    'create net arp a { ip-address 2001:db8::1 mac-address 0:0:0:0:0:1 }',
    /is no IPv4 address/,
  ],
  [
    'an NDP entry for IPv4',
    [],
    'create net ndp a { ip-address 10.1.1.5 mac-address 0:0:0:0:0:1 }',
    /is no IPv6 address/,
  ],
  [
    'two NDP entries for an address',
    ['create net ndp 2001:db8::5 mac-address 0:0:0:0:0:1'],
    'create net ndp b { ip-address 2001:db8::5 mac-address 0:0:0:0:0:2 }',
    /2001:db8::5 has NDP entry/,
  ],
  [
    'an ARP entry with a group MAC',
    [],
    'create net arp 10.1.1.5 mac-address 01:00:5e:00:00:01',
    /01:00:5e:00:00:01 is a group address/,
  ],
  [
    'two ARP entries for an address',
    ['create net arp 10.1.1.5 mac-address 0:0:0:0:0:1'],
    'create net arp b { ip-address 10.1.1.5 mac-address 0:0:0:0:0:2 }',
    /10\.1\.1\.5 has ARP entry/,
  ],
  [
    'a profile that is not there',
    [],
    TUNNEL.replace('vxlan-multipoint', 'nope'),
    /The requested Tunnel profile \(\/Common\/nope\) was not found/,
  ],
  ['a tunnel without a local address', [], 'create net tunnels tunnel t { profile vxlan }', /local-address is any6/],
  [
    'a tunnel between IP versions',
    [],
    TUNNEL.replace('10.1.1.2', '2001:db8::2'),
    /remote-address 2001:db8::2 has another IP version than local-address 10\.1\.1\.1/,
  ],
  ['a tunnel between route domains', [], TUNNEL.replace('10.1.1.2', '10.1.1.2%7'), /has another route domain/],
  ['a tunnel to itself', [], TUNNEL.replace('10.1.1.2', '10.1.1.1'), /remote-address 10\.1\.1\.1 is the local-address/],
  [
    'a local group',
    [],
    TUNNEL.replace('local-address 10.1.1.1', 'local-address 239.1.1.1'),
    /local-address 239\.1\.1\.1 is a group/,
  ],
  ['a broadcast remote', [], TUNNEL.replace('10.1.1.2', '255.255.255.255'), /is a broadcast address/],
  [
    'a VNI of more than 24 bits',
    [],
    TUNNEL.replace('key 7', 'key 16777216'),
    /key 16777216 is no VNI: it must be from 0 to 16777215/,
  ],
  [
    'a key of more than 32 bits',
    [],
    TUNNEL.replace('key 7', 'key 4294967296'),
    /key must be an integer from 0 to 4294967295/,
  ],
  [
    'a group of the local control block',
    [],
    TUNNEL.replace('10.1.1.2', '224.0.0.99').replace('vxlan-multipoint', 'vxlan'),
    /224\.0\.0\.99 is in 224\.0\.0\.0\/24/,
  ],
  [
    'a group without multicast flooding',
    [],
    TUNNEL.replace('10.1.1.2', '239.1.1.1'),
    /remote-address 239\.1\.1\.1 is a group, but profile \(\/Common\/vxlan-multipoint\) has flooding-type multipoint/,
  ],
  [
    'the same tunnel twice',
    [TUNNEL],
    TUNNEL.replace('tunnel t', 'tunnel u'),
    /Tunnel \(\/Common\/u\): tunnel \(\/Common\/t\) already has local-address 10\.1\.1\.1, remote-address 10\.1\.1\.2, key 7 and port 4789/,
  ],
  [
    'the same wildcard tunnel twice',
    [WILD],
    WILD.replace('tunnel t', 'tunnel u').replace('any', 'any6'),
    /Tunnel \(\/Common\/u\): tunnel \(\/Common\/t\) already has/,
  ],
  [
    'a transparent VXLAN tunnel',
    [],
    TUNNEL.replace('key 7', 'key 7 transparent enabled'),
    /transparent tunnels need a profile of type ipip or gre/,
  ],
  [
    'a shipped profile',
    [],
    'delete net tunnels vxlan vxlan',
    /01070325:3: The Tunnel profile \(\/Common\/vxlan\) is part of the system and cannot be deleted/,
  ],
  [
    'a profile that a tunnel uses',
    ['create net tunnels vxlan p', TUNNEL.replace('vxlan-multipoint', 'p')],
    'delete net tunnels vxlan p',
    /cannot be deleted because it is in use by a Tunnel \(\/Common\/t\)/,
  ],
  [
    'a profile that inherits from itself',
    ['create net tunnels vxlan p', 'create net tunnels vxlan q defaults-from p'],
    'modify net tunnels vxlan p defaults-from q',
    /defaults-from leads back to itself/,
  ],
  [
    'a backward port range',
    [],
    'create net tunnels vxlan p source-port-range 9-8',
    /source-port-range must be two ports, the lower one first/,
  ],
  [
    'a member of two groups',
    ['create net vlan-group g members add { wan }'],
    'create net vlan-group h members add { wan }',
    /VLAN group \(\/Common\/h\): \/Common\/wan is already a member of VLAN group \(\/Common\/g\)/,
  ],
  [
    'a member twice',
    ['create net vlan-group g members add { wan }'],
    'modify net vlan-group g members add { wan }',
    /01020066:3: The requested members \(\/Common\/wan\) already exists/,
  ],
  ['an FDB of its own', [], 'create net fdb tunnel x', /The Tunnel FDB \(\/Common\/x\) cannot be created/],
  ['deleting an FDB', [TUNNEL], 'delete net fdb tunnel t', /goes with its Tunnel/],
  [
    'endpoints on a unicast MAC',
    [WILD],
    'modify net fdb tunnel t records add { 0:0:0:0:0:1 { endpoints add { 10.1.1.2 } } }',
    /record 00:00:00:00:00:01: has endpoints, which only ff:ff:ff:ff:ff:ff may have/,
  ],
  [
    'endpoint on the broadcast MAC',
    [WILD],
    'modify net fdb tunnel t records add { ff:ff:ff:ff:ff:ff { endpoint 10.1.1.2 } }',
    /takes endpoints, not endpoint/,
  ],
  [
    'another group MAC',
    [WILD],
    'modify net fdb tunnel t records add { 01:00:5e:00:00:01 { endpoint 10.1.1.2 } }',
    /record 01:00:5e:00:00:01: is a group address/,
  ],
  ['a record without an endpoint', [WILD], 'modify net fdb tunnel t records add { 0:0:0:0:0:1 }', /has no endpoint/],
  [
    'an endpoint of another IP version',
    [WILD],
    'modify net fdb tunnel t records add { 0:0:0:0:0:1 { endpoint 2001:db8::1 } }',
    /2001:db8::1 has another IP version than the local-address 10\.1\.1\.1 of the tunnel/,
  ],
  [
    'an endpoint of another route domain',
    [WILD],
    'modify net fdb tunnel t records add { 0:0:0:0:0:1 { endpoint 10.1.1.2%4 } }',
    /has another route domain/,
  ],
  [
    'an endpoint that is a group',
    [WILD],
    'modify net fdb tunnel t records add { 0:0:0:0:0:1 { endpoint 239.1.1.1 } }',
    /239\.1\.1\.1 is a group/,
  ],
  [
    'an endpoint twice',
    [WILD],
    'modify net fdb tunnel t records add { ff:ff:ff:ff:ff:ff { endpoints { 10.1.1.2 10.1.1.2 } } }',
    /an end is named twice/,
  ],
  [
    'a record that is there',
    [WILD, 'modify net fdb tunnel t records add { 0:0:0:0:0:1 { endpoint 10.1.1.2 } }'],
    'modify net fdb tunnel t records add { 0:0:0:0:0:1 { endpoint 10.1.1.3 } }',
    /01020066:3: The requested records \(00:00:00:00:00:01\) already exists/,
  ],
  [
    'a record that is not there',
    [WILD],
    'modify net fdb tunnel t records delete { 0:0:0:0:0:1 }',
    /01020036:3: The requested records \(00:00:00:00:00:01\) was not found/,
  ],
  [
    'an FDB record on a foreign interface',
    [],
    'modify net fdb vlan wan records add { 0:0:0:0:0:1 { interface 2.1 } }',
    /interface 2\.1 is none of VLAN \(\/Common\/wan\)/,
  ],
  ['a tag that is taken away', [], 'modify net vlan wan tag none', /tag must be an integer from 1 to 4094/],
  ['the settings of the system', [], 'delete ltm global-settings general', /is part of the system/],
];

describe('what is refused', () => {
  for (const [name, setUp, command, expected] of REFUSED) {
    it(name, async () => {
      const session = await basicSession();
      await session.run(...setUp);
      const before = session.configuration;
      const refusal = await session.refusal(command);
      assert.ok(refusal !== undefined, 'it was accepted');
      assert.match(refusal, expected);
      assert.equal(session.configuration, before, 'nothing may have changed');
    });
  }
});

async function warningsOf(session: TmshSession, command: string): Promise<string[]> {
  return (await session.run(command)).split('\n').filter((line) => line.startsWith('Warning: '));
}

describe('what is accepted with a warning', () => {
  it('multicast flooding with nowhere to flood', async () => {
    const warnings = await warningsOf(await basicSession(), WILD.replace('vxlan-multipoint', 'vxlan'));
    assert.match(
      warnings.join(),
      /will flood nothing: profile \(\/Common\/vxlan\) has flooding-type multicast and remote-address is any/,
    );
  });

  it('a property without effect, once', async () => {
    const session = await basicSession();
    assert.match(
      (await warningsOf(session, 'modify net vlan wan failsafe enabled')).join(),
      /failsafe is kept, but has no effect/,
    );
    assert.deepEqual(await warningsOf(session, 'modify net vlan wan mtu 1400'), []);
  });

  it('an interface without a device', async () => {
    const warnings = await warningsOf(await basicSession(), 'create net interface 3.1');
    assert.match(warnings.join(), /Interface \(3\.1\) has no device/);
  });
});

describe('what is derived', () => {
  it('inherits along defaults-from, and follows the parent', async () => {
    const session = await basicSession();
    await session.run(
      'create net tunnels vxlan p { port 5000 flooding-type none }',
      'create net tunnels vxlan q { defaults-from p port 6000 }',
    );
    const view = () => session.configuration.views.get('net tunnels vxlan /Common/q')!.properties;
    assert.equal(view()['flooding-type'], 'none');
    assert.equal(view().port, 6000);
    await session.run('modify net tunnels vxlan p flooding-type multipoint', 'modify net tunnels vxlan q port default');
    assert.equal(view()['flooding-type'], 'multipoint');
    assert.equal(view().port, 5000);
  });

  it('gives every tunnel its FDB, and takes it away with the tunnel', async () => {
    const session = await basicSession();
    await session.run(WILD);
    const key = 'net fdb tunnel /Common/t';
    assert.deepEqual(session.configuration.views.get(key)?.properties, { records: emptyTable() });
    await session.run('delete net tunnels tunnel t');
    assert.equal(session.configuration.views.get(key), undefined);
  });

  it('chooses the owner of addresses by the adapter', async () => {
    const session = await basicSession();
    const owner = () => session.configuration.views.get('net interface 2.1')!.properties['address-owner'];
    assert.equal(owner(), 'wideplane');
    await session.run('modify net interface 2.1 adapter udp');
    assert.equal(owner(), 'host');
    for (const adapter of ['af-xdp', 'tun', 'pcap']) {
      await session.run(`modify net interface 2.1 adapter ${adapter}`);
      assert.equal(owner(), 'wideplane');
    }
    await session.run('modify net interface 2.1 adapter raw-ip');
    assert.equal(owner(), 'host');
  });

  it('takes files in place of a device', async () => {
    const session = await basicSession();
    await session.run('modify net interface 2.1 device none adapter capture-file replay-file /tmp/a.pcap');
    const { properties } = session.configuration.views.get('net interface 2.1')!;
    assert.equal(properties['replay-file'], '/tmp/a.pcap');
    assert.equal(properties['replay-timing'], 'recorded');
    assert.equal(properties['replay-delay'], 1);
  });
});

it('a profile that is built in may be created as it is, which older manuals do', async () => {
  const session = await basicSession();
  const before = await session.run('list net tunnels vxlan');
  await session.run('create net tunnels vxlan vxlan-gpe { encapsulation-type vxlan-gpe }');
  assert.equal(await session.run('list net tunnels vxlan'), before);
});
