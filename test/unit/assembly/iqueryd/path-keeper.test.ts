import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type MeasuredPath, PathKeeper, type PathSettings } from '../../../../src/assembly/iqueryd/path-keeper.ts';
import { parseAddress } from '../../../../src/core/address.ts';
import type { ProbeTarget } from '../../../../src/probe/packet-probes.ts';
import { countHops } from '../../../../src/probe/path-hops.ts';
import { reverseName } from '../../../../src/probe/path-sample.ts';

const SETTINGS: PathSettings = {
  ...{ protocols: ['icmp'], pathTtl: 1000, retry: 100, probeLimit: 3 },
  ...{ hopsTtl: 5000, hopsOctets: 64, hopsSamples: 3, hopsTimeout: 3 },
};
const MEASURE = { roundTripTime: 5000, completionRate: 1000 };
const SILENT = { end: 'silent', reason: 'no answer' } as const;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function rig() {
  let now = 0;
  const asked: string[] = [];
  const found: MeasuredPath[] = [];
  const state = { isAnswered: true, hops: 0 };
  const keeper = new PathKeeper({
    measurer: {
      measure: (address) => {
        asked.push(`${address} ${now / 1000}`);
        return Promise.resolve(state.isAnswered ? MEASURE : undefined);
      },
      countHops: () => Promise.resolve(++state.hops),
      close: () => undefined,
    },
    found: (path) => found.push(path),
    now: () => now,
    random: () => 0,
  });
  keeper.want(SETTINGS);
  const at = async (seconds: number): Promise<void> => {
    now = 1000 * seconds;
    keeper.tick();
    await settled();
  };
  return { keeper, asked, found, state, at };
}

describe('when ways are measured', () => {
  it('at once, and before what was found is too old; hops more rarely', async () => {
    const { keeper, asked, found, at } = rig();
    keeper.add('192.0.2.1');
    for (const seconds of [0, 1, 749, 750, 1500, 5000]) await at(seconds);
    assert.deepEqual(asked, ['192.0.2.1 0', '192.0.2.1 750', '192.0.2.1 1500', '192.0.2.1 5000']);
    assert.deepEqual(
      found.map(({ hops }) => hops),
      [1, 1, 1, 2],
    );
  });

  it('one that does not answer is tried again, and after so many times but rarely', async () => {
    const { keeper, asked, found, state, at } = rig();
    state.isAnswered = false;
    keeper.add('192.0.2.1');
    for (let seconds = 0; seconds < 1200; seconds += 50) await at(seconds);
    assert.deepEqual(
      asked.map((each) => each.split(' ')[1]),
      ['0', '100', '200', '950'],
    );
    assert.deepEqual(found, []);
  });

  it('many are spread, and what can have no way is passed over', async () => {
    const { keeper, asked, at } = rig();
    keeper.wantClients(new Set(['224.0.0.1', '0.0.0.0', '255.255.255.255', 'nothing', 'ff02::1']));
    assert.equal(keeper.clients, 0);
    keeper.wantClients(new Set(Array.from({ length: 20 }, (_, number) => `192.0.2.${number}`)));
    await at(0);
    assert.equal(asked.length, 8);
    await at(0.25);
    await at(0.5);
    assert.equal(asked.length, 20);
    keeper.wantClients(new Set(['192.0.2.3']));
    assert.equal(keeper.clients, 1);
  });

  it('nothing is, where this machine may not', async () => {
    const { keeper, asked, at } = rig();
    keeper.want(undefined);
    keeper.add('192.0.2.1');
    await at(0);
    assert.deepEqual(asked, []);
  });
});

describe('hops', () => {
  const target: ProbeTarget = { family: 4, address: '192.0.2.1', words: [0, 0, 0, 1], port: 0, mark: 0 };
  const settings = { octets: 64, samples: 3, timeoutMs: 1 };

  it('are the fewest over which the target answers, also where a router is silent and the first packet is lost', async () => {
    for (const away of [1, 4, 5, 30]) {
      const asked = new Map<number, number>();
      const hops = await countHops(
        ({ hops: over = 0 }) => {
          const times = (asked.get(over) ?? 0) + 1;
          asked.set(over, times);
          if (over < away) return Promise.resolve(over === 2 ? SILENT : { end: 'exceeded' });
          return Promise.resolve(times === 1 ? SILENT : { end: 'reply', micros: 1 });
        },
        target,
        settings,
      );
      assert.equal(hops, away);
    }
  });

  it('of what is too far away, or silent, are not known', async () => {
    assert.equal(await countHops(() => Promise.resolve({ end: 'exceeded' }), target, settings), undefined);
    assert.equal(await countHops(() => Promise.resolve(SILENT), target, settings), undefined);
  });
});

describe('the name of an address', () => {
  it('is written backwards', () => {
    assert.equal(reverseName(parseAddress('192.0.2.1')!), '1.2.0.192.in-addr.arpa');
    assert.match(reverseName(parseAddress('2001:db8::1')!), /^1\.0\.0\..*\.8\.b\.d\.0\.1\.0\.0\.2\.ip6\.arpa$/);
  });
});
