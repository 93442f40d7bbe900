import assert from 'node:assert/strict';
import { test } from 'node:test';
import { viewOf } from '../../../src/assembly/dataplaned/config-view.ts';
import { tunnelRoutes } from '../../../src/assembly/supervisor/tunnel-paths.ts';
import type { AnyConfigObject } from '../../../src/config/object-type.ts';

const object = (type: string, name: string, properties: Record<string, unknown>): AnyConfigObject =>
  ({ type, name, properties }) as AnyConfigObject;

const UNDERLAY = [
  object('net interface', '1.1', { device: 'eth1', 'address-owner': 'wideplane' }),
  object('net interface', '1.2', { device: 'eth2', 'address-owner': 'wideplane' }),
  object('net vlan', '/Common/wan', { mtu: 1600, interfaces: { '1.1': { tagged: false }, '1.3': { tagged: true } } }),
  object('net vlan', '/Common/lab', { mtu: 9000, interfaces: { '1.2': { tagged: false } } }),
  object('net self', '/Common/here', { address: '192.0.2.1/24', vlan: '/Common/wan' }),
  object('net tunnels vxlan', '/Common/vx', { port: 8472 }),
];
const tunnel = (more: Record<string, unknown> = {}): AnyConfigObject =>
  object('net tunnels tunnel', '/Common/t1', {
    ...{ 'local-address': '192.0.2.1', profile: '/Common/vx', mtu: 0 },
    ...more,
  });

test('a tunnel leads by its local address to the devices that carry it', () => {
  assert.deepEqual(tunnelRoutes(viewOf([...UNDERLAY, tunnel()])), [
    {
      ...{ tunnel: '/Common/t1', innerMtu: 1500, overheadOctets: 50, port: 8472 },
      ...{ vlan: '/Common/wan', vlanMtu: 1600, device: 'eth1' },
    },
  ]);
});

test('a tunnel whose local address nobody has leads nowhere', () => {
  assert.deepEqual(tunnelRoutes(viewOf([...UNDERLAY, tunnel({ 'local-address': '192.0.2.2' })])), []);
});

test('the inner MTU is that of the tunnel, or the largest of the VLANs beside it', () => {
  const mtu = (...objects: AnyConfigObject[]): number => tunnelRoutes(viewOf([...UNDERLAY, ...objects]))[0]!.innerMtu;
  assert.equal(mtu(tunnel({ mtu: 1400 })), 1400);
  const group = object('net vlan-group', '/Common/g', { members: ['/Common/lab', '/Common/t1'] });
  assert.equal(mtu(tunnel(), group), 9000);
  assert.equal(mtu(tunnel({ mtu: 1400 }), group), 1400);
});

test('an IPv6 underlay takes 20 octets more', () => {
  const self = object('net self', '/Common/six', { address: '2001:db8::1/64', vlan: '/Common/wan' });
  const [route] = tunnelRoutes(viewOf([...UNDERLAY, self, tunnel({ 'local-address': '2001:db8::1' })]));
  assert.equal(route!.overheadOctets, 70);
});
