// Self IPs that a kernel on the same VLAN has as well: the probe makes it say so, and wideplane names it.
//
//   [ site: wideplane on e0, 10.1.0.1, 2001:db8:a::1 ] ──── e0 10.1.0.1, 2001:db8:a::1 [ twin ]

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { connect, Namespace } from './harness/namespace.ts';
import { waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const CONFIGURATION = `
net interface 1.1 { device e0 }
net vlan a { interfaces { 1.1 { untagged } } tag 10 }
net self a4 { address 10.1.0.1/24 vlan a }
net self a6 { address 2001:db8:a::1/64 vlan a }
net self other { address 10.1.0.2/24 vlan a }
`;

it('a kernel that has a self IP is named, for IPv4 and IPv6, and other addresses are not', async () => {
  const [site, twin] = [await Namespace.create('site'), await Namespace.create('twin')];
  await connect([twin, 'e0'], [site, 'e0']);
  await twin.addAddress('e0', '10.1.0.1/24', '2001:db8:a::1/64');
  const mac = await twin.mac('e0');
  const wideplane = await Wideplane.start(site, CONFIGURATION);
  const status = async (name: string): Promise<unknown> => (await wideplane.show('net self', name))[0]?.stats?.Status;
  for (const name of ['a4', 'a6']) {
    await waitFor(`${name} is known as a duplicate`, 10, async () => String(await status(name)).includes(mac));
  }
  assert.equal(await status('other'), 'available');
  await waitFor('it is logged', 10, () =>
    wideplane.log.includes(`self IP /Common/a4: station ${mac} has the same address`),
  );
  assert.equal(await wideplane.stop(), 0, wideplane.log);
});
