// time-out: 120 s
// A transparent monitor, typed in tmsh, asks one server by way of two routers: the pool's member is the router, and is down when the
// way through it is.
//
//             ┌─ [ router-1 ] ─┐
//   [ site ] ─┤                ├─ [ far ] 203.0.113.9
//             └─ [ router-2 ] ─┘

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { connect, Namespace } from './harness/namespace.ts';
import { waitFor } from './harness/wait.ts';
import { ALL_DAEMONS, Wideplane } from './harness/wideplane.ts';

const FAR = '203.0.113.9';
const SIDES = [1, 2] as const;
const routerAddress = (side: number): string => `10.1.${side}.2`;
/** Seconds, of the monitor. */
const [INTERVAL, TIMEOUT] = [2, 7];
const SLACK = 2;

it('members are the routers that a transparent monitor goes by, and each is down while its way is cut', async () => {
  const site = await Namespace.create('site');
  const far = await Namespace.create('far');
  await far.addAddress('lo', `${FAR}/32`);
  const routers = [await Namespace.create('router-1'), await Namespace.create('router-2')];
  for (const side of SIDES) {
    const router = routers[side - 1]!;
    await connect([site, `e${side}`], [router, 'near']);
    await connect([router, 'back'], [far, `e${side}`]);
    await site.addAddress(`e${side}`, `10.1.${side}.1/24`);
    await router.addAddress('near', `${routerAddress(side)}/24`);
    await router.addAddress('back', `10.2.${side}.1/24`);
    await far.addAddress(`e${side}`, `10.2.${side}.2/24`);
    await router.sysctl({ 'net.ipv4.ip_forward': '1' });
    await router.ip('route', 'add', FAR, 'via', `10.2.${side}.2`);
    await far.ip('route', 'add', `10.1.${side}.0/24`, 'via', `10.2.${side}.1`);
  }
  const wideplane = await Wideplane.start(site, '', { daemons: ALL_DAEMONS });
  await waitFor('healthd answers', 10, () => wideplane.log.includes('healthd ready'));
  await wideplane.tmsh(
    `create ltm monitor gateway-icmp through { destination ${FAR}:* interval ${INTERVAL} timeout ${TIMEOUT} transparent enabled }`,
  );
  const members = SIDES.map((side) => `${routerAddress(side)}:0`).join(' ');
  await wideplane.tmsh(`create ltm pool ways members add { ${members} } monitor through`);

  const become = async (wanted: readonly string[], seconds: number): Promise<void> => {
    let shown = '';
    const began = performance.now();
    await waitFor(
      `routers ${wanted.join(', ')}`,
      seconds,
      async () => {
        shown = await wideplane.tmsh('show ltm pool ways');
        return SIDES.every((side) =>
          new RegExp(`${routerAddress(side).replaceAll('.', '\\.')}:0 +${wanted[side - 1]!} `).test(shown),
        );
      },
      () => shown + wideplane.log,
    );
    console.log(`routers ${wanted.join(', ')} after ${((performance.now() - began) / 1000).toFixed(1)} s`);
  };
  await become(['available', 'available'], INTERVAL + SLACK);

  // The router itself answers as before: only the way through it is gone.
  const [first] = routers;
  await first!.ip('route', 'replace', 'blackhole', FAR);
  await become(['offline', 'available'], TIMEOUT + SLACK);
  const explained = await site.attempt(wideplane.command('health', 'explain', 'ways'));
  assert.match(explained.stdout, /at 203\.0\.113\.9 by way of 10\.1\.1\.2: down/);
  assert.match(explained.stdout, /at 203\.0\.113\.9 by way of 10\.1\.2\.2: up/);

  await first!.ip('route', 'replace', FAR, 'via', '10.2.1.2');
  await become(['available', 'available'], INTERVAL + TIMEOUT + SLACK);
  assert.equal(await wideplane.stop(), 0, wideplane.log);
  assert.doesNotMatch(await site.ip('rule'), /fwmark/);
});
