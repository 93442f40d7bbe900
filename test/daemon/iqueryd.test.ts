// time-out: 600 s
// iqueryd under `wideplane up` in namespaces that a bridge joins: connections, what is shown of them, and what becomes of them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { exchangeCertificates, MeshNetwork, MeshSite, serversOf } from '../support/mesh-site.ts';
import { eventually } from './supervise/running-up.ts';

/** Back-off starts at a second; a connection that is lost is seen at once. */
const BACK_MS = 15_000;

let network: MeshNetwork;
let one: MeshSite;
let two: MeshSite;

before(async () => {
  network = new MeshNetwork();
  one = new MeshSite(network, { number: 1, config: serversOf([1, 2]) });
  two = new MeshSite(network, { number: 2, config: serversOf([1, 2]) });
  await Promise.all([one.ready(), two.ready()]);
});

after(async () => {
  await Promise.all([one.stop(), two.stop()]);
  network.close();
});

test('a machine is connected with itself, and not with one that it does not trust', async () => {
  await one.showsState(one.address, 'connected');
  // Before it was dialled, or while it does not listen yet, the reason is another.
  const reason = /^State not-connected$[^]*^Reason its certificate is refused: .*gtm\/server\.crt/m;
  await eventually('its certificate is refused', () => reason.test(one.shown(two.address)));
  const refusal = /^iQuery server \/Common\/s2 at 10\.43\.7\.2 .* is refused/;
  await eventually('the refusal is logged', () => one.logged(refusal).length > 0);
});

test('once certificates are exchanged each is connected with the other, without a restart', async () => {
  exchangeCertificates([one, two]);
  const started = performance.now();
  for (const [site, other] of [
    [one, two],
    [two, one],
  ] as const) {
    await site.showsState(other.address, 'connected');
  }
  console.log(`connected ${Math.round(performance.now() - started)} ms after certificates were exchanged`);
});

test('kill -9 of one side: the other sees it at once, and both are connected again', async () => {
  const before = await two.up.daemon('iqueryd');
  process.kill(before, 'SIGKILL');
  const started = performance.now();
  await eventually('red', () => one.logged(/Box .*green --> red/).length > 0, BACK_MS);
  await eventually('another iqueryd', async () => (await two.up.daemon('iqueryd')) !== before, 45_000);
  await one.showsState(two.address, 'connected', 45_000);
  await two.showsState(one.address, 'connected', 45_000);
  console.log(`connected again ${Math.round(performance.now() - started)} ms after kill -9`);
  assert.match(one.shown(two.address), /^Reconnects 1$/m);
});
