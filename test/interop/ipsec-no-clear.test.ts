// While the configuration changes under traffic, what a selector protects before and after never leaves in the clear.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Capture, readFields } from './harness/capture.ts';
import { HOST, ipsec, IpsecPair, type IpsecSetup, network } from './harness/ipsec-pair.ts';
import { makeDirectory } from './harness/namespace.ts';
import { reach, UdpSequence } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';

// Of an odd number of loads each: what is modified in one goes and comes anew in the next.
const ROUNDS = process.env.WIDEPLANE_LONG === '1' ? 10 : 2;
const combined: IpsecSetup = { auth: 'aes-gcm128', encrypt: 'aes-gcm128', encryptKey: `0x${'c0'.repeat(20)}` };
const separate: IpsecSetup = {
  ...{ auth: 'sha256', authKey: `0x${'a0'.repeat(32)}`, encrypt: 'aes128', encryptKey: `0x${'e0'.repeat(16)}` },
};
const SETUPS: Readonly<Record<string, IpsecSetup>> = {
  'AES-GCM': combined,
  'AES-CBC': separate,
  AH: { protocol: 'ah', auth: 'sha256', authKey: `0x${'a1'.repeat(32)}`, encrypt: 'null' },
  'another SPI': { ...combined, spis: { a: 0x3003, b: 0x4004 } },
  UDP: { ...combined, udpPort: 4500 },
  'over IPv6': { ...combined, outer: 6 },
  IPComp: { ...combined, compress: true },
  'a replay window': { ...combined, replayWindow: 64 },
  'a narrower selector': { ...combined, selector: 'ip-protocol 17' },
};

it('nothing leaves in the clear while one configuration is loaded after the other', async () => {
  const pair = await IpsecPair.start((side) => ipsec(side, combined));
  const { hosts, sites, wideplanes } = pair;
  await reach(hosts.a, HOST.b);
  const file = `${makeDirectory('wan')}/clear.pcap`;
  const capture = await Capture.start(sites.b, 'e0', file, { filter: 'udp port 9000', direction: 'in' });
  const traffic = await UdpSequence.start(hosts.a, hosts.b, HOST.b, { perSecond: 5000 });
  let loads = 0;
  const load = async (setup: IpsecSetup): Promise<void> => {
    const argv = wideplanes.a.command('tmsh', '-c', 'load sys config from-terminal');
    // Every other time by other names: then nothing is modified, all of it goes, and all comes anew.
    loads += 1;
    const text = ipsec('a', setup).replaceAll(/\b(ts|p|sa)-(in|out)\b/g, `$1-$2-${Math.ceil(loads / 2)}`);
    await sites.a.run(argv, { input: network('a') + text });
    await wideplanes.a.tmsh('show sys config status wait');
  };
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, setup] of Object.entries(SETUPS)) {
      await load(setup);
      const clear = (await readFields(file, 'frame', ['frame.number'])).length;
      assert.equal(clear, 0, `round ${round}, ${name}: ${clear} packets in the clear`);
    }
  }
  // The other end, which was told nothing, takes them again.
  await load(combined);
  await traffic.report();
  await waitFor('datagrams arrive again', 5, async () => (await traffic.report()).received > 100);
  await traffic.stop();
  await capture.stop();
  assert.deepEqual(await readFields(file, 'frame', ['frame.number']), []);
  await pair.stop();
});
