// time-out: 300 s
// iqueryd and machines that speak iQuery in a way that is not public, as a BIG-IP's big3d does: authenticated, greeted, and kept up for as long
// as they last, whether they say what nobody knows or nothing at all.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeDevicePair, type Pair } from '../../src/trust/make-certificate.ts';
import { FakeBig3d } from '../support/fake-big3d.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { eventually, makeState, removeState, run, RunningUp } from './supervise/running-up.ts';

const PORT = 4353;
const STRANGERS = { talker: '127.0.0.2', packed: '127.0.0.3', silent: '127.0.0.4' } as const;
type Name = keyof typeof STRANGERS;
const NAMES = Object.keys(STRANGERS) as Name[];
/** Longer than the minute that a session has to last, and twenty times what a peer of our own may be silent for. */
const STAYS_MS = 65_000;
const CONNECTED_MS = 60_000;

const CONFIGURATION = `
sys db iqueryd.address { value 127.0.0.1 }
gtm datacenter dc { }
gtm global-settings general { heartbeat-interval 1 }
${NAMES.map((name) => `gtm server ${name} { datacenter dc devices { ${name} { addresses { ${STRANGERS[name]} { } } } } }`).join('\n')}
`;

const state = makeState();
let device: Pair;
let strangers: Record<Name, FakeBig3d>;
let up: RunningUp;

const tmsh = (command: string): string => run(process.execPath, EXECUTABLE, 'tmsh', '--state', state, '-c', command);
const shown = (address: string): string => tmsh(`show gtm iquery ${address}`).replaceAll(/ +/g, ' ');

before(async () => {
  device = await makeDevicePair('bigip.example', new Date());
  const own = run(process.execPath, EXECUTABLE, 'trust', 'export', '--state', state);
  const file = join(state, 'bigip.crt');
  writeFileSync(file, device.certificate);
  run(process.execPath, EXECUTABLE, 'trust', 'import', file, '--server', '--state', state);
  const common = { ...device, trusted: [own], port: PORT };
  strangers = {
    talker: await FakeBig3d.start({ ...common, address: STRANGERS.talker }),
    packed: await FakeBig3d.start({ ...common, address: STRANGERS.packed, isCompressed: true }),
    silent: await FakeBig3d.start({ ...common, address: STRANGERS.silent, everyMs: 0 }),
  };
  const config = `${state}.conf`;
  writeFileSync(config, CONFIGURATION);
  up = new RunningUp(state, { config });
  await up.said(/^metricsd ready/, 90_000);
});

after(async () => {
  up.signal('SIGTERM');
  await up.exit();
  for (const name of NAMES) await strangers[name].stop();
  removeState(state);
  removeState(`${state}.conf`);
});

test('all are connected, with the version that they greet with', async () => {
  for (const name of NAMES) {
    const address = STRANGERS[name];
    await eventually(`${name} is connected`, () => /^State connected$/m.test(shown(address)), CONNECTED_MS);
    assert.match(shown(address), /^big3d Version big3d Version 16\.1\.3\.3\.0\.0\.3$/m);
    assert.equal(strangers[name].refused, 0);
  }
});

test('a minute later it is the same session, whatever was said, and nothing of it was believed', async () => {
  await new Promise((resolve) => setTimeout(resolve, STAYS_MS));
  for (const name of NAMES) {
    const text = shown(STRANGERS[name]);
    assert.match(text, /^State connected$/m);
    assert.match(text, /^Reconnects 0$/m);
    const { welcomed, connections, received } = strangers[name];
    // It is sent nothing: it would understand nothing.
    assert.deepEqual([welcomed, connections, received], [1, 1, 0], name);
  }
  const lines = up.log.filter(({ daemon }) => daemon === 'iqueryd').map(({ msg }) => msg);
  const notDecoded = lines.filter((msg) => msg.includes('its messages are not known, and not decoded'));
  assert.equal(notDecoded.length, NAMES.length, lines.join('\n'));
  // An element that nobody knows is a line, once.
  assert.equal(lines.filter((msg) => msg.includes('<kernel_stats>')).length, 1, lines.join('\n'));
  assert.doesNotMatch(tmsh('list gtm server'), /10\.1\.1\.80/);
});
