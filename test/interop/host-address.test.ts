// A machine with one NIC, whose address is the kernel's, and a TCP session over it: wideplane comes, carries a tunnel over
// the same address, is killed, comes again and goes, and neither the session nor the address takes notice.
//
//   [ site: e0 10.9.1.1, kernel ] ──── e0 10.9.1.2 [ far: kernel VXLAN ]

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildSite, FAR_ADDRESS, HOST_B, SITE_ADDRESS, siteConfiguration } from './harness/site.ts';
import { ping, reach } from './harness/traffic.ts';
import { delay } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const SESSION = fileURLToPath(new URL('./harness/programs/tcp-session.js', import.meta.url));

it('up, traffic, kill -9, up, stop: the TCP session and the address are untouched', async () => {
  const built = await buildSite({ adapter: 'udp' });
  const { site, far, hostA, hostB } = built;
  // The NIC carries the default route and the session, as on a rented machine with one NIC.
  await site.ip('route', 'add', 'default', 'via', FAR_ADDRESS);
  const described = async (): Promise<string[]> => [
    await site.ip('address', 'show', 'dev', 'e0'),
    await site.ip('route'),
  ];
  const before = await described();

  const server = far.start([process.execPath, SESSION, 'serve', FAR_ADDRESS, '7000']);
  await server.expect(/^listening$/m, 5);
  const client = site.start([process.execPath, SESSION, 'connect', FAR_ADDRESS, '7000', SITE_ADDRESS]);
  await client.expect(/^connected$/m, 5);

  await reach(hostA, HOST_B);
  assert.equal((await ping(hostA, HOST_B, { count: 10 })).received, 10);
  built.wideplane.kill();
  await delay(1000);
  assert.equal((await ping(hostA, HOST_B, { count: 1 })).received, 0, 'frames flow although wideplane is dead');

  const again = await Wideplane.start(site, siteConfiguration(built.options));
  await reach(hostB, '172.16.0.1');
  assert.equal(await again.stop(), 0, again.log);
  await delay(500);

  assert.deepEqual(await described(), before);
  assert.equal(await site.run(['nft', 'list', 'ruleset']), '');
  assert.ok(client.isRunning, client.output);
  client.signal('SIGUSR2');
  const report = await client.expect(/^echoed (\d+) stalled (\d+) ms$/m, 3);
  assert.ok(Number(report[1]) > 20, report[0]);
  assert.ok(Number(report[2]) < 1000, report[0]);
});
