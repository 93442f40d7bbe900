// Profiles and tunnels of GRE and EtherIP: what is accepted, what is refused, and what the data plane is told.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildModel } from '../../../src/assembly/dataplaned/build-model.ts';
import { viewOf } from '../../../src/assembly/dataplaned/config-view.ts';
import type { Model, TunnelMemberModel } from '../../../src/assembly/dataplaned/model.ts';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { protocolService } from '../../../src/tunnel/service.ts';
import { TunnelKind } from '../../../src/tunnel/tunnel.ts';
import { EtherIpForm } from '../../../src/wire/etherip.ts';
import { TmshSession } from '../../support/tmsh-session.ts';

const UNDERLAY = `
net interface 1.1 { device e0 adapter packet-ring }
net vlan wan { interfaces { 1.1 { } } tag 100 mtu 1550 }
net self wan-self { address 10.9.1.1/24 vlan wan }
net self wan-self-2 { address 10.9.1.9/24 vlan wan }
net self wan-self6 { address 2001:db8::1/64 vlan wan }
net tunnels gre teb { encapsulation transparent-ethernet-bridging flooding-type multipoint }
`;

const load = (text: string) => loadText(UNDERLAY + text, emptyConfiguration(), { file: 'test' });
const model = (text: string): Model => buildModel(viewOf(load(text).configuration.views.values()), new Map());
const member = (text: string): TunnelMemberModel => model(text).tunnelMembers.get('/Common/t')!;
const tunnel = (more: string, ends = 'local-address 10.9.1.1 remote-address 10.9.1.2'): string =>
  `net tunnels tunnel t { ${ends} ${more} }\n`;

describe('tunnels of GRE and EtherIP', () => {
  it('that are transparent have neither addresses nor a key, one for each IP version', () => {
    const text = (name: string, local: string): string =>
      `net tunnels tunnel ${name} { ${local} profile gre remote-address any transparent enabled }\n`;
    assert.doesNotThrow(() =>
      load(text('t4', 'local-address 0.0.0.0') + text('t6', 'local-address any6') + text('t', '')),
    );
  });

  it('get kind, service and MTU from their profile', () => {
    const six = 'local-address 2001:db8::1 remote-address 2001:db8::2';
    const of = (text: string): unknown[] => {
      const { tunnel: spec } = member(text);
      return [spec.kind, spec.service, spec.key, spec.mtu];
    };
    const [gre, etherip] = [protocolService(47), protocolService(97)];
    assert.deepEqual(of(tunnel('profile gre')), [TunnelKind.gre, gre, 0, 1526]);
    assert.deepEqual(of(tunnel('profile gre key 4294967295')), [TunnelKind.gre, gre, 0xffff_ffff, 1522]);
    assert.deepEqual(of(tunnel('profile teb')), [TunnelKind.teb, gre, 0, 1512]);
    assert.deepEqual(of(tunnel('profile teb key 7')), [TunnelKind.teb, gre, 7, 1508]);
    assert.deepEqual(of(tunnel('profile teb key 7', six)), [TunnelKind.teb, gre, 7, 1488]);
    assert.deepEqual(of(tunnel('profile nvgre key 16777215')), [TunnelKind.nvgre, gre, 0xff_ffff, 1508]);
    assert.deepEqual(of(tunnel('profile etherip')), [TunnelKind.etherip, etherip, 0, 1514]);
    assert.deepEqual(of(tunnel('profile etherip mtu 1400')), [TunnelKind.etherip, etherip, 0, 1400]);
    const full = 'net tunnels gre full { defaults-from teb tx-csum enabled tx-sequence enabled }\n';
    assert.deepEqual(of(full + tunnel('profile full key 1')), [TunnelKind.teb, gre, 1, 1500]);
  });

  it('get what they send and mind from their profile', () => {
    const text = 'net tunnels gre p { rx-csum enabled rx-sequence enabled tx-csum enabled tx-sequence enabled }\n';
    assert.deepEqual(member(text + tunnel('profile p')).tunnel.gre, {
      sendsChecksum: true,
      verifiesChecksum: true,
      sendsSequence: true,
      checksSequence: true,
    });
    const low = 'net tunnels etherip low { version-nibble low }\n';
    assert.equal(member(low + tunnel('profile low')).tunnel.etherIpForm, EtherIpForm.lowNibble);
    assert.equal(member(tunnel('profile etherip')).tunnel.etherIpForm, EtherIpForm.rfc);
  });

  it('flood as the table of the architecture has it', () => {
    const any = 'local-address 10.9.1.1 remote-address any';
    const fdb = 'net fdb tunnel t { records { ff:ff:ff:ff:ff:ff { endpoints { 10.9.1.2 10.9.1.3 } } } }\n';
    const of = (text: string): unknown[] => {
      const { floods, replicates, floodRemotes, tunnel: spec } = member(text);
      return [floods, replicates, floodRemotes.length, spec.learnsEndpoints];
    };
    assert.deepEqual(of(tunnel('profile teb')), [true, false, 0, false], 'point to point');
    assert.deepEqual(of(tunnel('profile teb', any) + fdb), [true, true, 2, true], 'multipoint');
    assert.deepEqual(of(tunnel('profile nvgre key 5', any) + fdb), [false, false, 0, false], 'none');
    assert.deepEqual(of(tunnel('profile etherip')), [true, false, 0, false]);
    assert.deepEqual(of(tunnel('profile etherip', any)), [false, false, 0, false]);
  });

  it('of packets are layer 3 domains without a MAC', () => {
    const { domains } = model(tunnel('profile gre'));
    assert.deepEqual([domains.get('/Common/t')?.isLayer3, domains.get('/Common/t')?.mac], [true, undefined]);
    assert.equal(model(tunnel('profile teb')).domains.get('/Common/t')?.isLayer3, false);
  });

  it('take a secondary address, which has to be a self IP', () => {
    const spec = member(tunnel('profile nvgre key 5 secondary-address 10.9.1.9')).tunnel;
    assert.equal(spec.secondary?.[3], 0x0a090109);
    const { failures, tunnelMembers } = model(tunnel('profile nvgre key 5 secondary-address 10.9.1.8'));
    assert.match(failures[0]!.reason, /secondary-address 10\.9\.1\.8 is not the address of any self IP/);
    assert.equal(tunnelMembers.get('/Common/t')?.tunnel.secondary, undefined);
  });

  it('name the subnets of an inbound NVGRE tunnel', () => {
    const subnets = `
      net tunnels tunnel s1 { local-address 10.9.1.1 profile nvgre key 5000 }
      net tunnels tunnel s2 { local-address 10.9.1.9 profile nvgre key 5001 }
      net tunnels tunnel other { local-address 10.9.1.1 profile teb key 9 }
      net self s1 { address 10.3.3.1/24 vlan s1 }
      net self s1-6 { address fd00:3::1/64 vlan s1 }
      net self s2 { address 10.4.4.1/24 vlan s2 }
      net self other { address 10.5.5.1/24 vlan other }
    `;
    const inbound = member(subnets + tunnel('profile nvgre key 4095 mode inbound', 'local-address 10.9.1.1'));
    assert.deepEqual(
      inbound.subnets.map((subnet) => [subnet.tunnel, subnet.prefixBits, subnet.isIpv6]),
      [
        ['/Common/s1', 24, false],
        ['/Common/s1', 64, true],
      ],
    );
    assert.deepEqual(member(subnets + tunnel('profile nvgre key 4095', 'local-address 10.9.1.1')).subnets, []);
  });

  it('have no data path over a UDP socket', () => {
    const host = `
      net interface 1.2 { device e1 adapter udp }
      net vlan host { interfaces { 1.2 { } } }
      net self host-self { address 10.8.1.1/24 vlan host }
    `;
    const { failures } = model(host + tunnel('profile gre', 'local-address 10.8.1.1 remote-address 10.8.1.2'));
    assert.match(
      failures[0]!.reason,
      /interface 1\.2 has adapter udp, which carries no IP protocol 47: adapter raw-ip does/,
    );
  });
});

describe('what is refused of GRE and EtherIP', () => {
  const group = 'net vlan-group g { members { t } }\n';
  const records = 'net fdb tunnel t { records { 02:00:00:00:00:01 { endpoint 10.9.1.2 } } }\n';
  const twin = (first: string, second: string): string =>
    tunnel(first) + tunnel(second).replace('tunnel t', 'tunnel u');
  const cases: [what: string, text: string, message: RegExp][] = [
    [
      'a key that is no VSID',
      tunnel('profile nvgre key 16777216'),
      /key 16777216 is no VSID: it must be from 0 to 16777215/,
    ],
    ['a key for EtherIP', tunnel('profile etherip key 1'), /Tunnel \(\/Common\/t\): key 1: EtherIP has none/],
    [
      'a checksum for NVGRE',
      'net tunnels gre p { encapsulation nvgre tx-csum enabled }',
      /tx-csum enabled does not go with encapsulation nvgre/,
    ],
    [
      'a group for GRE',
      tunnel('profile teb', 'local-address 10.9.1.1 remote-address 239.1.1.1'),
      /remote-address 239\.1\.1\.1 is a group, but profile \(\/Common\/teb\) has flooding-type multipoint/,
    ],
    [
      'a group for EtherIP',
      tunnel('profile etherip', 'local-address 10.9.1.1 remote-address 239.1.1.1'),
      /remote-address 239\.1\.1\.1 is a group, to which EtherIP does not flood/,
    ],
    [
      'the same tunnel twice',
      twin('profile teb key 7', 'profile teb key 7'),
      /Tunnel \(\/Common\/u\): tunnel \(\/Common\/t\) already has local-address 10\.9\.1\.1, remote-address 10\.9\.1\.2 and key 7/,
    ],
    [
      'two tunnels of EtherIP',
      twin('profile etherip', 'profile etherip'),
      /already has local-address 10\.9\.1\.1, remote-address 10\.9\.1\.2 and an EtherIP profile/,
    ],
    [
      'a key within a VSID',
      twin('profile nvgre key 1', 'profile teb key 300'),
      /Tunnel \(\/Common\/u\): tunnel \(\/Common\/t\) already has/,
    ],
    [
      'a VSID around a key',
      twin('profile teb key 300', 'profile nvgre key 1'),
      /Tunnel \(\/Common\/u\): tunnel \(\/Common\/t\) already has/,
    ],
    [
      'packets in a VLAN group',
      tunnel('profile gre') + group,
      /VLAN group \(\/Common\/g\): \/Common\/t carries IP packets, not frames: it cannot be bridged/,
    ],
    [
      'stations behind packets',
      tunnel('profile gre') + records,
      /Tunnel FDB \(\/Common\/t\): the tunnel carries IP packets/,
    ],
    [
      'a transparent tunnel with ends',
      tunnel('profile gre transparent enabled'),
      /a transparent tunnel has no local-address, but it is 10\.9\.1\.1[^]*a transparent tunnel has no remote-address, but it is 10\.9\.1\.2/,
    ],
    [
      'a transparent tunnel with a key',
      'net tunnels tunnel t { profile gre transparent enabled key 7 }',
      /a transparent tunnel is of packets with any key, but key is 7/,
    ],
    [
      'a transparent tunnel in a VLAN group',
      'net tunnels tunnel t { profile gre transparent enabled } net vlan-group g { members { t } }',
      /\/Common\/t carries IP packets, not frames: it cannot be bridged/,
    ],
    [
      'a transparent tunnel of frames',
      tunnel('profile teb transparent enabled'),
      /transparent tunnels need a profile of type ipip or gre/,
    ],
    [
      'a secondary address of another IP version',
      tunnel('profile nvgre secondary-address 2001:db8::1'),
      /secondary-address 2001:db8::1 has another IP version than local-address 10\.9\.1\.1/,
    ],
    [
      'the same address twice',
      tunnel('profile nvgre secondary-address 10.9.1.1'),
      /secondary-address 10\.9\.1\.1 is the local-address/,
    ],
  ];
  for (const [what, text, message] of cases) {
    it(what, () => {
      assert.throws(
        () => load(text),
        (error: { errors: { message: string }[] }) => {
          assert.match(error.errors.map(({ message: one }) => one).join('\n'), message);
          return true;
        },
      );
    });
  }

  it('nothing of tunnels that keys, kinds or what they carry tell apart', () => {
    const many = ['gre', 'gre key 1', 'teb', 'teb key 1', 'teb key 2', 'teb key 300', 'nvgre key 2', 'etherip'];
    const text = many.map((profile, at) => tunnel(`profile ${profile}`).replace('tunnel t', `tunnel t${at}`)).join('');
    assert.equal(model(text).tunnelMembers.size, many.length);
  });
});

it('profiles of GRE and EtherIP are there from the start, and change as others do', async () => {
  const session = new TmshSession();
  const gre = await session.run('list net tunnels gre all-properties');
  assert.match(
    gre,
    /net tunnels gre gre \{[^}]*encapsulation standard[^}]*flooding-type none[^}]*rx-csum disabled[^}]*tx-csum disabled/,
  );
  assert.match(gre, /net tunnels gre nvgre \{[^}]*defaults-from gre[^}]*encapsulation nvgre/);
  assert.match(await session.run('list net tunnels etherip'), /net tunnels etherip etherip \{/);
  await session.run('create net tunnels gre mine { defaults-from nvgre }');
  assert.match(await session.run('list net tunnels gre mine all-properties'), /encapsulation nvgre/);
});
